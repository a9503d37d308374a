"""The stream of the score's policies in, which holds at any instant out.

A policy is drafted whole, tried on every seller, and activated from a day on. What was read by the
one before, for instants before, is read by it for ever.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace
from shared_events.score_policies import (
    ScorePolicyActivated,
    ScorePolicyDrafted,
    ScorePolicyEvent,
    ScorePolicyTrialBegun,
    ScorePolicyTrialEnded,
)

from reputation_service.domain.facts import micros
from reputation_service.domain.policy import ScorePolicy
from reputation_service.domain.policy_facts import policy_of

STREAM = "policies-score"

type Status = Literal["NEW", "DRAFT", "TRIED", "ACTIVATED"]


class Draft(Struct, frozen=True):
    """A policy, and who wrote it."""

    policy: ScorePolicy
    by: str


class Trial(Struct, frozen=True, kw_only=True):
    """What a draft would do to each seller: asked for, and how it ended if it has."""

    trial_id: str
    policy_id: str
    against: str
    as_of: int
    ended: ScorePolicyTrialEnded | None = None


class Activation(NamedTuple):
    policy_id: str
    begins_at: int


class PolicyBook(Struct, frozen=True, kw_only=True):
    """All policies that were ever drafted. `base` holds until the first activation begins."""

    drafts: Mapping[str, Draft] = {}
    trials: Mapping[str, Trial] = {}
    activations: Sequence[Activation] = ()

    def policy_at(self, instant: int, base: ScorePolicy) -> ScorePolicy:
        """The one that scores as of an instant are read by. Of two that begin together the later
        activation holds.
        """
        begun = [each for each in self.activations if each.begins_at <= instant]
        if not begun:
            return base
        newest = max(each.begins_at for each in begun)
        (*_, last) = [each for each in begun if each.begins_at == newest]
        return self.drafts[last.policy_id].policy

    def trial_under_way(self) -> Trial | None:
        """One is worked at at a time."""
        return next((each for each in self.trials.values() if each.ended is None), None)

    def trials_of(self, policy_id: str) -> list[Trial]:
        return [each for each in self.trials.values() if each.policy_id == policy_id]

    def activations_of(self, policy_id: str) -> list[Activation]:
        return [each for each in self.activations if each.policy_id == policy_id]

    def is_tried(self, policy_id: str, against: str) -> bool:
        """Whether it is known what it would change of what holds."""
        return any(
            each.ended is not None and each.against == against for each in self.trials_of(policy_id)
        )

    def status(self, policy_id: str, against: str) -> Status:
        if policy_id not in self.drafts:
            return "NEW"
        if self.activations_of(policy_id):
            return "ACTIVATED"
        return "TRIED" if self.is_tried(policy_id, against) else "DRAFT"


def evolve(book: PolicyBook, event: ScorePolicyEvent) -> PolicyBook:
    match event:
        case ScorePolicyDrafted(policy_id=policy_id, drafted_by=by):
            return replace(book, drafts={**book.drafts, policy_id: Draft(policy_of(event), by)})
        case ScorePolicyTrialBegun(trial_id=trial_id):
            trial = Trial(
                trial_id=trial_id,
                policy_id=event.policy_id,
                against=event.against,
                as_of=micros(event.as_of),
            )
            return replace(book, trials={**book.trials, trial_id: trial})
        case ScorePolicyTrialEnded(trial_id=trial_id):
            ended = replace(book.trials[trial_id], ended=event)
            return replace(book, trials={**book.trials, trial_id: ended})
        case ScorePolicyActivated(policy_id=policy_id, begins_at=begins_at):
            activation = Activation(policy_id, micros(begins_at))
            return replace(book, activations=(*book.activations, activation))
