"""Standings under two policies in, the impact report out: who would move, and by how much."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared_events.reputation import Band

from reputation_service.domain.level import RANK, Standing
from reputation_service.domain.policy import ScorePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """One seller under the policy in force and under the draft; levels are the real ones, caps the
    levels of his balance.
    """

    seller_id: str
    score_before_micro: int
    score_after_micro: int
    level_before: Band
    level_after: Band
    cap_before: str
    cap_after: str

    @property
    def delta_micro(self) -> int:
        return self.score_after_micro - self.score_before_micro


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactReport:
    """`up` and `down` count sellers whose level is rated before and after.

    `draft_is_monotone` False: under the draft a good rating may lower a cautious score.
    `warnings` say so in words, and what else whoever publishes the draft should know.
    """

    sellers: int
    up: int
    down: int
    rated_changed: int
    sum_abs_delta_micro: int
    max_abs_delta_micro: int
    matrix: Mapping[str, int]
    rows: tuple[Impact, ...]
    draft_is_monotone: bool
    warnings: tuple[str, ...]


def impact(seller_id: str, before: Standing, after: Standing) -> Impact:
    """What a draft does to one seller: read over the same facts at the same instant."""
    return Impact(
        seller_id=seller_id,
        score_before_micro=before.score.score_micro,
        score_after_micro=after.score.score_micro,
        level_before=before.level.real,
        level_after=after.level.real,
        cap_before=before.level.credit.name,
        cap_after=after.level.credit.name,
    )


def impact_report(impacts: Iterable[Impact], *, draft: ScorePolicy) -> ImpactReport:
    """The report over every seller with at least one bucket, the most affected first."""
    rows = sorted(impacts, key=lambda row: (-abs(row.delta_micro), row.seller_id))
    moves = [_move(row) for row in rows]
    deltas = [abs(row.delta_micro) for row in rows]
    matrix = Counter(f"{row.level_before}>{row.level_after}" for row in rows)
    return ImpactReport(
        sellers=len(rows),
        up=sum(move > 0 for move in moves),
        down=sum(move < 0 for move in moves),
        rated_changed=sum(_changed_rating(row) for row in rows),
        sum_abs_delta_micro=sum(deltas),
        max_abs_delta_micro=max(deltas, default=0),
        matrix=dict(sorted(matrix.items())),
        rows=tuple(rows),
        draft_is_monotone=draft.is_monotone,
        warnings=tuple(warnings_of(draft)),
    )


def warnings_of(draft: ScorePolicy) -> Iterator[str]:
    """What whoever publishes a policy should know of it."""
    if draft.not_monotone:
        yield (
            f"Under {draft.policy_id} a good rating may lower a seller's score, in "
            f"{', '.join(draft.not_monotone)}: there z^2 is more than 4 x prior strength x prior "
            "variance, and caution grows faster than the mean."
        )


def _move(row: Impact) -> int:
    before, after = row.level_before, row.level_after
    if before == "UNRATED" or after == "UNRATED":
        return 0
    return RANK[after] - RANK[before]


def _changed_rating(row: Impact) -> bool:
    return (row.level_before == "UNRATED") != (row.level_after == "UNRATED")
