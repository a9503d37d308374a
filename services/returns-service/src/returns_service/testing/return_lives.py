"""What people, carriers and ports may do in, whole lives of returns out: for laws of any history.

Between the acts every deadline is met at its instant; what is refused changes nothing. The ledger
answers at once whatever it is asked, and a contest comes to nothing within `DISPUTE`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from shared_events.registry import encode_data
from shared_events.returns import (
    ReturnContested,
    ReturnEvent,
)
from shared_runtime.decider import Actor, Refused

from returns_service.domain.approving import ApproveReturn
from returns_service.domain.cancelling import CancelReturn
from returns_service.domain.contesting import ContestReturn
from returns_service.domain.declining import DeclineReturn
from returns_service.domain.ending import CloseReturn
from returns_service.domain.exchanging import RecordReplacementDelivered, ShipReplacement
from returns_service.domain.inspecting import InspectedUnit, InspectUnits
from returns_service.domain.known import ContestEnd, GivenBack, RefundFacts
from returns_service.domain.labelling import IssueLabel
from returns_service.domain.losing import RecordLoss
from returns_service.domain.offering import AnswerOffer, OfferPartialRefund
from returns_service.domain.policy import policies
from returns_service.domain.receiving import FoundUnit, ReceiveUnits
from returns_service.domain.reserving import RecordDifferencePaid, ReserveReplacement
from returns_service.domain.return_asks import asked_of_return
from returns_service.domain.return_rules import RETURNS
from returns_service.domain.return_state import Piece, Return
from returns_service.domain.return_timers import Deadline, return_deadlines
from returns_service.domain.scanning import RecordScan
from returns_service.domain.sending_back import SendBackUnits, WaiveGoods
from returns_service.domain.shipping_back import ShipBack
from returns_service.domain.withdrawing import AskForGoods
from returns_service.testing import BUYER, DAY, SELLER, SYSTEM
from returns_service.testing.returns import (
    FILE,
    at,
    authorized,
    fast,
    requested,
    return_of,
    reviewed,
    say,
    withdrawn,
    words,
)

BEGUN = at(5)
DISPUTE = 20 * DAY
FIRED_MAX = 60
"""Far more deadlines than a return has: everybody is silent meanwhile."""
U, V = "1/1", "1/2"
SWAP: dict[str, Any] = {"kind": "EXCHANGE", "wants": "EXCHANGE"}
GIVES_GOODS: dict[str, Any] = {"kind": "CLAIM", "goods_back": False, "ship_by": None}
ORDERED: dict[str, Any] = {
    "kind": "CLAIM",
    "wants": "REPLACEMENT",
    "origin": "DISPUTE",
    "remedy_id": "RM-1",
    "liable": "SELLER",
    "seller_at_fault": True,
}

STORIES: Mapping[str, tuple[ReturnEvent, ...]] = {
    "asked": (requested(U, V), reviewed(at(9))),
    "begun": (requested(U, V), authorized(U, V)),
    "exchange asked": (requested(U, V, **SWAP), reviewed(at(9))),
    "exchange": (requested(U, V, **SWAP), authorized(U, V, kind="EXCHANGE")),
    "fast": fast(U, V),
    "fast exchange": fast(U, V, **SWAP),
    "withdrawn": withdrawn(U, V),
    "withdrawn, not sent": withdrawn(U, V, goods_back=False),
    "claim asked": (requested(U, V, kind="CLAIM", asked_minor=1000), reviewed(at(9))),
    "claim": (requested(U, V, kind="CLAIM"), authorized(U, V, **GIVES_GOODS, amount_minor=700)),
    "claim of another": (
        requested(U, V, kind="CLAIM", wants="REPLACEMENT"),
        authorized(U, V, **GIVES_GOODS, stock_due=at(7)),
    ),
    "ordered claim": (
        requested(U, V, **ORDERED),
        authorized(U, V, **GIVES_GOODS, stock_due=at(7)),
    ),
}


type Doing = tuple[Struct, Actor]
"""What is said, and by whom."""


class Act(Struct, frozen=True):
    """Somebody does this, so many hours after what was before."""

    doing: Doing
    hours: int


class Step(Struct, frozen=True):
    """What was recorded at once, and when."""

    now: datetime
    events: tuple[ReturnEvent, ...]


class Life(Struct, frozen=True, kw_only=True):
    """A return up to some instant. `contested`: from when on a dispute of a piece is closed."""

    begun: tuple[ReturnEvent, ...]
    steps: tuple[Step, ...] = ()
    now: datetime = BEGUN
    contested: Mapping[str, datetime] = {}
    met: frozenset[Deadline] = frozenset()

    @property
    def events(self) -> tuple[ReturnEvent, ...]:
        return (*self.begun, *(event for step in self.steps for event in step.events))

    @property
    def state(self) -> Return:
        return return_of(self.events)


def lived(begun: tuple[ReturnEvent, ...], acts: Iterable[Act]) -> Life:
    life = decided(Life(begun=begun), CloseReturn(), SYSTEM)
    for act in acts:
        now = life.now + timedelta(hours=act.hours)
        life = after(replace(met(life, now), now=now), *act.doing)
    return life


def after(life: Life, said: Struct, actor: Actor) -> Life:
    """With what the ledger answers, and the end that this may bring."""
    told = decided(life, said, actor)
    return decided(told, CloseReturn(), SYSTEM) if told != life else life


def decided(life: Life, said: Struct, actor: Actor) -> Life:
    command = say(said, life.now, actor, refunds=ledger_of(life), contests=ends_of(life))
    try:
        events = tuple(RETURNS.decide(life.state, command))
    except Refused:
        return life
    for event in events:
        encode_data(event)  # the log would take it
    ends = {
        unit: life.now + DISPUTE
        for event in events
        if isinstance(event, ReturnContested)
        for unit in event.units
    }
    steps = (*life.steps, Step(life.now, events)) if events else life.steps
    return replace(life, steps=steps, contested={**life.contested, **ends})


# --- What the others would tell


def ledger_of(life: Life) -> RefundFacts:
    state = life.state
    units = [piece.unit for piece in state.pieces.values() if is_refunded(state, piece)]
    given = tuple(GivenBack(units={unit: 5399}) for unit in units)
    return RefundFacts(answered=frozenset(units), given=given, total_minor=5399 * len(units))


def is_refunded(state: Return, piece: Piece) -> bool:
    """Whether the money of a piece was asked for by now."""
    if piece.left == "KEPT" or state.is_advanced(piece):
        return True
    if piece.stays:
        return not piece.replacement and not state.wants_replacement(piece)
    accepted = piece.acceptance == "ACCEPTED" or piece.contested_as == "DEDUCTION"
    return accepted and not piece.replacement and not state.wants_replacement(piece)


def ends_of(life: Life) -> dict[str, ContestEnd]:
    return {
        unit: ContestEnd(closed_at=end, remedied=False)
        for unit, end in life.contested.items()
        if end <= life.now
    }


# --- Deadlines


def met(life: Life, until: datetime) -> Life:
    """Every deadline up to an instant, each at its own."""
    for _ in range(FIRED_MAX):
        passed = next_deadline(life)
        if passed is None or passed.due > until:
            return life
        now = max(passed.due, life.now)
        fired = after(replace(life, now=now), asked_of_return(passed, life.state), SYSTEM)
        if passed.name != "CONTEST_END":  # of which other pieces may wait for something else
            assert len(fired.steps) > len(life.steps), f"{passed} leads nowhere"
        life = replace(fired, met=life.met | {passed})
    raise AssertionError("deadlines without an end")


def next_deadline(life: Life) -> Deadline | None:
    ends = {unit: ContestEnd(closed_at=end, remedied=False) for unit, end in life.contested.items()}
    dues = return_deadlines(life.state, policies(), ends)
    left = [each for each in dues if each not in life.met]
    return min(left, key=lambda each: each.due, default=None)


def in_silence(life: Life) -> Life:
    """Nobody does anything any more."""
    return met(life, life.now + timedelta(days=3650))


# --- What can be done


def all_of(*units: str) -> Sequence[Doing]:
    """With these pieces."""
    photo: dict[str, Any] = {"photos": (words("photo"),), "photos_sha256": (FILE,)}
    found = [
        ReceiveUnits(
            units=tuple(FoundUnit(unit=unit, reception=reception) for unit in units), **photo
        )
        for reception in ("RECEIVED", "WRONG_ITEM", "SHORT")
    ]
    verdicts: list[dict[str, Any]] = [
        {"verdict": "ACCEPTED", "grade": "A"},
        {"verdict": "ACCEPTED", "grade": "C", "deduction_milli": 250},
        {"verdict": "REJECTED", "reason": "USED"},
        {"verdict": "REJECTED", "reason": "SHORT"},
        {"verdict": "REJECTED", "reason": "WRONG_ITEM"},
        {"verdict": "REJECTED", "reason": "LATE"},
    ]
    judged = [
        InspectUnits(units=tuple(InspectedUnit(unit=unit, **told) for unit in units), **photo)
        for told in verdicts
    ]
    stock = [
        ReserveReplacement(units=units, sku="size-43", stock=there, difference_minor=difference)
        for there, difference in ((0, 0), (4, 0), (4, 501), (4, -300))
    ]
    lost = [RecordLoss(units=units, told=told) for told in (True, False)]
    contests = [
        ContestReturn(ground=ground, units=units, text=words("contest"))
        for ground in ("DECLINED", "REJECTED", "LOST", "DEDUCTION")
    ]
    arrived = RecordReplacementDelivered(units=units)
    ships = ShipReplacement(units=units, tracking_id="T-9")
    back = SendBackUnits(units=units, tracking_id="T-3")
    sends = [ShipBack(units=units, tracking_id=by) for by in ("T-1", "OWN")]
    posted = ShipBack(units=units, tracking_id="OWN", proof_sha256=FILE)
    return [
        *((each, actor) for each in (*found, *judged) for actor in (SELLER, SYSTEM)),
        *((each, SYSTEM) for each in (*stock, *lost, arrived, ships, back)),
        *((each, BUYER) for each in (*contests, *sends, posted, arrived, WaiveGoods(units=units))),
        *((each, SELLER) for each in (ships, back)),
    ]


def scans(*units: str) -> Sequence[Doing]:
    return [
        (RecordScan(kind=kind, units=units, scanned_at=at(day), tracking_id="T-1"), SYSTEM)
        for kind in ("HANDED_OVER", "DELIVERED_BACK")
        for day in (6, 16, 40)
    ]


LABEL = IssueLabel(label_id="L-1", carrier="DHL", tracking_id="T-1", cost_minor=390, currency="EUR")
DECIDING: Sequence[Doing] = [
    (ApproveReturn(), SELLER),
    (DeclineReturn(code="OTHER", note=words("note")), SELLER),
    (OfferPartialRefund(offer_id="OF-1", amount_minor=700, currency="EUR"), SELLER),
    (AnswerOffer(offer_id="OF-1", accept=True), BUYER),
    (CancelReturn(), BUYER),
    (LABEL, SYSTEM),
    (AskForGoods(), SYSTEM),
    (RecordDifferencePaid(payment_ref="pay-1"), SYSTEM),
]
DOING: Sequence[Doing] = [
    *DECIDING,
    *(each for units in ((U,), (V,), (U, V)) for each in (*all_of(*units), *scans(*units))),
]
