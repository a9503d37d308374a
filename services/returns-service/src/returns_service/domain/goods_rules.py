"""The commands about the way of the goods and what comes in their place, in the order of their
life.
"""

from shared_events.returns import ReturnEvent
from shared_runtime.rules import Row

from returns_service.domain.ending import CLOSE_RETURN
from returns_service.domain.exchanging import RECORD_REPLACEMENT_DELIVERED, SHIP_REPLACEMENT
from returns_service.domain.inspecting import ACCEPT_BY_DEFAULT, INSPECT_UNITS
from returns_service.domain.known import Known
from returns_service.domain.losing import RECORD_LOSS
from returns_service.domain.receiving import RECEIVE_UNITS
from returns_service.domain.recovering import CONFIRM_UNRECOVERED
from returns_service.domain.reserving import (
    FALL_BACK_TO_REFUND,
    RECORD_DIFFERENCE_PAID,
    RESERVE_REPLACEMENT,
)
from returns_service.domain.return_state import ReturnState
from returns_service.domain.scanning import RECORD_SCAN
from returns_service.domain.sending_back import ACCEPT_KEPT, SEND_BACK_UNITS, WAIVE_GOODS
from returns_service.domain.shipping_back import EXPIRE_RETURN, SHIP_BACK
from returns_service.domain.unreturned import MARK_UNRETURNED

GOODS: tuple[Row[ReturnState, Known, ReturnEvent], ...] = (
    SHIP_BACK,
    RECORD_SCAN,
    EXPIRE_RETURN,
    RECORD_LOSS,
    RECEIVE_UNITS,
    INSPECT_UNITS,
    ACCEPT_BY_DEFAULT,
    CONFIRM_UNRECOVERED,
    RESERVE_REPLACEMENT,
    RECORD_DIFFERENCE_PAID,
    SHIP_REPLACEMENT,
    RECORD_REPLACEMENT_DELIVERED,
    FALL_BACK_TO_REFUND,
    MARK_UNRETURNED,
    SEND_BACK_UNITS,
    WAIVE_GOODS,
    ACCEPT_KEPT,
    CLOSE_RETURN,
)
