"""A seed in, the whole life of an order's ledger and its returns out: whatever people, companies
and crashes make of it, and then everything that is due.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from shared_runtime.decider import Refused

from returns_service.testing import DAY, HOUR
from returns_service.testing.order_others import Others
from returns_service.testing.order_people import People

STEPS_MAX = 60
END_MAX = 4_000
CAUGHT_UP = 60
ACTS_AT_THE_END = 25
SPANS = (timedelta(minutes=5), HOUR, 12 * HOUR, DAY, 3 * DAY, 10 * DAY)


@dataclass(kw_only=True)
class Machine(People, Others):
    acts_left: int = ACTS_AT_THE_END

    def lives(self, check: Callable[[], None]) -> None:
        self.world.open_ledger()
        steps = (
            [self.reads] * 8
            + [self.asks_companies] * 3
            + [self.hears_companies] * 3
            + [self.catches_up] * 3
            + [self.somebody_acts] * 10
            + [self.begins] * 2
            + [self.time_passes, self.timers_fire, self.timers_fire]
            + [self.provider_turns, self.disputes, self.remedies, self.order_goes_on]
            + [self.staff_or_others_act]
        )
        for _ in range(STEPS_MAX):
            self.rng.choice(steps)()
            check()
        self.ends(check)

    # --- The machinery

    def reads(self) -> None:
        if unread := self.world.unread():
            reader, stream = self.rng.choice(unread)
            dies = self.rng.choice([0, 1, 2]) if self.chance(15) else None
            self.notes(f"{reader} reads {stream}, dies after {dies}")
            self.world.deliver(reader, stream, self.rng.randint(1, 4), dies_after=dies)

    def asks_companies(self) -> None:
        if due := self.world.due_errands():
            key = self.rng.choice(due)
            self.notes(f"asks {key}")
            self.world.run_errand(key)

    def hears_companies(self) -> None:
        if self.world.answers:
            answer = self.rng.choice(self.world.answers)
            if self.chance(20):
                self.world.lose_answer(answer)
            else:
                self.notes(f"hears {answer.port} {answer.errand.key}")
                self.world.tell_answer(answer)

    def catches_up(self) -> None:
        """For once everything goes well: all is read, asked and answered."""
        world = self.world
        for _ in range(CAUGHT_UP):
            if unread := world.unread():
                world.deliver(*unread[0], 8)
            elif world.answers:
                world.tell_answer(world.answers[0])
            elif due := world.due_errands():
                world.run_errand(due[0])
            else:
                return

    def time_passes(self) -> None:
        self.world.passes(self.rng.choice(SPANS))

    def timers_fire(self) -> None:
        due = [each for each in self.world.deadlines() if each.due <= self.world.now]
        if due:
            armed = self.rng.choice(due)
            self.notes(armed)
            self.world.fire(armed, again=self.chance(20))

    # --- The end: everything that is due is delivered, and all timers pass

    def ends(self, check: Callable[[], None]) -> None:
        self.notes("from here on everybody does what he has to")
        for told in self.provider.ends():
            with suppress(Refused):
                self.provider_tells(told)
        for _ in range(END_MAX):
            if not self.is_led_on():
                return
            check()
        raise AssertionError("it does not come to an end")

    def is_led_on(self) -> bool:
        """Whether there was anything to be done still: time passes when all else is done."""
        ways = (
            self.is_read,
            self.is_answered,
            self.opens_contests,
            self.is_order_moved,
            self.is_dispute_decided,
            self.is_acted,
            self.is_reissued,
            self.is_next_due,
        )
        return any(leads() for leads in ways)

    def is_read(self) -> bool:
        if unread := self.world.unread():
            self.world.deliver(*self.rng.choice(unread), self.rng.randint(1, 8))
        return bool(unread)

    def is_answered(self) -> bool:
        world = self.world
        due = world.due_errands()
        if world.answers:
            world.tell_answer(world.answers[0])
        elif due:
            world.run_errand(due[0])
        else:
            return False
        return True

    def is_order_moved(self) -> bool:
        moves = self.world.order.stage in ("PAID", "SHIPPED", "DELIVERED")
        if moves:
            self.order_goes_on()
        return moves

    def is_dispute_decided(self) -> bool:
        waiting = [each for each in self.world.disputes.values() if each.closed_at is None]
        if self.world.remedies or not waiting:
            return False
        self.decides(waiting[0])
        return True

    def is_acted(self) -> bool:
        """People go on for a while."""
        acts = self.acts_left > 0 and self.chance(50)
        if acts:
            self.acts_left -= 1
            self.somebody_acts()
        return acts

    def is_reissued(self) -> bool:
        """Staff are told of what is overdue; they give it another way."""
        ledger = self.world.ledger
        assert ledger
        for refund_id, refund in ledger.refunds.items():
            is_theirs = refund.is_owed and refund.status in ("FAILED_FINAL", "BOUNCED")
            if is_theirs:
                self.reissues(refund_id)
                return True
        return False

    def is_next_due(self) -> bool:
        world = self.world
        errands = [each.due for each in world.errands.values() if not each.taken]
        remedies = [due for _, due in world.remedies.values()]
        armed = world.deadlines()
        dues = [*errands, *remedies, *(each.due for each in armed)]
        if not dues:
            return False
        world.now = max(world.now, min(dues))
        if passed := [each for each in sorted(armed) if each.due <= world.now]:
            self.notes(passed[0])
            world.fire(passed[0])
        for remedy_id, (_, due) in [*world.remedies.items()]:
            if due <= world.now:
                world.carry_out(remedy_id)
        return True
