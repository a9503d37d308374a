"""What was known of an account at an instant: how it stands by it, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from shared_events.reputation import Band

from reputation_service.domain.explain import Explained
from reputation_service.domain.facts import Fact
from reputation_service.domain.fold import state_sha256
from reputation_service.domain.level import Standing, standing
from reputation_service.domain.policy import CONDUCT, ScorePolicy
from reputation_service.domain.read import Buckets


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredAccount:
    """What was known of an account at `as_of` and at the weekly evaluations before."""

    seller_id: str
    as_of: int
    buckets_at: Mapping[int, Buckets]

    @property
    def buckets(self) -> Buckets:
        """What is known at `as_of`, his conduct as a buyer included."""
        return self.buckets_at[self.as_of]

    @property
    def sells(self) -> bool:
        """Whether anything of it is about him as a seller."""
        return any(dimension != CONDUCT for dimension in self.buckets)

    @property
    def state_sha256(self) -> str:
        """The digest of his buckets alone."""
        return state_sha256({self.seller_id: self.buckets})

    def standing(self, policy: ScorePolicy) -> Standing:
        """Score and level by it. Credit points and protections come with later work: none yet."""
        return standing(lambda look: self.buckets_at[look.as_of], self.as_of, (), (), policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A line of the table of sellers: as he stood when it was last worked out."""

    seller_id: str
    score_micro: int
    public_level: Band
    rated: bool
    stars_micro: int
    recent_milli: int
    as_of: datetime


class Listed(NamedTuple):
    """A fact that is listed with its share as it is printed, in micro-points."""

    fact: Fact
    share_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a score is what it is, with the facts that this reader is shown one by one.

    `listed`: of each dimension, those with the largest shares. `about`: all that is in force of
    the entities that are listed anywhere or were asked for.
    """

    seller_id: str
    as_of: int
    explained: Explained
    listed: Mapping[str, Sequence[Listed]]
    excluded: Sequence[Fact]
    reduced: Sequence[Fact]
    about: Sequence[Fact]
