"""Points cap a level at once, protections keep the one that was shown; no mean moves."""

from datetime import datetime, timedelta

from msgspec import Struct
from reputation_service.domain.account import ScoredAccount
from reputation_service.domain.account_rules import ACCOUNTS
from reputation_service.domain.conduct import AssessConduct
from reputation_service.domain.facts import micros
from reputation_service.domain.level import SellerLevel
from reputation_service.domain.penalties import ReversePenalty
from reputation_service.domain.policy import DEFAULT
from reputation_service.domain.replay import Replayed
from reputation_service.testing import at, opened, penalty, say
from reputation_service.testing.histories import (
    DAY,
    START,
    a_log,
    account,
    credited,
    ids,
    penalised,
    protected,
    reversed_,
    reviewed,
    tell,
)
from shared_events.reputation import (
    AccountEvent,
    ConductAssessed,
    PenaltyApplied,
    PenaltyReversed,
)
from shared_runtime.testing import InMemoryLog, ManualClock, facts, play, stream_for

TICK = timedelta(microseconds=1)


class Seller:
    """S1, who has had thirty good reviews five weeks ago, and what is recorded of him since."""

    def __init__(self) -> None:
        self.clock = ManualClock(START - 35 * DAY)
        self.log = InMemoryLog(now=self.clock)
        self.known = Replayed(DEFAULT.sla)

    async def tell(self, *events: Struct, at: datetime) -> None:
        self.clock.at = at
        for number, event in enumerate(events):
            stream = stream_for(event, f"{at.timestamp()}-{number}")
            for recorded in await self.log.append(facts(stream, event, at=at)):
                self.known.take(recorded)

    def account(self, at: datetime) -> ScoredAccount:
        (found,) = self.known.accounts(micros(at), DEFAULT)
        return found

    def level(self, at: datetime) -> SellerLevel:
        return self.account(at).standing(DEFAULT).level


async def a_golden_seller() -> Seller:
    seller = Seller()
    reviews = [reviewed(ids(n, "S1"), START - 35 * DAY) for n in range(90)]
    await seller.tell(*reviews, at=START - 35 * DAY)
    assert seller.level(START).real == "GREEN"
    return seller


async def test_a_penalty_caps_the_level_from_its_instant_to_its_end() -> None:
    seller = await a_golden_seller()
    await seller.tell(penalised("S1", "l1", START, 24, days=30), at=START)
    assert seller.level(START - TICK).real == "GREEN"
    assert (seller.level(START).real, seller.level(START).balance) == ("YELLOW", 76)
    ends = START + 30 * DAY
    assert seller.level(ends - TICK).real == "YELLOW"
    assert (seller.level(ends).real, seller.level(ends).balance) == ("GREEN", 100)
    assert seller.account(START).changes_at == micros(ends)
    assert seller.account(ends).changes_at is None


async def test_a_reversal_restores_everything_and_the_past_shows_both() -> None:
    seller = await a_golden_seller()
    before = seller.account(START).standing(DEFAULT).score
    await seller.tell(penalised("S1", "l1", START, 45), at=START)
    appealed = START + 3 * DAY
    await seller.tell(reversed_("S1", "l1", 45), at=appealed)
    assert seller.level(appealed - TICK).real == "ORANGE"
    assert (seller.level(appealed).real, seller.level(appealed).balance) == ("GREEN", 100)
    assert seller.account(START).standing(DEFAULT).score == before
    assert seller.account(appealed).changes_at is None


async def test_a_credit_lifts_the_balance_until_it_ends() -> None:
    seller = await a_golden_seller()
    await seller.tell(penalised("S1", "l1", START, 24, days=300), at=START)
    given = START + 90 * DAY
    await seller.tell(credited("S1", given, 6, days=60), at=given)
    assert [seller.level(given + late).balance for late in (-TICK, timedelta(0))] == [76, 82]
    ends = given + 60 * DAY
    assert [seller.level(ends + late).balance for late in (-TICK, timedelta(0))] == [82, 76]


