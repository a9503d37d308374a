"""Cases from the field about goods on their way back, from the request to the end."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from returns_service.domain.approving import ApproveReturn
from returns_service.domain.ending import CloseReturn
from returns_service.domain.exchanging import RecordReplacementDelivered, ShipReplacement
from returns_service.domain.inspecting import AcceptByDefault, InspectedUnit, InspectUnits
from returns_service.domain.labelling import IssueLabel
from returns_service.domain.losing import RecordLoss
from returns_service.domain.receiving import FoundUnit, ReceiveUnits
from returns_service.domain.requesting import AskedUnit, NothingReceived, RequestRefund
from returns_service.domain.reserving import ReserveReplacement
from returns_service.domain.return_request import RequestReturn
from returns_service.domain.return_rules import ReturnCommand
from returns_service.domain.scanning import RecordScan
from returns_service.domain.sending_back import AcceptKept, SendBackUnits
from returns_service.domain.shipping_back import ShipBack
from returns_service.domain.wanted import WantedLine
from returns_service.testing import BUYER, SELLER, SYSTEM, asks, opened
from returns_service.testing import played as ledger_played
from returns_service.testing import say as to_ledger
from returns_service.testing.returns import (
    DAY,
    FILE,
    WAREHOUSE,
    at,
    history,
    kinds,
    refunded,
    return_of,
    say,
    words,
)
from shared_events.returns import (
    AdvanceUnrecovered,
    ReturnClosed,
    ReturnEvent,
    ReturnExpired,
    UnitsAccepted,
    UnitsLost,
    UnitsReceived,
    UnitsRejected,
)
from shared_runtime.decider import Actor

U, V, W = "1/1", "1/2", "1/3"
PHOTO: dict[str, Any] = {"photos": (words("photo"),), "photos_sha256": (FILE,)}
LABEL = IssueLabel(label_id="L-1", carrier="DHL", tracking_id="T-1", cost_minor=390, currency="EUR")


def on(day: int) -> datetime:
    """Noon of that day of March."""
    return at(day, 12)


def requests(quantity: int, **told: Any) -> RequestReturn:  # noqa: ANN401 - any field
    said: dict[str, Any] = {
        "return_id": "RT-1",
        "kind": "RETURN",
        "lines": (WantedLine(line_id="1", quantity=quantity),),
        "reason": "NOT_AS_DESCRIBED",
        "wants": "REFUND",
    }
    return RequestReturn(**(said | told))


def fast(**told: Any) -> RequestReturn:  # noqa: ANN401 - any field
    shown: dict[str, Any] = {"media": (words("media"),), "media_sha256": (FILE,)}
    return requests(1, reason="DAMAGED", **(shown | told))


def arrives(*units: str, surplus: int = 0, **found: Any) -> ReceiveUnits:  # noqa: ANN401
    """`found`: what came in the place of one, as `w="SHORT"`, which is photographed."""
    as_found = {{"u": U, "v": V, "w": W}[name]: told for name, told in found.items()}
    return ReceiveUnits(
        units=tuple(FoundUnit(unit=u, reception=as_found.get(u, "RECEIVED")) for u in units),
        surplus=surplus,
        **(PHOTO if found else {}),
    )


def good(*units: str) -> tuple[InspectedUnit, ...]:
    return tuple(InspectedUnit(unit=u, verdict="ACCEPTED", grade="A") for u in units)


def bad(unit: str, reason: Any) -> tuple[InspectedUnit, ...]:  # noqa: ANN401 - a word
    return (InspectedUnit(unit=unit, verdict="REJECTED", reason=reason),)


def handed_over(*units: str, day: int = 5) -> RecordScan:
    return RecordScan(kind="HANDED_OVER", units=units, scanned_at=on(day), tracking_id="T-1")


def tale(
    *said: tuple[Struct, datetime, Actor] | tuple[Struct, datetime, Actor, dict[str, Any]],
    after: Sequence[ReturnEvent] = (),
) -> tuple[ReturnEvent, ...]:
    """What comes of all that was said, after these events; none of it is refused."""
    commands: list[ReturnCommand] = []
    for command, now, actor, *known in said:
        commands.append(say(command, now, actor, **(known[0] if known else {})))
    return history(*commands, after=after)


def then(
    before: Sequence[ReturnEvent],
    said: Struct,
    now: datetime,
    actor: Actor,
    **known: Any,  # noqa: ANN401 - any fact
) -> list[ReturnEvent]:
    return [*tale((said, now, actor, known), after=before)[len(before) :]]


def under_way(quantity: int = 3) -> tuple[ReturnEvent, ...]:
    units = (U, V, W)[:quantity]
    return tale(
        (requests(quantity), on(3), BUYER),
        (ApproveReturn(), on(4), SELLER),
        (ShipBack(units=units, tracking_id="OWN"), on(5), BUYER),
    )


def test_g01_three_announced_and_two_arrived() -> None:
    sent = under_way()
    received = then(sent, arrives(U, V, W, w="SHORT"), on(10), SELLER)
    assert kinds(received) == ["UnitsReceived"]
    assert return_of((*sent, *received)).status == "PARTLY_RECEIVED"
    said = InspectUnits(units=(*good(U, V), *bad(W, "SHORT")))
    judged = then((*sent, *received), said, on(11), SELLER)
    assert kinds(judged) == ["UnitsAccepted", "UnitsRejected"]
    rejection = judged[1]
    assert isinstance(rejection, UnitsRejected)
    assert (rejection.contest_until, rejection.send_back_until) == (on(18), None)

    of_two = ledger_played(opened(), to_ledger(asks("f-1", U, V)))
    assert of_two.events[-1].remaining_minor == 5400
    of_the_third = RequestRefund(
        refund_id="f-2", source="RETURN", source_id="RT-1", units=(AskedUnit(unit=W),)
    )
    ledger_played(opened(), to_ledger(of_the_third)).then_refused(NothingReceived)


def test_g36_one_thing_more_was_in_the_parcel() -> None:
    sent = under_way(2)
    received = then(sent, arrives(U, V, surplus=1), on(10), SELLER)
    (noted,) = received
    assert isinstance(noted, UnitsReceived)
    assert (noted.surplus, [each.unit for each in noted.units]) == (1, [U, V])
    done = then((*sent, *received), InspectUnits(units=good(U, V)), on(11), SELLER)
    both = refunded(U, V, total=10798)
    (closed,) = then((*sent, *received, *done), CloseReturn(), on(12), SYSTEM, refunds=both)
    assert isinstance(closed, ReturnClosed)
    assert [each.unit for each in closed.units] == [U, V]


def test_g28_goods_that_came_without_authorization() -> None:
    asked = tale((requests(1), on(3), BUYER))
    came = then(asked, arrives(U), on(4), SELLER)
    (noted,) = came
    assert isinstance(noted, UnitsReceived)
    assert (noted.unasked, noted.inspect_by) == (True, None)
    approved = then((*asked, *came), ApproveReturn(), on(5), SELLER)
    assert kinds(approved) == ["ReturnAuthorized"]
    whole = (*asked, *came, *approved)
    assert kinds(then(whole, InspectUnits(units=good(U)), on(6), SELLER)) == ["UnitsAccepted"]
    assert kinds(then(whole, AcceptByDefault(), on(7), SYSTEM)) == ["UnitsAccepted"]


def exchanged() -> tuple[ReturnEvent, ...]:
    swap = requests(1, kind="EXCHANGE", wants="EXCHANGE", replacement_sku="size-43")
    return tale((swap, on(3), BUYER), (ApproveReturn(), on(4), SELLER), (LABEL, on(4), SYSTEM))


def test_g26_a_lost_parcel_comes_back_after_the_replacement() -> None:
    begun = exchanged()
    lost = then(begun, handed_over(U), on(5), SYSTEM)
    lost += then((*begun, *lost), RecordLoss(units=(U,), told=True), on(20), SYSTEM)
    assert kinds(lost) == ["ReturnScanned", "UnitsLost", "UnitsAccepted"]
    stock = ReserveReplacement(units=(U,), sku="size-43", stock=4)
    there = tale(
        (stock, on(20), SYSTEM),
        (ShipReplacement(units=(U,), tracking_id="T-9"), on(21), SELLER),
        (RecordReplacementDelivered(units=(U,)), on(23), SYSTEM),
        after=(*begun, *lost),
    )
    assert kinds(there)[-1] == "ReturnClosed"
    (noted,) = then(there, arrives(U), on(40), SELLER)
    assert isinstance(noted, UnitsReceived)
    assert noted.inspect_by is None
    assert then((*there, noted), stock, on(41), SYSTEM) == []
    assert then((*there, noted), AcceptByDefault(), on(50), SYSTEM) == []


def test_g29_and_g30_an_exchange_with_and_without_stock() -> None:
    accepted = tale(
        (arrives(U), on(9), SELLER),
        (InspectUnits(units=good(U)), on(10), SELLER),
        after=exchanged(),
    )
    none = ReserveReplacement(units=(U,), sku="size-43", stock=0)
    fallen = then(accepted, none, on(10), SYSTEM)
    assert kinds(fallen) == ["ExchangeFellBack"]
    (closed,) = then((*accepted, *fallen), CloseReturn(), on(11), SYSTEM, refunds=refunded(U))
    assert isinstance(closed, ReturnClosed)
    assert (closed.kind, closed.resolution) == ("EXCHANGE", "REFUNDED")
    some = ReserveReplacement(units=(U,), sku="size-43", stock=4, difference_minor=0)
    assert kinds(then(accepted, some, on(10), SYSTEM)) == ["ReplacementReserved"]


def test_g35_money_went_out_at_the_scan_and_the_box_held_something_else() -> None:
    sent = tale((fast(), on(3), BUYER), (LABEL, on(3), SYSTEM), (handed_over(U), on(5), SYSTEM))
    money = refunded(U)
    said = InspectUnits(units=bad(U, "WRONG_ITEM"), **PHOTO)
    wrong = then(sent, said, on(10), WAREHOUSE, refunds=money)
    assert kinds(wrong) == ["UnitsRejected", "AdvanceUnrecovered"]
    owed = wrong[1]
    assert isinstance(owed, AdvanceUnrecovered)
    assert (owed.amount_minor, owed.confirmed) == (5399, True)
    (closed,) = then((*sent, *wrong), CloseReturn(), on(17), SYSTEM, refunds=money)
    assert isinstance(closed, ReturnClosed)
    assert closed.resolution == "REJECTED"


def test_27_and_28_one_of_three_is_lost_and_turns_up_after_the_end() -> None:
    sent = tale(
        (requests(3), on(3), BUYER),
        (ApproveReturn(), on(4), SELLER),
        (LABEL, on(4), SYSTEM),
        (handed_over(U, V, W), on(5), SYSTEM),
        (arrives(U, V), on(8), SELLER),
        (InspectUnits(units=good(U, V)), on(9), SELLER),
    )
    lost = then(sent, RecordLoss(units=(W,), told=True), on(20), SYSTEM)
    assert kinds(lost) == ["UnitsLost", "UnitsAccepted"]
    gone = lost[0]
    assert isinstance(gone, UnitsLost)
    assert gone.covered is True
    money = refunded(U, V, W, total=16197)
    end = then((*sent, *lost), CloseReturn(), on(21), SYSTEM, refunds=money)
    (closed,) = end
    assert isinstance(closed, ReturnClosed)
    assert (closed.resolution, closed.refunded_minor) == ("REFUNDED", 16197)
    late = then((*sent, *lost, *end), arrives(W), on(40), SELLER, refunds=money)
    assert kinds(late) == ["UnitsReceived"]


def test_53_a_seller_who_keeps_rejected_goods_pays() -> None:
    rejected = tale(
        (arrives(U), at(9), SELLER),
        (InspectUnits(units=bad(U, "USED"), **PHOTO), at(10), SELLER),
        after=under_way(1),
    )
    kept = then(rejected, AcceptKept(), at(27), SYSTEM)
    assert kinds(kept) == ["UnitsAccepted"]
    back = SendBackUnits(units=(U,), tracking_id="T-3")
    ended = then(rejected, back, at(20), SELLER)
    assert kinds(ended) == ["UnitsSentBack", "ReturnClosed"]


def test_54_what_was_never_scanned_was_never_handed_over() -> None:
    labelled = tale(
        (requests(1), on(3), BUYER),
        (ApproveReturn(), on(4), SELLER),
        (LABEL, on(4), SYSTEM),
        (ShipBack(units=(U,), tracking_id="T-1"), on(5), BUYER),
    )
    lost_at = on(5) + 45 * DAY
    never = then(labelled, RecordLoss(units=(U,)), lost_at, SYSTEM)
    assert kinds(never) == ["ReturnExpired", "ReturnClosed"]
    assert isinstance(never[0], ReturnExpired)
    seen = (*labelled, *then(labelled, handed_over(U), on(6), SYSTEM))
    paid = then(seen, RecordLoss(units=(U,)), lost_at, SYSTEM)
    assert kinds(paid) == ["UnitsLost", "UnitsAccepted"]


def test_55_what_nobody_inspects_is_judged_as_it_was_received() -> None:
    came = tale((arrives(U, u="WRONG_ITEM"), on(9), SELLER), after=under_way(1))
    (rejection,) = then(came, AcceptByDefault(), on(11), SYSTEM)
    assert isinstance(rejection, UnitsRejected)
    assert (rejection.units[0].reason, rejection.by_default) == ("WRONG_ITEM", True)


def test_57_the_original_of_a_fast_exchange_is_an_empty_box_or_not() -> None:
    swap = fast(kind="EXCHANGE", wants="EXCHANGE", replacement_sku="size-43")
    ahead = tale(
        (swap, on(3), BUYER),
        (LABEL, on(3), SYSTEM),
        (handed_over(U, day=4), on(4), SYSTEM),
        (ReserveReplacement(units=(U,), sku="size-43", stock=4), on(4), SYSTEM),
        (ShipReplacement(units=(U,), tracking_id="T-9"), on(5), SELLER),
        (RecordReplacementDelivered(units=(U,)), on(7), SYSTEM),
    )
    assert return_of(ahead).status == "IN_TRANSIT"
    wrong = then(ahead, InspectUnits(units=bad(U, "WRONG_ITEM"), **PHOTO), on(10), WAREHOUSE)
    (rejection,) = wrong
    assert isinstance(rejection, UnitsRejected)
    assert rejection.send_back_until is None, "the buyer has another one"
    (closed,) = then((*ahead, *wrong), CloseReturn(), on(17), SYSTEM)
    assert isinstance(closed, ReturnClosed)
    assert closed.resolution == "EXCHANGED"
    good_one = then(ahead, InspectUnits(units=good(U)), on(10), WAREHOUSE)
    assert kinds(good_one) == ["UnitsAccepted", "ReturnClosed"]
    assert isinstance(good_one[0], UnitsAccepted)
    assert good_one[0].stock_due is None, "it has its replacement"
