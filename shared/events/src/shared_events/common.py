"""Facts that any matter may have, on its own stream and its own topic.

A matter of an order says which order it is; one of an account, whose account.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared_events.fields import MEDIA_MAX, NOTE_LENGTH_MAX, Id, Instant, Party
from shared_events.sealed import Sealed

type Overdue = Literal[
    "FLAG",
    "MODERATION_APPEAL",
    "DISPUTE_DECISION",
    "DISPUTE_APPEAL",
    "EXECUTION",
    "REFUND",
    "VIOLATION_APPEAL",
    "LABEL",
    "RETURN_REVIEW",
    "SEND_BACK",
]
# The words of the public database of statements of reasons.
type Visibility = Literal[
    "CONTENT_REMOVED",
    "CONTENT_DISABLED",
    "CONTENT_DEMOTED",
    "CONTENT_LABELLED",
    "OTHER",
]
type Monetary = Literal["SUSPENSION", "TERMINATION", "OTHER"]
type Provision = Literal[
    "PARTIAL_SUSPENSION", "TOTAL_SUSPENSION", "PARTIAL_TERMINATION", "TOTAL_TERMINATION"
]
type AccountDecision = Literal["SUSPENDED", "TERMINATED"]
type Redress = Literal["INTERNAL_APPEAL", "OUT_OF_COURT", "COURT"]
type Media = Annotated[list[Sealed], Meta(max_length=MEDIA_MAX)]
"""The ids of files; beside them are their digests, `MediaDigests`."""


class MatterFact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom the matter is about, as far as its stream knows."""

    order_id: Id | None = None
    account_kind: Party | None = None
    seller_id: Id | None = None
    buyer_id: Id | None = None
    review_id: Id | None = None
    side: Party | None = None
    inquiry_id: Id | None = None
    dispute_id: Id | None = None
    return_id: Id | None = None
    case_id: Id | None = None
    policy_version: Id

    def __post_init__(self) -> None:
        # The key, and so the partition, is the seller, or the buyer of a buyer's account.
        if (self.buyer_id if self.account_kind == "BUYER" else self.seller_id) is None:
            raise ValueError("A matter has the account that it belongs to")


class DecisionOverdue(MatterFact, frozen=True, kw_only=True, tag="DecisionOverdue.v1"):
    """The platform is late. No party loses anything by it; it counts in public figures."""

    what: Overdue
    ref_id: Id
    due_at: Instant


class StatementOfReasonsIssued(
    MatterFact, frozen=True, kw_only=True, tag="StatementOfReasonsIssued.v1"
):
    """Why a decision went against the recipient, and how to appeal (DSA Art. 17).

    At least one of the four restrictions is there. `facts` is sealed for the recipient. `redress`:
    where he can turn; the first statements do not say.
    """

    sor_id: Id
    subject_kind: Literal["REVIEW", "DISPUTE", "RETURN", "VIOLATION", "MEASURE"]
    subject_id: Id
    recipient_role: Party
    recipient_id: Id
    decision_visibility: Visibility | None = None
    decision_monetary: Monetary | None = None
    decision_provision: Provision | None = None
    decision_account: AccountDecision | None = None
    decision_ground: Literal["ILLEGAL_CONTENT", "INCOMPATIBLE_CONTENT"]
    rule_ids: Annotated[list[Id], Meta(min_length=1)]
    explanation: Annotated[str, Meta(min_length=1, max_length=NOTE_LENGTH_MAX)]
    facts: Sealed
    source_type: Literal["NOTICE", "OWN_INITIATIVE", "COMPLAINT"]
    automated_detection: bool
    automated_decision: Literal["FULLY", "PARTIALLY", "NOT"]
    application_date: Instant
    end_date: Instant | None = None
    appeal_until: Instant | None = None
    appeal_command: Id | None = None
    redress: list[Redress] | None = None