async def test_a_period_that_brought_no_points_is_no_credit() -> None:
    seller = await a_golden_seller()
    await seller.tell(credited("S1", START, 0), at=START)
    assert seller.level(START).balance == 100


async def test_a_protection_keeps_the_public_level_of_its_instant() -> None:
    seller = await a_golden_seller()
    await seller.tell(protected("S1", START + 20 * DAY), at=START)
    later = START + DAY
    await seller.tell(penalised("S1", "l1", later, 24), at=later)
    level = seller.level(later)
    assert (level.real, level.public) == ("YELLOW", "GREEN")
    assert level.protected_until == micros(START + 20 * DAY)
    assert seller.level(START + 20 * DAY).public == "YELLOW"


async def test_a_protection_that_begins_under_another_keeps_what_was_shown() -> None:
    seller = await a_golden_seller()
    await seller.tell(protected("S1", START + 20 * DAY), at=START)
    await seller.tell(penalised("S1", "l1", START + DAY, 24), at=START + DAY)
    await seller.tell(protected("S1", START + 40 * DAY), at=START + 2 * DAY)
    at = START + 30 * DAY
    assert (seller.level(at).real, seller.level(at).public) == ("YELLOW", "GREEN")


async def test_no_protection_hides_that_somebody_is_critical() -> None:
    seller = await a_golden_seller()
    await seller.tell(protected("S1", START + 20 * DAY), at=START)
    await seller.tell(penalised("S1", "l1", START + DAY, 61), at=START + DAY)
    level = seller.level(START + DAY)
    assert (level.real, level.public) == ("RED", "RED")


async def test_who_was_not_rated_at_the_grant_has_no_level_to_keep() -> None:
    seller = Seller()
    await seller.tell(protected("S1", START + 90 * DAY), at=START - 60 * DAY)
    reviews = [reviewed(ids(n, "S1"), START - 35 * DAY, stars=1) for n in range(90)]
    await seller.tell(*reviews, at=START - 35 * DAY)
    level = seller.level(START)
    assert level.real == level.public == "RED"


async def test_the_points_of_a_buyer_are_no_sellers() -> None:
    seller = await a_golden_seller()
    said = penalised("S1", "l1", START, 45)
    of_buyer = account("S1") | {"account_kind": "BUYER", "seller_id": None, "buyer_id": "S1"}
    fields = {name: getattr(said, name) for name in said.__struct_fields__ if name not in of_buyer}
    await seller.tell(PenaltyApplied(**of_buyer, **fields), at=START)
    assert seller.level(START).balance == 100


async def test_an_order_of_events_that_tells_the_reversal_first_says_the_same() -> None:
    told = await tell(
        penalised("S1", "l1", START, 45),
        reversed_("S1", "l1", 45),
        reviewed(ids(1, "S1"), START),
        log=a_log(),
    )
    known = Replayed(DEFAULT.sla)
    for recorded in reversed(told):
        known.take(recorded)
    (found,) = known.accounts(micros(START + DAY), DEFAULT)
    assert found.standing(DEFAULT).level.balance == 100


async def test_the_balance_that_caps_a_level_is_the_one_that_the_account_tells() -> None:
    seller = Seller()
    await seller.tell(reviewed(ids(0, "S1"), at()), at=at())
    told: list[AccountEvent] = []
    balances: list[int] = []
    for command in (
        opened(),
        say(penalty("P1", 12), now=at(1)),
        say(penalty("P2", 24), now=at(5)),
        say(ReversePenalty(penalty_id="P1", reason="APPEAL_REVERSED"), now=at(9)),
        say(AssessConduct(orders_completed=1_000, violations=0), now=at(100)),
    ):
        done = play(ACCOUNTS, [command], told)
        told += done.events
        await seller.tell(*done.events, at=command.by.now)
        for event in done.events:
            if isinstance(event, PenaltyApplied | PenaltyReversed | ConductAssessed):
                balances.append(event.balance_after)
                assert seller.level(command.by.now).balance == event.balance_after
    assert balances[:3] == [88, 64, 76]
    assert balances[3] > 76
