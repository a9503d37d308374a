"""The commands of asking for a return and deciding about it, in the order of its life."""

from shared_events.returns import ReturnEvent
from shared_runtime.rules import Row

from returns_service.domain.approving import APPROVE_RETURN
from returns_service.domain.cancelling import CANCEL_RETURN
from returns_service.domain.contesting import CONTEST_RETURN
from returns_service.domain.declining import DECLINE_RETURN
from returns_service.domain.known import Known
from returns_service.domain.labelling import ISSUE_LABEL
from returns_service.domain.offering import ANSWER_OFFER, LAPSE_OFFER, OFFER_PARTIAL_REFUND
from returns_service.domain.remedy_returns import ATTACH_REMEDY, OPEN_REMEDY_RETURN
from returns_service.domain.return_overdue import NOTE_RETURN_OVERDUE
from returns_service.domain.return_request import REQUEST_RETURN
from returns_service.domain.return_state import ReturnState
from returns_service.domain.withdrawing import (
    ASK_FOR_GOODS,
    CONFIRM_WITHDRAWAL,
    DECLARE_WITHDRAWAL,
)

ASKING: tuple[Row[ReturnState, Known, ReturnEvent], ...] = (
    REQUEST_RETURN,
    OPEN_REMEDY_RETURN,
    ATTACH_REMEDY,
    DECLARE_WITHDRAWAL,
    CONFIRM_WITHDRAWAL,
    ASK_FOR_GOODS,
    APPROVE_RETURN,
    DECLINE_RETURN,
    OFFER_PARTIAL_REFUND,
    ANSWER_OFFER,
    LAPSE_OFFER,
    ISSUE_LABEL,
    CONTEST_RETURN,
    CANCEL_RETURN,
    NOTE_RETURN_OVERDUE,
)
