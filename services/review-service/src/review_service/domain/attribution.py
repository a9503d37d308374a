"""Whose fault a late delivery was in, on whose account the star for it goes out."""

from typing import Literal

from msgspec import Struct
from shared_events.fields import Id
from shared_events.review import (
    Carriage,
    DimensionReattributed,
    EvaluationEvent,
    ReviewWeighted,
)

from review_service.domain.known import Sender
from review_service.domain.subject import BuyersReviewRule, Subject


class ReattributeDimension(Struct, frozen=True, kw_only=True):
    """On whose account the LOGISTICS star of the buyer's review goes from now on."""

    dimension: Literal["LOGISTICS"] = "LOGISTICS"
    to: Carriage
    cause_id: Id


def reattribute_dimension(
    subject: Subject, said: ReattributeDimension, _: Sender
) -> list[EvaluationEvent]:
    """Away from the seller once, and back; other stars stay."""
    on_sellers = subject.review.carriage == "SELLER"
    if on_sellers == (said.to == "SELLER"):
        return []
    return [
        DimensionReattributed(
            **subject.ids,
            dimension=said.dimension,
            from_=subject.review.carriage,
            to=said.to,
            cause_id=said.cause_id,
        )
    ]


def was_moved(subject: Subject, said: ReattributeDimension, _: Sender) -> bool:
    """What a cause has done it does not do again."""
    return (said.cause_id, said.to) in subject.review.carriages


REATTRIBUTE_DIMENSION = BuyersReviewRule(
    ReattributeDimension,
    reattribute_dimension,
    roles=("SYSTEM",),
    repeated=was_moved,
    states=("SUBMITTED", "VISIBLE", "HELD", "RESTRICTED", "WITHDRAWN"),
    lapses=True,
    events=(DimensionReattributed, ReviewWeighted),
    example=ReattributeDimension(to="CARRIER", cause_id="STORM-12"),
)
