"""What a decision about an evaluation needs to know besides its stream."""

from datetime import datetime

from msgspec import Struct
from shared_runtime.rule import By

from review_service.domain.evaluation_state import Sheet
from review_service.domain.policy import Policies, ReviewPolicy
from review_service.domain.weight import WeightFacts


class Measure(Struct, frozen=True, kw_only=True):
    """A measure on the author's account: the right to rate is lost."""

    measure_id: str
    until: datetime | None = None


class Known(Struct, frozen=True, kw_only=True):
    """Policies, and what other streams tell.

    `facts`: what the weights of its reviews follow from. `open_disputes` of the order;
    `order_cancelled`: it will never be complete. `rating_right_lost` and `erased`: of the sender.
    `flagged_today_at`: when the sender's account has flagged any review in the last 24 h.
    `party_orgs`: the organisations that may not decide.
    """

    policies: Policies
    facts: WeightFacts | None = None
    open_disputes: tuple[str, ...] = ()
    order_cancelled: bool = False
    rating_right_lost: Measure | None = None
    erased: bool = False
    flagged_today_at: tuple[datetime, ...] = ()
    party_orgs: frozenset[str] = frozenset()


type Sender = By[Known]


def policy_of(sheet: Sheet, by: Sender) -> ReviewPolicy:
    """The one that the stream began with."""
    return by.known.policies.of(sheet.policy_version)


def facts_of(by: Sender) -> WeightFacts:
    assert by.known.facts is not None
    return by.known.facts
