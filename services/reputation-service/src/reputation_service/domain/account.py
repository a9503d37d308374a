"""What was known of an account at an instant: how it stands by it, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from shared_events.reputation import Band

from reputation_service.domain.explain import Explained
from reputation_service.domain.facts import Fact
from reputation_service.domain.fold import state_sha256
from reputation_service.domain.level import (
    CreditLot,
    Evaluation,
    Grant,
    Protection,
    Standing,
    granted_before,
    in_force,
    level_at,
    next_change,
    standing,
)
from reputation_service.domain.policy import CONDUCT, PolicyAt, ScorePolicy
from reputation_service.domain.read import Buckets


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredAccount:
    """What was known of an account at `as_of` and at the instants that its level is read from.

    `lots` and `grants` are all that were ever recorded: what was not known at an instant does not
    count there. `policy_at` says how it was read at each.
    """

    seller_id: str
    as_of: int
    buckets_at: Mapping[int, Buckets]
    policy_at: PolicyAt
    lots: Sequence[CreditLot] = ()
    grants: Sequence[Grant] = ()

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

    @property
    def changes_at(self) -> int | None:
        """The next instant at which time alone may change the level within a week."""
        return next_change(self.lots, self.grants, self.as_of)

    @property
    def policy(self) -> ScorePolicy:
        """The one that holds at `as_of`."""
        return self.policy_at(self.as_of)

    def standing(self, policy: ScorePolicy | None = None) -> Standing:
        """Score and level; by another policy than the one that holds, if one is given."""
        protections = self._protections(self.as_of, self.grants)
        return standing(self._known, self.as_of, self.lots, protections, policy or self.policy)

    def _known(self, look: Evaluation) -> Buckets:
        return self.buckets_at[look.as_of]

    def _protections(self, as_of: int, grants: Sequence[Grant]) -> list[Protection]:
        """What is kept at an instant: of each grant the public level at which it was given, which
        another one before may have kept.
        """
        return [
            _kept(grant, self._public_at(grant.recorded_at, granted_before(grants, grant)))
            for grant in in_force(grants, as_of)
        ]

    def _public_at(self, as_of: int, grants: Sequence[Grant]) -> Band:
        protections = self._protections(as_of, grants)
        policy = self.policy_at(as_of)
        return level_at(self._known, as_of, self.lots, protections, policy).public


def _kept(grant: Grant, public: Band) -> Protection:
    return Protection(
        entity_id=grant.entity_id,
        version=1,
        from_=grant.from_,
        until=grant.until,
        level=None if public == "UNRATED" else public,
        recorded_at=grant.recorded_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A line of the table of sellers: as he stood when it was last worked out. `real_level` is null
    where it is not told.
    """

    seller_id: str
    score_micro: int
    public_level: Band
    real_level: Band | None
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

    account_id: str
    as_of: int
    explained: Explained
    listed: Mapping[str, Sequence[Listed]]
    excluded: Sequence[Fact]
    reduced: Sequence[Fact]
    about: Sequence[Fact]
