"""A suspicion in, a case of it out, of which the accused is heard."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct
from shared_casework.values import utc
from shared_events.fields import Id, Party
from shared_events.reputation import CaseEvent, CaseOpened, Detection, ViolationRule
from shared_runtime.decider import (
    AlreadySubmitted,
    DuplicateOpen,
    EvidenceRequired,
    FieldError,
)
from shared_runtime.rule import MACHINE
from shared_runtime.shape import ONCE, Made

from reputation_service.domain.case_matter import Suspicion, SuspicionRule
from reputation_service.domain.known import ClaimFacts, Sender
from reputation_service.domain.points_policy import PointsPolicy
from reputation_service.domain.violations import VIOLATIONS

WHOLE_MILLI = 1000
EVIDENCE_MAX = 100
CLAIMS = "LOST_CLAIMS"
WARNING = "WARNING"
type Named = Annotated[tuple[Id, ...], Meta(max_length=EVIDENCE_MAX), ONCE]


class OpenCase(Struct, frozen=True, kw_only=True):
    """Who is said to have broken which rule, by what; and what shows it."""

    case_id: Annotated[Id, Made("case")]
    account_kind: Party
    account_id: Id
    rule: ViolationRule
    cause_key: Id
    evidence_event_ids: Named = ()
    review_ids: Named = ()
    safety: bool = False
    detection: Detection


def open_case(_: Suspicion, said: OpenCase, by: Sender) -> list[CaseEvent]:
    """The accused has `case_statement` to answer; after that it is decided within `case_decision`,
    or dismissed by itself.
    """
    policy, now = by.known.policies.in_force(by.now), utc(by.now)
    require_evidence(said, by.known.claims, policy)
    if by.known.claimed_by:
        raise DuplicateOpen(existing_id=by.known.claimed_by)
    seller = said.account_kind == "SELLER"
    until = now + policy.case_statement
    return [
        CaseOpened(
            account_kind=said.account_kind,
            seller_id=said.account_id if seller else None,
            buyer_id=None if seller else said.account_id,
            policy_version=policy.version,
            case_id=said.case_id,
            rule=said.rule,
            cause_key=said.cause_key,
            evidence_event_ids=[*said.evidence_event_ids],
            review_ids=[*said.review_ids],
            safety=said.safety,
            detection=said.detection,
            opened_by=by.actor.id if by.actor.is_human else None,
            statement_until=until,
            decide_by=until + policy.case_decision,
        )
    ]


def require_evidence(said: OpenCase, claims: ClaimFacts, policy: PointsPolicy) -> None:
    """Nobody is accused of claiming too much, who has not lost so many of his claims, and was not
    warned before. Raises `EvidenceRequired`.
    """
    needed: list[str] = [] if said.evidence_event_ids else ["EVENT"]
    if said.rule == "FALSE_CLAIMS":
        needed += [] if claims_too_much(claims, policy) else [CLAIMS]
        needed += [] if claims.warned else [WARNING]
    if needed:
        raise EvidenceRequired(needed=needed)


def claims_too_much(claims: ClaimFacts, policy: PointsPolicy) -> bool:
    """More than so many, and more than such a share of his orders."""
    share = claims.lost * WHOLE_MILLI > policy.case_false_claims_share_milli * claims.orders
    return claims.lost > policy.case_false_claims and share


def shape_of_case(said: OpenCase, by: Sender) -> Iterator[FieldError]:
    binds = VIOLATIONS[said.rule].binds
    if said.account_kind not in binds:
        yield FieldError(field="rule", bound=f"one that binds a {said.account_kind}")
    if by.actor.is_human and said.detection not in ("ANALYST", "NOTICE"):
        yield FieldError(field="detection", bound="ANALYST, or NOTICE if somebody has told")


def is_opened(suspicion: Suspicion, said: OpenCase, by: Sender) -> bool:
    """Of one cause there is one case, for ever: what the platform sees again is nothing new."""
    if suspicion.case is None:
        return by.actor.acts_as == MACHINE and by.known.claimed_by is not None
    told = suspicion.case.opened
    same = (told.account_kind, told.rule, told.cause_key) == (
        said.account_kind,
        said.rule,
        said.cause_key,
    )
    if same and suspicion.case.accused_id == said.account_id:
        return True
    raise AlreadySubmitted(existing_id=told.case_id)


OPEN_CASE = SuspicionRule(
    OpenCase,
    open_case,
    roles=("ANALYST", "SYSTEM"),
    shape=shape_of_case,
    repeated=is_opened,
    refuses=(DuplicateOpen, EvidenceRequired, AlreadySubmitted),
    events=(CaseOpened,),
    example=OpenCase(
        case_id="C-14",
        account_kind="SELLER",
        account_id="S-77",
        rule="FAKE_TRANSACTION",
        cause_key="ring-7",
        evidence_event_ids=("01956f2e-7c00-7000-8000-00000000002a",),
        review_ids=("R-1",),
        detection="ANALYST",
    ),
)
