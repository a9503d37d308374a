"""A reader's word on whether a review helped him, and what the list makes of all of them.

It puts the useful ones first. It is no fact about the order: it changes neither a weight nor a
score, and is in no log (docs/decisions/0013-votes-are-rows.md).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.values import utc
from shared_runtime.decider import RateLimited, SubjectErased

from review_service.domain.policy import ReviewPolicy

SPAN = timedelta(hours=1)
HELPFULNESS_MAX = 500
DOUBT = 5
"""So many votes more, half for it and half against, a review is taken to have from the beginning:
the first ones do little."""


class Voter(Struct, frozen=True, kw_only=True):
    """An account, when it has voted in the last hour, and what it says of the review now."""

    lately: Sequence[datetime] = ()
    erased: bool = False
    says: bool | None = None


class Tally(Struct, frozen=True, kw_only=True):
    """How many say that a review helped them, and how many that it did not."""

    helpful: int = 0
    not_helpful: int = 0

    @property
    def helpfulness(self) -> int:
        """What the votes add to the usefulness of a review: less than `HELPFULNESS_MAX`, either
        way.
        """
        more = self.helpful - self.not_helpful
        part = HELPFULNESS_MAX * abs(more) // (self.helpful + self.not_helpful + DOUBT)
        return part if more > 0 else -part


def voted(voter: Voter, helpful: bool | None, now: datetime, policy: ReviewPolicy) -> Voter | None:
    """The voter who says so from now on; None if he did before. None for `helpful` takes it back.

    `review_votes_per_hour_max` changes of each in any hour. Raises `SubjectErased`, `RateLimited`.
    """
    if voter.erased:
        raise SubjectErased
    if voter.says == helpful:
        return None
    lately = sorted(at for at in voter.lately if at > now - SPAN)
    if len(lately) >= policy.review_votes_per_hour_max:
        raise RateLimited(retry_at=utc(lately[-policy.review_votes_per_hour_max]) + SPAN)
    return replace(voter, lately=(*lately, now), says=helpful)


def counted(tally: Tally, before: bool | None, after: bool | None) -> Tally:
    """The tally, where one who said the one says the other."""
    return Tally(
        helpful=tally.helpful - (before is True) + (after is True),
        not_helpful=tally.not_helpful - (before is False) + (after is False),
    )
