"""A review and who asks in, a neutral command of each kind out, to be tried on the decider.

Neutral: well-formed, and it would change something if anything of its kind could.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypedDict

from msgspec import Struct
from msgspec.structs import replace
from shared_events.review import Ground, ReviewHeld, Side
from shared_runtime.decider import Actor

from review_service.domain import commands
from review_service.domain.commands import (
    Asked,
    BuyerReview,
    Content,
    EvaluationCommand,
    Measure,
    OrderFacts,
    SellerReview,
)
from review_service.domain.content import same_content
from review_service.domain.evaluation_state import Evaluation, Unopened
from review_service.domain.guards import STARS_MAX, accounts_of
from review_service.domain.review_state import Written

NEUTRAL_ID = "neutral"
NEUTRAL_TEXT = "s1.neutral.neutral"
GROUNDS: frozenset[Ground] = frozenset(
    {
        "FAKE",
        "OFFENSIVE",
        "PERSONAL_DATA",
        "OFF_TOPIC",
        "EXTORTION",
        "WRONG_ORDER",
        "ILLEGAL",
        "OTHER",
        "CAMPAIGN",
    }
)


class Asking(Struct, frozen=True, kw_only=True):
    """Who asks, when, and what is known of him besides the stream."""

    actor: Actor
    now: datetime
    rating_right_lost: Measure | None = None
    erased: bool = False
    flagged_today_at: tuple[datetime, ...] = ()
    party_orgs: frozenset[str] = frozenset()

    @property
    def facts(self) -> OrderFacts:
        return OrderFacts(total_ref_minor=0, placed_at=self.now)


class Sent(TypedDict):
    now: datetime
    actor: Actor


class About(Sent):
    review_id: str


class ByPerson(About):
    erased: bool


def sent(asking: Asking) -> Sent:
    return Sent(now=asking.now, actor=asking.actor)


def about(asking: Asking, review: Written) -> About:
    return About(**sent(asking), review_id=review.review_id)


def by_person(asking: Asking, review: Written) -> ByPerson:
    return ByPerson(**about(asking, review), erased=asking.erased)


def submitting(asking: Asking, state: Evaluation) -> EvaluationCommand:
    return commands.SubmitReview(
        **sent(asking),
        erased=asking.erased,
        review_id=free_review_id(state),
        content=neutral_content(asking.actor),
        facts=asking.facts,
        rating_right_lost=asking.rating_right_lost,
    )


def amending(asking: Asking, state: Evaluation) -> EvaluationCommand:
    content = another_content(state, asking.actor)
    return commands.AmendReview(**sent(asking), erased=asking.erased, content=content)


def withdrawing(asking: Asking, review: Written) -> EvaluationCommand:
    return commands.WithdrawReview(**by_person(asking, review), facts=asking.facts)


def replying(asking: Asking, review: Written) -> EvaluationCommand:
    return commands.PublishReply(
        **by_person(asking, review), reply_id=NEUTRAL_ID, text=NEUTRAL_TEXT
    )


def editing(asking: Asking, review: Written) -> EvaluationCommand:
    return commands.EditReply(**by_person(asking, review), text=NEUTRAL_TEXT)


def following_up(asking: Asking, review: Written) -> EvaluationCommand:
    return commands.AppendFollowUp(
        **by_person(asking, review), followup_id=NEUTRAL_ID, text=NEUTRAL_TEXT
    )


def requesting(asking: Asking, review: Written) -> EvaluationCommand:
    return commands.RequestRevision(**by_person(asking, review))


def revising(asking: Asking, review: Written) -> EvaluationCommand:
    return commands.ReviseReview(
        **by_person(asking, review),
        quality=STARS_MAX,
        logistics=STARS_MAX,
        service=STARS_MAX,
        text=NEUTRAL_TEXT,
        facts=asking.facts,
    )


def flagging(asking: Asking, review: Written) -> EvaluationCommand:
    return commands.FlagReview(
        **by_person(asking, review),
        flag_id=free_id(review.flags),
        reason="OTHER",
        flagged_today_at=asking.flagged_today_at,
    )


def holding(asking: Asking, review: Written) -> EvaluationCommand:
    free = GROUNDS - review.held_for
    ground: Ground = min(free) if free else "OTHER"
    return commands.HoldReview(
        **about(asking, review),
        ground=ground,
        party_orgs=asking.party_orgs,
        facts=asking.facts,
    )


def releasing(asking: Asking, review: Written) -> EvaluationCommand:
    return commands.ReleaseReview(
        **about(asking, review), party_orgs=asking.party_orgs, facts=asking.facts
    )


def keeping(asking: Asking, review: Written) -> EvaluationCommand:
    flags = review.open_flags
    others = {
        flag_id: flag
        for flag_id, flag in flags.items()
        if flag.flagger_id not in accounts_of(asking.actor)
    }
    held = isinstance(review.standing, ReviewHeld)
    return commands.KeepReview(
        **about(asking, review),
        flag_ids=tuple(others if others or held else flags),
        rule_ids=(NEUTRAL_ID,),
        party_orgs=asking.party_orgs,
        facts=asking.facts,
    )


def restricting(asking: Asking, review: Written) -> EvaluationCommand:
    return commands.RestrictReview(
        **about(asking, review),
        ground="OTHER",
        rule_ids=(NEUTRAL_ID,),
        facts_text=NEUTRAL_TEXT,
        explanation=NEUTRAL_ID,
        measures=("HIDE_REVIEW",),
        automated_detection=False,
        party_orgs=asking.party_orgs,
        facts=asking.facts,
    )


def appealing(asking: Asking, review: Written) -> EvaluationCommand:
    return commands.AppealModeration(
        **by_person(asking, review), appeal_id=free_id(review.appeals), text=NEUTRAL_TEXT
    )


def deciding(asking: Asking, review: Written, appeal_id: str) -> EvaluationCommand:
    return commands.DecideModerationAppeal(
        **about(asking, review),
        appeal_id=appeal_id,
        outcome="UPHELD",
        rule_ids=(NEUTRAL_ID,),
        facts_text=NEUTRAL_TEXT,
        explanation=NEUTRAL_ID,
        party_orgs=asking.party_orgs,
        facts=asking.facts,
    )


WRITING: Mapping[type[Asked], Callable[[Asking, Evaluation], EvaluationCommand]] = {
    commands.SubmitReview: submitting,
    commands.AmendReview: amending,
}
ABOUT: Mapping[type[Asked], Callable[[Asking, Written], EvaluationCommand]] = {
    commands.WithdrawReview: withdrawing,
    commands.PublishReply: replying,
    commands.EditReply: editing,
    commands.AppendFollowUp: following_up,
    commands.RequestRevision: requesting,
    commands.ReviseReview: revising,
    commands.FlagReview: flagging,
    commands.HoldReview: holding,
    commands.ReleaseReview: releasing,
    commands.KeepReview: keeping,
    commands.RestrictReview: restricting,
    commands.AppealModeration: appealing,
}


def neutral_commands(
    kind: type[Asked], asking: Asking, state: Evaluation, review: Written
) -> list[EvaluationCommand]:
    """One of this kind about the review; of appeals, one for each, the open ones first."""
    if kind in WRITING:
        return [WRITING[kind](asking, state)]
    if kind in ABOUT:
        return [ABOUT[kind](asking, review)]
    assert kind is commands.DecideModerationAppeal
    appeals = review.appeals.items()
    still_open = [appeal_id for appeal_id, appeal in appeals if appeal.decided is None]
    return [deciding(asking, review, appeal_id) for appeal_id in still_open or [NEUTRAL_ID]]


def nobodys_review(state: Evaluation) -> Written:
    """One that is not there, for an answer that would be the same if there were one to hide."""
    content = SellerReview(rating=STARS_MAX)
    return Written(review_id=free_review_id(state), submitted=content, content=content)


def free_review_id(state: Evaluation) -> str:
    """One that neither side's review has: a taken one would be refused, and tell that it is."""
    taken = () if isinstance(state, Unopened) else state.sheet.reviews.values()
    return free_id({review.review_id: review for review in taken})


def free_id(taken: Mapping[str, object]) -> str:
    numbered = (f"{NEUTRAL_ID}-{number}" for number in range(1, len(taken) + 1))
    return next(free for free in (NEUTRAL_ID, *numbered) if free not in taken)


def neutral_content(actor: Actor) -> Content:
    if actor.acts_as == "BUYER":
        return BuyerReview(quality=STARS_MAX, logistics=STARS_MAX, service=STARS_MAX)
    return SellerReview(rating=STARS_MAX)


def another_content(state: Evaluation, actor: Actor) -> Content:
    """One that differs from what the actor's side has written: an equal one changes nothing."""
    neutral = neutral_content(actor)
    side: Side = "BUYER" if actor.acts_as == "BUYER" else "SELLER"
    own = None if isinstance(state, Unopened) else state.sheet.reviews.get(side)
    if own is None or not same_content(own.content, neutral):
        return neutral
    return replace(neutral, text=NEUTRAL_TEXT)
