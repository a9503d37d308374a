"""One order with its ledger and its returns in memory, and what happens to them by itself.

The decisions are the service's own, and so are the steps between them: what reactions ask, what
timers fire, what is to be asked of companies. The world is only the log that they read and write,
and it keeps no promise that a log does not: what is read is read late, in any order of the streams,
and again after a crash; a timer fires late or twice; an answer is told long after it was given.
"""

from collections import defaultdict
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import replace
from shared_events.envelope import Recorded
from shared_events.returns import OutsideRefundUndone, RefundFailed, RefundLedgerOpened
from shared_runtime.decider import Refused
from shared_runtime.errands import Begin, Errand, ErrandEnd, after
from shared_runtime.log import Ask, event_id_of
from shared_runtime.timers import DueTimer, TimerName

from returns_service.connectors import labels, payments, replacements, words
from returns_service.connectors.hearing import Found, PortAnswer
from returns_service.connectors.words import Hearing
from returns_service.domain.ledger_rules import LEDGERS
from returns_service.domain.ledger_timers import ledger_deadlines
from returns_service.domain.requesting import RequestRefund
from returns_service.domain.return_rules import RETURNS
from returns_service.domain.return_timers import return_deadlines
from returns_service.domain.streams import is_return, return_stream
from returns_service.ledger_rows import LEDGER_EVENTS, ledger_row
from returns_service.reactions import own_refunds, own_returns, timers
from returns_service.reactions.ordered import AGAIN_AFTER, carried
from returns_service.remedies import WaitingRemedy
from returns_service.return_facts import contests_of
from returns_service.testing.order_log import LEDGER, ORDER_ID, POLICIES, OrderLog
from returns_service.wishes import CARRIER, errand, port_of

RETURNS_READER, REFUNDS_READER, PORTS_READER = "returns", "refunds", "ports"
READERS = (RETURNS_READER, REFUNDS_READER, PORTS_READER)
PAYMENT = payments.PORT


class OpenErrand(Struct, frozen=True, kw_only=True):
    """`taken`: somebody is on his way with it."""

    begun: Begin
    tries: int = 0
    due: datetime
    taken: bool = False


class Answer(Struct, frozen=True, kw_only=True):
    """What a company has answered, and nobody has recorded yet."""

    port: str
    errand: Errand
    told: Any


class Armed(Struct, frozen=True, order=True):
    """A deadline that a stream has."""

    due: datetime
    stream: str
    kind: str
    of: str


