"""A request for a return and the policy in, who decides it, in which lane, until when and at whose
expense out.
"""

from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct
from shared_events.dispute import Liable
from shared_events.returns import Lane, Payer, ReturnKind, ReturnReason

from returns_service.domain.known import BuyerFacts
from returns_service.domain.policy import ReturnsPolicy
from returns_service.domain.rule_table import (
    Inputs,
    Match,
    Question,
    Row,
    Table,
    first_match,
)
from returns_service.domain.tables import NO, SELLERS_FAULT, YES, Admitted, Proof, Verdict

WITH_PHOTO: frozenset[ReturnReason] = frozenset({"DAMAGED", "WRONG_ITEM"})


class Request(Struct, frozen=True, kw_only=True):
    """What is asked, and what a rule may look at to decide it.

    `fast_returns`: how many of the order went the fast lane; `photo`, `sizes`: what he has shown.
    """

    origin: Literal["BUYER", "DISPUTE"] = "BUYER"
    kind: ReturnKind
    reason: ReturnReason
    value_ref_minor: int
    asked_at: datetime
    buyer: BuyerFacts = BuyerFacts()
    fast_returns: int = 0
    photo: bool = False
    sizes: bool = False

    @property
    def proof(self) -> Proof:
        """Of what kind is asked follows from the reason."""
        if self.photo and self.reason in WITH_PHOTO:
            return "PHOTO"
        return "SIZES" if self.sizes and self.reason == "SIZE_MISFIT" else "NONE"

    @property
    def inputs(self) -> Inputs:
        rejected_at = self.buyer.advance_rejected_at
        since = self.asked_at - rejected_at if rejected_at else None
        return {
            "origin": self.origin,
            "kind": self.kind,
            "reason": self.reason,
            "value_ref_minor": self.value_ref_minor,
            "measures": frozenset[str](self.buyer.measures),
            "fast_returns": self.fast_returns,
            "proof": self.proof,
            "exposure_ref_minor": self.buyer.exposure_ref_minor + self.value_ref_minor,
            "since_rejected_seconds": int(since.total_seconds()) if since is not None else None,
        }


def decided(request: Request, policy: ReturnsPolicy) -> Match[Verdict]:
    return first_match(policy.return_tables.deciding, request.inputs, policy.value)


def admitted(
    kind: ReturnKind, reason: ReturnReason, category: str, *, photo: bool, policy: ReturnsPolicy
) -> Admitted:
    """Whether goods of a category may be asked back for this reason."""
    told: Inputs = {
        "origin": "BUYER",
        "kind": kind,
        "reason": reason,
        "category": category if category in policy.return_excluded_categories else "any other",
        "photo": YES if photo else NO,
    }
    return first_match(policy.return_tables.admission, told, policy.value).then


def payer_of(
    lane: Lane,
    reason: ReturnReason,
    policy: ReturnsPolicy,
    *,
    sellers_fault: bool,
    liable: Liable = "NONE",
) -> Payer:
    """Who pays for the label; `liable`: as a dispute has found."""
    told: Inputs = {
        "lane": lane,
        "reason": reason,
        "liable": liable,
        "sellers_fault": YES if sellers_fault else NO,
    }
    return first_match(policy.return_tables.label, told, policy.value).then.by


def is_sellers_fault(reason: ReturnReason) -> bool:
    return reason in SELLERS_FAULT


# --- Until when


class Sending(Struct, frozen=True, kw_only=True):
    """Who pays for the label; until when it must be there, where it is not the buyer's, and until
    when goods are to be sent.
    """

    paid_by: Payer
    label_due: datetime | None = None
    ship_by: datetime

    @property
    def fields(self) -> dict[str, Any]:
        """As a ReturnAuthorized has them."""
        return {
            "label_paid_by": self.paid_by,
            "label_due": self.label_due,
            "ship_by": self.ship_by,
        }


def sending(lane: Lane, paid_by: Payer, now: datetime, policy: ReturnsPolicy) -> Sending:
    """A label that the buyer waits for gives him that much more time."""
    span = time_to_ship(lane, policy)
    if paid_by == "BUYER":
        return Sending(paid_by=paid_by, ship_by=now + span)
    due = now + policy.return_label_due
    return Sending(paid_by=paid_by, label_due=due, ship_by=due + span)


def time_to_ship(lane: Lane | None, policy: ReturnsPolicy) -> timedelta:
    return policy.return_ship_by_statutory if lane == "STATUTORY" else policy.return_ship_by


# --- What silence brings


def by_silence(
    *,
    kind: ReturnKind,
    reason: ReturnReason,
    wants: str,
    asked_minor: int | None,
    paid_minor: int,
    buyer: BuyerFacts,
    policy: ReturnsPolicy,
) -> Match[ReturnKind]:
    """What a seller's silence makes of a request: small money for missing parts is given, else no
    money goes out without the goods. Of what is no claim nothing is asked.
    """
    if kind != "CLAIM":
        return Match(code="D6", then=kind, trace=())
    most = paid_minor * policy.return_claim_silence_max_milli // 1000
    told: Inputs = {
        "wants": wants,
        "reason": reason,
        "asked_minor": asked_minor,
        "measures": frozenset[str](buyer.measures),
    }
    return first_match(of_silent_seller(most), told, policy.value)


def of_silent_seller(most_minor: int) -> Table[ReturnKind]:
    """`most_minor`: what is small. It is no table of the policy: no version pays more by silence
    than its number says.
    """
    small = (
        Question(code="D3", of="reason", among=("MISSING_PARTS",)),
        Question(code="D3", of="asked_minor", at_most=most_minor),
        Question(code="D3", of="measures", lacks="MANUAL_ONLY"),
    )
    anew = (Question(code="D3", of="wants", among=("REPLACEMENT",)),)
    rows: tuple[Row[ReturnKind], ...] = (
        Row(code="D3", when=anew, then="EXCHANGE"),
        Row(code="D3", when=small, then="CLAIM"),
        Row(code="D3", then="RETURN"),
    )
    return Table(name="silence", rows=rows)
