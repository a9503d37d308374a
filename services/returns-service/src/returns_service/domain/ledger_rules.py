"""The ledger of an order: every command that it knows, in the order of a refund's life."""

from typing import Any

from shared_events.returns import RefundEvent
from shared_runtime.decider import Decider
from shared_runtime.rule import Sent
from shared_runtime.rules import Rules

from returns_service.domain.bearing import MOVE_COST
from returns_service.domain.bouncing import BOUNCE_REFUND
from returns_service.domain.confirming import CONFIRM_REFUND
from returns_service.domain.failing import FAIL_REFUND, RETRY_REFUND
from returns_service.domain.goodwill import GIVE_GOODWILL
from returns_service.domain.known import Known
from returns_service.domain.ledger_fold import evolve
from returns_service.domain.ledger_state import LedgerState, Unopened
from returns_service.domain.opening import OPEN_LEDGER
from returns_service.domain.outside import RECORD_OUTSIDE_REFUND, UNDO_OUTSIDE_REFUND
from returns_service.domain.overdue import NOTE_OVERDUE
from returns_service.domain.reissuing import REISSUE_REFUND
from returns_service.domain.replacing import REPLACE_UNITS
from returns_service.domain.requesting import REQUEST_REFUND
from returns_service.domain.resolving import RESOLVE_REFUND

LEDGER_RULES = Rules[LedgerState, Known, RefundEvent](
    OPEN_LEDGER,
    REQUEST_REFUND,
    GIVE_GOODWILL,
    CONFIRM_REFUND,
    FAIL_REFUND,
    RETRY_REFUND,
    RESOLVE_REFUND,
    REISSUE_REFUND,
    BOUNCE_REFUND,
    RECORD_OUTSIDE_REFUND,
    UNDO_OUTSIDE_REFUND,
    REPLACE_UNITS,
    MOVE_COST,
    NOTE_OVERDUE,
)

type LedgerCommand = Sent[Any, Known]

LEDGERS = Decider[LedgerState, LedgerCommand, RefundEvent](
    initial=Unopened(), decide=LEDGER_RULES.decide, evolve=evolve
)