@dataclass(kw_only=True)
class World(OrderLog):
    """`ports`: the companies that are asked. `read`: how far each reader is in each stream."""

    ports: Mapping[str, Any]
    asked: dict[str, RequestRefund] = field(default_factory=dict[str, RequestRefund])
    read: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    errands: dict[tuple[str, str], OpenErrand] = field(
        default_factory=dict[tuple[str, str], OpenErrand]
    )
    answers: list[Answer] = field(default_factory=list[Answer])
    remedies: dict[str, tuple[WaitingRemedy, datetime]] = field(
        default_factory=dict[str, tuple[WaitingRemedy, datetime]]
    )
    fired: dict[Armed, int] = field(default_factory=dict[Armed, int])

    # --- What reads the log

    def unread(self, *readers: str) -> list[tuple[str, str]]:
        return [
            (reader, stream)
            for reader in readers or READERS
            for stream, history in self.streams.items()
            if self.read[reader, stream] < len(history)
        ]

    def deliver(
        self, reader: str, stream: str, many: int, *, dies_after: int | None = None
    ) -> None:
        """A few events to one reader. `dies_after`: so many steps; then all of it comes again."""
        start = self.read[reader, stream]
        batch = self.streams[stream][start : start + many]
        apply = {
            RETURNS_READER: self._on_returns,
            REFUNDS_READER: self._on_refunds,
            PORTS_READER: self._on_ports,
        }[reader]
        for number, _ in enumerate(apply(batch)):
            if number == dies_after:
                return
        self.read[reader, stream] = start + len(batch)

    def _on_returns(self, batch: Sequence[Recorded[Any]]) -> Iterator[None]:
        self._fold(batch)
        steps = [*own_returns.steps_after(batch, self.decisions, {ORDER_ID: self.facts})]
        yield from self._ask(own_returns.money_in(steps, POLICIES))
        now_known = {ORDER_ID: self.facts}
        yield from self._ask(
            own_returns.returns_in(steps, self.decisions, now_known, POLICIES), RETURNS
        )
        for wished in own_returns.wishes_in(steps, batch, self.decisions):
            self._leave(port_of(wished.wish), [errand(wished)])

    def _fold(self, batch: Iterable[Recorded[Any]]) -> None:
        for each in batch:
            if isinstance(each.event, LEDGER_EVENTS) and each.version > self.folded:
                self.ledger_seen = ledger_row(self.ledger_seen, each.event)
                self.folded = each.version

    def _on_refunds(self, batch: Sequence[Recorded[Any]]) -> Iterator[None]:
        for each in batch:
            if isinstance(each.event, OutsideRefundUndone | RefundFailed):
                asks = own_refunds.asks_after(each, self.decisions, self.asked, POLICIES)
                yield from self._ask(asks)
            if isinstance(each.event, RefundLedgerOpened):
                self.remedies = {
                    remedy_id: (told, min(due, self.now))
                    for remedy_id, (told, due) in self.remedies.items()
                }

    def _ask(self, asks: Iterable[Ask[Any]], decider: Any = LEDGERS) -> Iterator[None]:  # noqa: ANN401
        """Once for each cause; what was asked of the ledger is kept."""
        for ask in asks:
            if event_id_of(ask) in self.recorded_ids:
                continue
            with suppress(Refused):
                self.decide(decider, ask)
            if isinstance(ask.command.said, RequestRefund):
                self.asked.setdefault(ask.command.said.refund_id, ask.command.said)
            yield

    def asks_ledger(self, ask: Ask[Any]) -> None:
        """Because of what another service has told."""
        for _ in self._ask([ask]):
            pass

    # --- Errands to companies

    def _on_ports(self, batch: Sequence[Recorded[Any]]) -> Iterator[None]:
        for each in batch:
            if isinstance(each.event, payments.HANDLED):
                ledgers = {LEDGER: self.states[LEDGER]}
                self._leave(PAYMENT, payments.errands_of(each, ledgers))
            yield

    def _leave(self, port: str, told: Iterable[Begin | ErrandEnd]) -> None:
        for each in told:
            key = (port, each.key)
            if isinstance(each, ErrandEnd):
                self.errands.pop(key, None)
                continue
            there = self.errands.get(key)
            begun = after(there.begun if there else None, each)
            assert isinstance(begun, Begin)
            errand = OpenErrand(begun=begun, due=begun.due)
            if there:
                errand = replace(there, begun=begun, due=begun.due)
            self.errands[key] = errand

    def due_errands(self) -> list[tuple[str, str]]:
        return [
            key for key, each in self.errands.items() if each.due <= self.now and not each.taken
        ]

    def run_errand(self, key: tuple[str, str]) -> None:
        """Asks; the answer is on its way back. Who takes it may have asked before, and died."""
        port, name = key
        there = self.errands[key]
        tries = there.tries + 1
        self.errands[key] = replace(there, tries=tries, taken=True)
        begun = there.begun
        errand = Errand(
            key=name, stream=begun.stream, task=begun.task, cause=begun.cause, tries=tries
        )
        self.answers.append(Answer(port=port, errand=errand, told=self._asked(port, errand)))

    def _asked(self, port: str, errand: Errand) -> Any:  # noqa: ANN401 - each port's own
        if port == PAYMENT:
            history = self.history(errand.stream)
            return at_once(payments.word_for(errand, history, self.ports[port], self.now))
        matter = self.states[errand.stream]
        found = Found(matter=matter, known=self.known(matter.return_id))
        word_for = labels.word_for if port == CARRIER else replacements.word_for
        return PortAnswer(answer=at_once(word_for(errand, found, self.ports[port])), found=found)

    def lose_answer(self, answer: Answer) -> None:
        """The worker dies: the errand is there for the next one."""
        self.answers.remove(answer)
        key = (answer.port, answer.errand.key)
        if there := self.errands.get(key):
            self.errands[key] = replace(there, taken=False)

    def tell_answer(self, answer: Answer) -> None:
        self.answers.remove(answer)
        errand = answer.errand
        again = self._told(answer)
        key = (answer.port, errand.key)
        there = self.errands.get(key)
        if there is None:
            return
        if there.begun.cause != errand.cause:
            self.errands[key] = replace(there, taken=False)
        elif again is None:
            del self.errands[key]
        else:
            self.errands[key] = replace(there, taken=False, due=again)

    def _told(self, answer: Answer) -> datetime | None:
        errand = answer.errand
        if answer.port == PAYMENT:
            log, told = self.decisions, answer.told
            return payments.tell(log, errand, told, now=self.now, policies=POLICIES)
        tell = labels.tell if answer.port == CARRIER else replacements.tell
        return tell(self.decisions, errand, answer.told, self.now)

    def hear(self, refund_id: str, word: Any, cause: str, purpose: str) -> None:  # noqa: ANN401
        """Of the provider: an answer, or its own word."""
        heard = Hearing(cause=cause, purpose=purpose, now=self.now, policies=POLICIES)
        words.say(self.decisions, LEDGER, refund_id, word, heard)

    # --- Deadlines

    def deadlines(self) -> list[Armed]:
        """Those that are set. A timer that has fired is set again by the next event only."""
        found: list[Armed] = []
        if self.ledger:
            found += [
                Armed(each.due, LEDGER, each.name, each.refund_id)
                for each in ledger_deadlines(self.ledger)
            ]
        disputes = [*self.disputes.values()]
        for return_id, state in self.returns.items():
            stream = return_stream(return_id)
            contests = contests_of(disputes, return_id)
            found += [
                Armed(each.due, stream, each.name, each.units[0] if each.units else "")
                for each in return_deadlines(state, POLICIES, contests)
            ]
        return [each for each in found if self.fired.get(each) != len(self.streams[each.stream])]

    def fire(self, armed: Armed, *, again: bool = False) -> None:
        due = DueTimer(
            stream=armed.stream,
            name=TimerName(armed.kind, armed.of),
            due=armed.due,
            now=self.now,
            cause=self.streams[armed.stream][-1].event_id,
        )
        before = len(self.streams[armed.stream])
        for _ in range(2 if again else 1):
            self._fire(due)
        if len(self.streams[armed.stream]) == before:
            self.fired[armed] = before

    def _fire(self, due: DueTimer) -> None:
        ask: Ask[Any] | None
        if is_return(due.stream):
            decider: Any = RETURNS
            ask = timers.ask_of_return(due, self.decisions, self.facts, POLICIES)
        else:
            decider = LEDGERS
            ask = timers.ask_of_ledger(due, self.decisions, POLICIES)
        if ask is None:
            return
        ask = replace(ask, cause=self.new_id())
        with suppress(Refused):
            self.decide(decider, ask)

    # --- Remedies

    def waits(self, remedy: WaitingRemedy) -> None:
        self.remedies[remedy.told.remedy_id] = (remedy, self.now)

    def carry_out(self, remedy_id: str) -> None:
        remedy, _ = self.remedies[remedy_id]
        asks = carried(self.decisions, remedy, self.facts, POLICIES)
        if asks is None:
            self.remedies[remedy_id] = (remedy, self.now + AGAIN_AFTER)
            return
        for _ in self._ask(asks):
            pass
        del self.remedies[remedy_id]

    def closes(self, dispute_id: str) -> None:
        """Its dispute ends; what was contested in vain is to be sent back from now on."""
        row = self.disputes[dispute_id]
        self.disputes[dispute_id] = replace(row, is_open=False, closed_at=self.now)
        stream = return_stream(row.return_id) if row.return_id else ""
        self.fired = {each: n for each, n in self.fired.items() if each.stream != stream}

    # --- Time

    def passes(self, span: timedelta) -> None:
        self.now += span


def at_once[T](coroutine: Coroutine[Any, Any, T]) -> T:
    """Of something that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    raise AssertionError("it waits for something")
