"""A draft, a trial, an activation asked for in, what is recorded of the score's policies out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from msgspec import Struct
from shared_casework.impartial import Stakes, impartial
from shared_events.fields import Id, Instant
from shared_events.score_policies import (
    Number,
    ScorePolicyActivated,
    ScorePolicyDrafted,
    ScorePolicyEvent,
    ScorePolicyTrialBegun,
    ScorePolicyTrialEnded,
)
from shared_runtime.decider import (
    AlreadySubmitted,
    Decider,
    FieldError,
    LimitReached,
    NotFound,
    WrongState,
)
from shared_runtime.rule import By, Guard, Rule, Sent
from shared_runtime.rules import Rules

from reputation_service.domain.facts import DAY_MICROS, instant, micros
from reputation_service.domain.policy import DEFAULT, ScorePolicy
from reputation_service.domain.policy_book import PolicyBook, Status, Trial, evolve
from reputation_service.domain.policy_facts import drafted

TRIALS_AT_ONCE = 1
AHEAD_MAX = timedelta(days=366)
"""An activation further ahead is one that nobody remembers."""

type Base = ScorePolicy
"""What is known besides the stream: the policy that holds before all activations."""


class Shelf(Struct, frozen=True, kw_only=True):
    """A policy on the shelf, and all the others. `holds`: the one that scores of now are read by.

    `trial`: the one that a command is about.
    """

    book: PolicyBook
    policy_id: str
    holds: ScorePolicy
    trial: Trial | None = None

    @property
    def status(self) -> Status:
        return self.book.status(self.policy_id, self.holds.policy_id)

    @property
    def drafted_by(self) -> str | None:
        draft = self.book.drafts.get(self.policy_id)
        return draft.by if draft else None


class DraftScorePolicy(Struct, frozen=True, kw_only=True):
    """`drafted` is every number of it; who drafts it is put in by the decision."""

    policy_id: Id
    policy: ScorePolicy


class BeginTrial(Struct, frozen=True, kw_only=True):
    policy_id: Id
    trial_id: Id


class EndTrial(Struct, frozen=True, kw_only=True):
    """What the trial has found."""

    policy_id: Id
    trial_id: Id
    sellers: Number
    up: Number
    down: Number
    rated_changed: Number
    caps_changed: Number
    sum_abs_delta_micro: Number
    max_abs_delta_micro: Number


class ActivateScorePolicy(Struct, frozen=True, kw_only=True):
    policy_id: Id
    begins_at: Instant


@dataclass(frozen=True)
class PolicyRule[C: Struct](Rule[PolicyBook, Shelf, Status, C, Base, ScorePolicyEvent]):
    """A command about one policy. Only a draft may be about one that is not there."""

    def find(self, state: PolicyBook, said: C, by: By[Base]) -> Shelf:
        policy_id: str = getattr(said, "policy_id")  # noqa: B009 - every command names one
        if policy_id not in state.drafts and self.command is not DraftScorePolicy:
            raise NotFound
        trial_id = getattr(said, "trial_id", "")
        holds = state.policy_at(micros(by.now), by.known)
        return Shelf(book=state, policy_id=policy_id, holds=holds, trial=state.trials.get(trial_id))

    def matters(self, state: PolicyBook, by: By[Base]) -> Iterable[Shelf]:
        holds = state.policy_at(micros(by.now), by.known)
        return [Shelf(book=state, policy_id=each, holds=holds) for each in state.drafts]


def draft(_: Shelf, said: DraftScorePolicy, by: By[Base]) -> list[ScorePolicyEvent]:
    return [drafted(said.policy, by.actor.id)]


def is_drafted(shelf: Shelf, said: DraftScorePolicy, by: By[Base]) -> bool:
    """The same numbers once more are nothing new; a policy is never edited. The one that held
    before all others is on the shelf once it is drafted, too: to go back to it.
    """
    held = shelf.book.drafts.get(said.policy_id)
    if held is None and said.policy_id != by.known.policy_id:
        return False
    if said.policy != (held.policy if held else by.known):
        raise AlreadySubmitted(existing_id=said.policy_id)
    return held is not None


def observes_alike(said: DraftScorePolicy, by: By[Base]) -> Iterable[FieldError]:
    """What is in time is decided when an event is observed, for all policies alike."""
    for name in ("dispute_seconds", "return_seconds"):
        observed = getattr(by.known.sla, name)
        if getattr(said.policy.sla, name) != observed:
            yield FieldError(field=f"sla.{name}", bound=f"{observed}: events are observed by it")


def begin(shelf: Shelf, said: BeginTrial, by: By[Base]) -> list[ScorePolicyEvent]:
    return [
        ScorePolicyTrialBegun(
            policy_id=said.policy_id,
            trial_id=said.trial_id,
            against=shelf.holds.policy_id,
            as_of=by.now,
            begun_by=by.actor.id,
        )
    ]


def _is_free(shelf: Shelf, _: BeginTrial, __: By[Base]) -> None:
    """While no other trial is worked at."""
    if shelf.book.trial_under_way():
        raise LimitReached(limit=TRIALS_AT_ONCE)


def end(_: Shelf, said: EndTrial, __: By[Base]) -> list[ScorePolicyEvent]:
    return [
        ScorePolicyTrialEnded(**{name: getattr(said, name) for name in EndTrial.__struct_fields__})
    ]


def has_ended(shelf: Shelf, _: EndTrial, __: By[Base]) -> bool:
    return shelf.trial is None or shelf.trial.ended is not None


def activate(_: Shelf, said: ActivateScorePolicy, by: By[Base]) -> list[ScorePolicyEvent]:
    return [
        ScorePolicyActivated(
            policy_id=said.policy_id, begins_at=said.begins_at, activated_by=by.actor.id
        )
    ]


def is_activated(shelf: Shelf, said: ActivateScorePolicy, _: By[Base]) -> bool:
    at = micros(said.begins_at)
    return any(each.begins_at == at for each in shelf.book.activations_of(said.policy_id))


def begins_with_a_day(said: ActivateScorePolicy, by: By[Base]) -> Iterable[FieldError]:
    """What was answered stays: it begins with a day that is yet to come."""
    if micros(said.begins_at) % DAY_MICROS or not by.now < said.begins_at <= by.now + AHEAD_MAX:
        yield FieldError(field="begins_at", bound="the first instant of a day to come, UTC")


def _is_tried(shelf: Shelf, said: ActivateScorePolicy, by: By[Base]) -> None:
    """Of what holds, and of what will hold when it begins, it is known what it would change."""
    then = shelf.book.policy_at(micros(said.begins_at), by.known)
    for held in (shelf.holds, then):
        if held.policy_id != said.policy_id and not shelf.book.is_tried(
            said.policy_id, held.policy_id
        ):
            raise WrongState(state=shelf.status)


def drafters(shelf: Shelf, _: ActivateScorePolicy, __: By[Base]) -> Stakes:
    return Stakes(parties=frozenset(), opened_by=shelf.drafted_by)


EXAMPLE = "ours-2026"
DRAFT_SCORE_POLICY = PolicyRule(
    DraftScorePolicy,
    draft,
    roles=("ANALYST", "SENIOR"),
    shape=observes_alike,
    repeated=is_drafted,
    refuses=(AlreadySubmitted,),
    events=(ScorePolicyDrafted,),
    example=DraftScorePolicy(policy_id=DEFAULT.policy_id, policy=DEFAULT),
)
BEGIN_TRIAL = PolicyRule(
    BeginTrial,
    begin,
    roles=("ANALYST", "SENIOR"),
    stands=Guard(_is_free, LimitReached),
    events=(ScorePolicyTrialBegun,),
    example=BeginTrial(policy_id=EXAMPLE, trial_id="t-1"),
    tries=lambda shelf, _: [BeginTrial(policy_id=shelf.policy_id, trial_id="t-1")],
)
END_TRIAL = PolicyRule(
    EndTrial,
    end,
    roles=("SYSTEM",),
    repeated=has_ended,
    lapses=True,
    events=(ScorePolicyTrialEnded,),
    example=EndTrial(
        policy_id=EXAMPLE,
        trial_id="t-1",
        sellers=1214,
        up=18,
        down=41,
        rated_changed=0,
        caps_changed=2,
        sum_abs_delta_micro=96_482_113,
        max_abs_delta_micro=1_204_551,
    ),
)
ACTIVATE_SCORE_POLICY = PolicyRule(
    ActivateScorePolicy,
    activate,
    roles=("SENIOR",),
    human=True,
    shape=begins_with_a_day,
    impartial=impartial(drafters),
    repeated=is_activated,
    states=("TRIED", "ACTIVATED"),
    stands=Guard(_is_tried, WrongState),
    events=(ScorePolicyActivated,),
    example=ActivateScorePolicy(policy_id=EXAMPLE, begins_at=instant(20_454 * DAY_MICROS)),
    tries=lambda shelf, by: [
        ActivateScorePolicy(policy_id=shelf.policy_id, begins_at=next_day(by))
    ],
)


def next_day(by: By[Base]) -> Instant:
    """The first instant of tomorrow."""
    return instant((micros(by.now) // DAY_MICROS + 1) * DAY_MICROS)


POLICY_RULES = Rules[PolicyBook, Base, ScorePolicyEvent](
    DRAFT_SCORE_POLICY, BEGIN_TRIAL, END_TRIAL, ACTIVATE_SCORE_POLICY
)

type PolicyCommand = Sent[Any, Base]

POLICIES = Decider[PolicyBook, PolicyCommand, ScorePolicyEvent](
    initial=PolicyBook(), decide=POLICY_RULES.decide, evolve=evolve
)
