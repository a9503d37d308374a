"""The life of an account: every command that it knows."""

from typing import Any

from shared_events.reputation import AccountEvent
from shared_runtime.decider import Decider
from shared_runtime.rule import Sent
from shared_runtime.rules import Rules

from reputation_service.domain.account_fold import evolve
from reputation_service.domain.account_opening import OPEN_ACCOUNT
from reputation_service.domain.account_state import AccountState, Unopened
from reputation_service.domain.conduct import ASSESS_CONDUCT, EXPIRE_CREDIT
from reputation_service.domain.erasing import REQUEST_ERASURE
from reputation_service.domain.known import Known
from reputation_service.domain.penalties import APPLY_PENALTY, EXPIRE_PENALTY, REVERSE_PENALTY
from reputation_service.domain.protection import END_PROTECTION, GRANT_PROTECTION
from reputation_service.domain.stays import STAY_PENALTY, UNSTAY_PENALTY
from reputation_service.domain.suspension import LIFT_MEASURE, SUSPEND_ACCOUNT
from reputation_service.domain.termination import (
    CANCEL_TERMINATION,
    GIVE_TERMINATION_NOTICE,
    TERMINATE_ACCOUNT,
)

ACCOUNT_RULES = Rules[AccountState, Known, AccountEvent](
    OPEN_ACCOUNT,
    APPLY_PENALTY,
    REVERSE_PENALTY,
    EXPIRE_PENALTY,
    STAY_PENALTY,
    UNSTAY_PENALTY,
    EXPIRE_CREDIT,
    ASSESS_CONDUCT,
    GRANT_PROTECTION,
    END_PROTECTION,
    LIFT_MEASURE,
    SUSPEND_ACCOUNT,
    GIVE_TERMINATION_NOTICE,
    CANCEL_TERMINATION,
    TERMINATE_ACCOUNT,
    REQUEST_ERASURE,
)

type AccountCommand = Sent[Any, Known]

ACCOUNTS = Decider[AccountState, AccountCommand, AccountEvent](
    initial=Unopened(), decide=ACCOUNT_RULES.decide, evolve=evolve
)
