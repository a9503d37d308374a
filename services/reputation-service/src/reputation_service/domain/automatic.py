"""What other services tell, and what comes of an account, in; cases that are opened by themselves,
or a hint to analysts, out.
"""

from collections.abc import Iterator

from msgspec import Struct
from shared_events.dispute import DisputeClosed
from shared_events.fields import Party
from shared_events.reputation import LevelChanged, ViolationRule
from shared_events.returns import (
    AdvanceUnrecovered,
    ExchangeUnreturned,
    ReturnClosed,
    UnitsRejected,
)

from reputation_service.domain.case_opening import OpenCase, claims_too_much
from reputation_service.domain.known import ClaimFacts
from reputation_service.domain.points_policy import PointsPolicy
from reputation_service.domain.streams import case_id_of
from reputation_service.domain.violations import REVIEW

NOT_WHAT_WAS_SENT = ("WRONG_ITEM", "SHORT", "NOT_OURS")
"""What somebody has put into the box, or has not."""


class Hint(Struct, frozen=True, kw_only=True):
    """Something that an analyst may look at: no case, and nobody is told."""

    hint_id: str
    account_kind: Party
    account_id: str
    rule: ViolationRule
    cause_key: str
    event_id: str


type FollowedEvent = (
    DisputeClosed
    | ReturnClosed
    | ExchangeUnreturned
    | AdvanceUnrecovered
    | UnitsRejected
    | LevelChanged
)
FOLLOWED: tuple[type[Struct], ...] = (
    DisputeClosed,
    ReturnClosed,
    ExchangeUnreturned,
    AdvanceUnrecovered,
    UnitsRejected,
    LevelChanged,
)


def suspicions(  # noqa: PLR0911 - one arm for each event
    event: FollowedEvent, event_id: str, claims: ClaimFacts, policy: PointsPolicy
) -> list[OpenCase | Hint]:
    """`claims`: of the buyer whom a closed dispute is about, this one among them."""
    match event:
        case DisputeClosed():
            return [*of_dispute(event, event_id, claims, policy)]
        case ReturnClosed(timely=False):
            rule: ViolationRule = "LATE_RETURN_HANDLING"
            return [case_of("SELLER", event.seller_id, rule, event.return_id, event_id)]
        case ExchangeUnreturned():
            return [
                case_of("BUYER", event.buyer_id, "UNRETURNED_EXCHANGE", event.return_id, event_id)
            ]
        case AdvanceUnrecovered(confirmed=True):
            # The warehouse has looked, or an adjudicator: the seller's word alone is a hint.
            return [case_of("BUYER", event.buyer_id, "EMPTY_BOX_RETURN", event.return_id, event_id)]
        case AdvanceUnrecovered():
            return [empty_box(event, event_id)]
        case UnitsRejected(units=units):
            strange = any(each.reason in NOT_WHAT_WAS_SENT for each in units)
            return [empty_box(event, event_id)] if strange else []
        case LevelChanged(to="CRITICAL"):
            return [review_of(event, event_id)]
        case _:
            return []


def of_dispute(
    event: DisputeClosed, event_id: str, claims: ClaimFacts, policy: PointsPolicy
) -> Iterator[OpenCase | Hint]:
    if event.how == "DEFAULT":
        yield case_of("SELLER", event.seller_id, "UNANSWERED_DISPUTE", event.dispute_id, event_id)
    if (event.reason, event.liable) == ("COUNTERFEIT", "SELLER"):
        yield case_of("SELLER", event.seller_id, "COUNTERFEIT", event.dispute_id, event_id)
    if event.liable == "BUYER" and claims_too_much(claims, policy):
        yield hint_of("BUYER", event.buyer_id, "FALSE_CLAIMS", event.dispute_id, event_id)


def review_of(event: LevelChanged, event_id: str) -> OpenCase:
    """Each time that the credit is gone."""
    holder_id = event.buyer_id if event.account_kind == "BUYER" else event.seller_id
    assert holder_id is not None
    return case_of(event.account_kind, holder_id, REVIEW, event_id, event_id)


def empty_box(event: AdvanceUnrecovered | UnitsRejected, event_id: str) -> Hint:
    return hint_of("BUYER", event.buyer_id, "EMPTY_BOX_RETURN", event.return_id, event_id)


def case_of(
    kind: Party, account_id: str, rule: ViolationRule, cause_key: str, event_id: str
) -> OpenCase:
    return OpenCase(
        case_id=case_id_of(event_id, rule),
        account_kind=kind,
        account_id=account_id,
        rule=rule,
        cause_key=cause_key,
        evidence_event_ids=(event_id,),
        detection="RULE",
    )


def hint_of(
    kind: Party, account_id: str, rule: ViolationRule, cause_key: str, event_id: str
) -> Hint:
    return Hint(
        hint_id=case_id_of(event_id, rule),
        account_kind=kind,
        account_id=account_id,
        rule=rule,
        cause_key=cause_key,
        event_id=event_id,
    )
