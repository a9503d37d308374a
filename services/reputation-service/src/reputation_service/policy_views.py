"""The policies of the score in, what clients see of them out: numbers, trials, from when on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from shared_events.reputation import Band

from reputation_service.domain.facts import instant
from reputation_service.domain.policy import ScorePolicy, policy_data
from reputation_service.domain.policy_book import Draft, PolicyBook, Trial
from reputation_service.domain.whatif import warnings_of

type State = Literal["DRAFT", "TRIED", "SCHEDULED", "IN_FORCE", "REPLACED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialView:
    """What it would do to the sellers, compared with the policy `against`, as of an instant.

    `up` and `down` are sellers who have a level before and after; `caps_changed` those whose
    credit points would cap another level. Of a trial under way only how far it has come is told.
    """

    trial_id: str
    against: str
    as_of: datetime
    state: Literal["RUNNING", "ENDED"]
    sellers: int | None
    worked_out: int
    up: int | None
    down: int | None
    rated_changed: int | None
    caps_changed: int | None
    sum_abs_delta_micro: int | None
    max_abs_delta_micro: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """A policy with every number. It holds from each of `begins_at` until another one begins.

    `numbers` is what a draft is written as. `warnings`: what whoever activates it should know.
    """

    policy_id: str
    state: State
    begins_at: list[datetime]
    numbers: dict[str, Any]
    is_monotone: bool
    warnings: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffPolicyView(PolicyView):
    """The same for staff: who wrote it, and whether it was tried on what holds."""

    drafted_by: str | None
    trials: list[TrialView]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPage:
    """The policy that holds comes first."""

    items: list[StaffPolicyView | PolicyView]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactView:
    """One seller by both. Levels are the real ones."""

    seller_id: str
    score_before_micro: int
    score_after_micro: int
    delta_micro: int
    level_before: Band
    level_after: Band
    cap_before: str
    cap_after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfView:
    """The newest trial of a draft: the sellers whose scores it changes most come first, as far as
    they are worked out. `matrix`: `before>after` and how many sellers.
    """

    policy_id: str
    trial: TrialView
    matrix: dict[str, int]
    warnings: list[str]
    items: list[ImpactView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The policies as of now, for whom they are shown to."""

    book: PolicyBook
    base: ScorePolicy
    now: int
    staff: bool

    def all(self) -> list[PolicyView]:
        """Those that were ever activated; drafts are for staff."""
        views = [self.one(policy_id) for policy_id in (self.base.policy_id, *self.book.drafts)]
        shown = {view.policy_id: view for view in views if view is not None}
        return sorted(shown.values(), key=lambda view: (view.state != "IN_FORCE", view.policy_id))

    def one(self, policy_id: str) -> PolicyView | None:
        draft = self.book.drafts.get(policy_id)
        if draft is None and policy_id == self.base.policy_id:
            draft = Draft(self.base, "")
        if draft is None:
            return None
        state = self._state(policy_id)
        if state in ("DRAFT", "TRIED") and not self.staff:
            return None
        public = PolicyView(
            policy_id=policy_id,
            state=state,
            begins_at=[instant(each.begins_at) for each in self.book.activations_of(policy_id)],
            numbers=policy_data(draft.policy),
            is_monotone=draft.policy.is_monotone,
            warnings=list(warnings_of(draft.policy)),
        )
        if not self.staff:
            return public
        return StaffPolicyView(
            policy_id=public.policy_id,
            state=public.state,
            begins_at=public.begins_at,
            numbers=public.numbers,
            is_monotone=public.is_monotone,
            warnings=public.warnings,
            drafted_by=draft.by or None,
            trials=[trial_view(each) for each in self.book.trials_of(policy_id)],
        )

    def _state(self, policy_id: str) -> State:
        holds = self.book.policy_at(self.now, self.base).policy_id
        if policy_id == holds:
            return "IN_FORCE"
        if any(each.begins_at > self.now for each in self.book.activations_of(policy_id)):
            return "SCHEDULED"
        if policy_id == self.base.policy_id or self.book.activations_of(policy_id):
            return "REPLACED"
        return "TRIED" if self.book.is_tried(policy_id, holds) else "DRAFT"


def trial_view(trial: Trial, progress: tuple[int, int] | None = None) -> TrialView:
    """`progress`: how many sellers there are, and how many are worked out, of one under way."""
    ended = trial.ended
    sellers, worked_out = progress or (None, 0)
    return TrialView(
        trial_id=trial.trial_id,
        against=trial.against,
        as_of=instant(trial.as_of),
        state="ENDED" if ended else "RUNNING",
        sellers=ended.sellers if ended else sellers,
        worked_out=ended.sellers if ended else worked_out,
        up=ended.up if ended else None,
        down=ended.down if ended else None,
        rated_changed=ended.rated_changed if ended else None,
        caps_changed=ended.caps_changed if ended else None,
        sum_abs_delta_micro=ended.sum_abs_delta_micro if ended else None,
        max_abs_delta_micro=ended.max_abs_delta_micro if ended else None,
    )


def what_if_view(
    trial: Trial,
    draft: ScorePolicy,
    *,
    progress: tuple[int, int] | None,
    matrix: dict[str, int],
    items: Sequence[ImpactView],
    next_cursor: str | None,
) -> WhatIfView:
    return WhatIfView(
        policy_id=trial.policy_id,
        trial=trial_view(trial, progress),
        matrix=matrix,
        warnings=list(warnings_of(draft)),
        items=list(items),
        next_cursor=next_cursor,
    )
