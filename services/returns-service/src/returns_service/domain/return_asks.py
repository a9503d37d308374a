"""A deadline of a return that has passed in, the command that it asks for out."""

from collections.abc import Callable, Mapping

from msgspec import Struct
from shared_casework.overdue import NoteOverdue

from returns_service.domain.approving import ApproveReturn
from returns_service.domain.cancelling import CancelReturn
from returns_service.domain.ending import CloseReturn
from returns_service.domain.exchanging import RecordReplacementDelivered
from returns_service.domain.inspecting import AcceptByDefault
from returns_service.domain.losing import RecordLoss
from returns_service.domain.offering import LapseOffer
from returns_service.domain.reserving import FallBackToRefund, ReserveReplacement
from returns_service.domain.return_state import Return
from returns_service.domain.return_timers import Deadline, Name
from returns_service.domain.sending_back import AcceptKept
from returns_service.domain.shipping_back import ExpireReturn
from returns_service.domain.unreturned import MarkUnreturned

NO_ARTICLE = "none"
"""In the place of the article that there is none of."""


def label_overdue(passed: Deadline, matter: Return) -> NoteOverdue:
    return NoteOverdue(what="LABEL", ref_id=matter.return_id, due_at=passed.due)


def no_stock(passed: Deadline, matter: Return) -> ReserveReplacement:
    """Who does not answer has none."""
    sku = matter.requested.replacement_sku if matter.requested else None
    return ReserveReplacement(units=passed.units, sku=sku or NO_ARTICLE, stock=0)


ASKS: Mapping[Name, Callable[[Deadline, Return], Struct]] = {
    "DRAFT_END": lambda _, __: CancelReturn(),
    "RETURN_ANSWER": lambda _, __: ApproveReturn(),
    "OFFER_DUE": lambda _, __: LapseOffer(),
    "LABEL_DUE": label_overdue,
    "SHIP_BY": lambda _, __: ExpireReturn(),
    "TRANSIT_MAX": lambda passed, _: RecordLoss(units=passed.units),
    "INSPECT_DUE": lambda _, __: AcceptByDefault(),
    "WITHDRAWAL_REFUND": lambda _, __: AcceptByDefault(),
    "STOCK_ANSWER": no_stock,
    "DIFFERENCE_DUE": lambda _, __: FallBackToRefund(reason="UNPAID"),
    "REPLACEMENT_DUE": lambda _, __: FallBackToRefund(reason="NOT_SHIPPED"),
    "REPLACEMENT_ARRIVED": lambda passed, _: RecordReplacementDelivered(
        units=passed.units, assumed=True
    ),
    "ORIGINAL_DUE": lambda _, __: MarkUnreturned(),
    "CONTEST_END": lambda _, __: CloseReturn(),
    "SEND_BACK": lambda _, __: AcceptKept(),
}


def asked_of_return(passed: Deadline, matter: Return) -> Struct:
    return ASKS[passed.name](passed, matter)
