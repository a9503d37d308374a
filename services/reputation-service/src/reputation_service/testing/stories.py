"""Accounts and cases, told command by command, up to each place where they can stand."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from shared_runtime.rule import Sent

from reputation_service.domain.case_appeals import AppealViolation, DecideViolationAppeal
from reputation_service.domain.conduct import AssessConduct
from reputation_service.domain.confirming import ConfirmViolation, DismissCase
from reputation_service.domain.erasing import RequestErasure
from reputation_service.domain.penalties import ReversePenalty
from reputation_service.domain.protection import GrantProtection
from reputation_service.domain.statements import SubmitStatement
from reputation_service.domain.stays import StayPenalty
from reputation_service.domain.suspension import SuspendAccount
from reputation_service.domain.termination import GiveTerminationNotice, TerminateAccount
from reputation_service.testing import (
    ANALYST,
    ANOTHER,
    DAY,
    PRIVACY,
    SELLER,
    SENIOR,
    SENIOR_2,
    at,
    opened,
    penalty,
    say,
    suspected,
    words,
)


class Story(NamedTuple):
    """What was said, and an instant at which more can be."""

    commands: tuple[Sent[Any, Any], ...]
    now: datetime


# --- Accounts

suspend = SuspendAccount(
    case_id="C9",
    ends_at=at(20),
    rule_ids=("SAFE-1",),
    facts=words("facts"),
    explanation="It is not safe.",
)

OPEN = (opened(),)
BUYING = (opened("BUYER"),)
PENALIZED = (*OPEN, say(penalty("P1", 24), now=at()))
RESTRICTED = (*PENALIZED, say(penalty("P2", 24), now=at(1)))
CRITICAL = (*RESTRICTED, say(penalty("P3", 13), now=at(2)))
STAYED = (*RESTRICTED, say(StayPenalty(penalty_id="P1", appeal_id="A1"), now=at(3)))
REDUCED = (*PENALIZED, say(ReversePenalty(penalty_id="P1", reason="APPEAL_REDUCED"), now=at(9)))
CREDITED = (
    *PENALIZED,
    say(AssessConduct(orders_completed=60, violations=0), now=at(90)),
)
PROTECTED = (
    *OPEN,
    say(GrantProtection(until=at(30), reason="FLOOD"), now=at(1), actor=SENIOR),
    say(penalty("P1", 24), now=at(2)),
)
SUSPENDED = (*OPEN, say(suspend, now=at(1), actor=SENIOR, is_safety_case=True))
NOTICE = (*CRITICAL, say(GiveTerminationNotice(case_id="C7", facts=words("facts")), now=at(5)))
RECOVERED = (
    *NOTICE,
    say(ReversePenalty(penalty_id="P3", reason="APPEAL_REVERSED"), now=at(8)),
)
TERMINATED = (*NOTICE, say(TerminateAccount(), now=at(35)))
RATING_LOST = (*BUYING, say(penalty("P1", 12, "EXTORTION"), now=at()))
DEFERRED = (
    *PENALIZED,
    say(RequestErasure(), now=at(3), actor=PRIVACY, open_ids=frozenset({"d1"})),
)
ERASED = (*PENALIZED, say(RequestErasure(), now=at(3), actor=PRIVACY))

ACCOUNT_STORIES: Mapping[str, Story] = {
    "open": Story(OPEN, at(1)),
    "buyer": Story(BUYING, at(1)),
    "penalized": Story(PENALIZED, at(1)),
    "period over": Story(PENALIZED, at(90)),
    "penalty over": Story(PENALIZED, at(365)),
    "restricted": Story(RESTRICTED, at(2)),
    "stayed": Story(STAYED, at(4)),
    "reduced": Story(REDUCED, at(9)),
    "credited": Story(CREDITED, at(91)),
    "credit over": Story(CREDITED, at(90 + 365)),
    "protected": Story(PROTECTED, at(3)),
    "protection over": Story(PROTECTED, at(30)),
    "suspended": Story(SUSPENDED, at(2)),
    "suspension over": Story(SUSPENDED, at(20)),
    "critical": Story(CRITICAL, at(3)),
    "notice": Story(NOTICE, at(6)),
    "recovered": Story(RECOVERED, at(9)),
    "notice over": Story(NOTICE, at(35)),
    "terminated": Story(TERMINATED, at(36)),
    "rating lost": Story(RATING_LOST, at(1)),
    "erasure deferred": Story(DEFERRED, at(4)),
    "erased": Story(ERASED, at(4)),
}
"""Every place where an account can stand, with what its clocks say."""

# --- Cases

confirm = ConfirmViolation(
    points=24, rule_ids=("P-3",), facts=words("facts"), explanation="Orders were made up."
)
automatic = ConfirmViolation(
    points=2, rule_ids=("UNANSWERED_DISPUTE",), facts=words("facts"), explanation="By rule."
)
statement = SubmitStatement(text=words("statement"))
appeal = AppealViolation(appeal_id="A1", text=words("appeal"))
upheld = DecideViolationAppeal(
    outcome="UPHELD", rule_ids=("P-3",), facts=words("facts"), explanation="It stands."
)

SUSPECTED = (say(suspected(), now=at(), actor=ANALYST),)
BY_RULE = (say(suspected("UNANSWERED_DISPUTE", detection="RULE"), now=at()),)
REVIEW = (say(suspected("SUSPENSION_REVIEW", detection="RULE"), now=at()),)
SPOKEN = (*SUSPECTED, say(statement, now=at(2), actor=SELLER))
CONFIRMED = (*SUSPECTED, say(confirm, now=at(8), actor=ANOTHER))
BY_ITSELF = (*BY_RULE, say(automatic, now=at(7)))
DISMISSED = (*SUSPECTED, say(DismissCase(reason="UNFOUNDED"), now=at(3), actor=ANALYST))
APPEALED = (*CONFIRMED, say(appeal, now=at(9), actor=SELLER))
UPHELD = (*APPEALED, say(upheld, now=at(10), actor=SENIOR))
REVERSED = (
    *APPEALED,
    say(
        DecideViolationAppeal(
            outcome="REVERSED",
            rule_ids=("P-3",),
            facts=words("facts"),
            explanation="The parcels were there.",
        ),
        now=at(10),
        actor=SENIOR_2,
    ),
)

CASE_STORIES: Mapping[str, Story] = {
    "suspected": Story(SUSPECTED, at(1)),
    "statement over": Story(SUSPECTED, at(7)),
    "by rule": Story(BY_RULE, at(1)),
    "by rule over": Story(BY_RULE, at(7)),
    "review": Story(REVIEW, at(7)),
    "spoken": Story(SPOKEN, at(3)),
    "undecided": Story(SPOKEN, at(17)),
    "confirmed": Story(CONFIRMED, at(9)),
    "confirmed by itself": Story(BY_ITSELF, at(8)),
    "appeal over": Story(CONFIRMED, at(38)),
    "appealed": Story(APPEALED, at(10)),
    "appeal late": Story(APPEALED, at(9) + 10 * DAY),
    "upheld": Story(UPHELD, at(11)),
    "reversed": Story(REVERSED, at(11)),
    "dismissed": Story(DISMISSED, at(4)),
}
"""Every place where a case can stand, with what its clocks say."""
