"""A kind of command and a review in, from when till when such a command is taken out."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from shared_events.review import ReviewRestricted
from shared_runtime.decider import Actor

from review_service.domain import commands
from review_service.domain.commands import Asked
from review_service.domain.evaluation_state import Known, Open, Revealed
from review_service.domain.flags import sender_of
from review_service.domain.policy import ReviewPolicy
from review_service.domain.review_state import Written, dismissed_flags


class Window(NamedTuple):
    """Half-open; None where time sets no limit."""

    earliest: datetime | None = None
    latest: datetime | None = None


type Find = Callable[[Known, Written, Actor, ReviewPolicy], Window]


def window_of(
    kind: type[Asked], state: Known, review: Written, actor: Actor, policy: ReviewPolicy
) -> Window:
    return WINDOWS[kind](state, review, actor, policy) if kind in WINDOWS else Window()


def writing(state: Known, _: Written, __: Actor, ___: ReviewPolicy) -> Window:
    latest = state.closes_at if isinstance(state, Open) else None
    return Window(state.sheet.completed_at, latest)


def replying(state: Known, _: Written, __: Actor, policy: ReviewPolicy) -> Window:
    return from_reveal(state, policy.review_reply_window)


def following_up(state: Known, _: Written, __: Actor, policy: ReviewPolicy) -> Window:
    return from_reveal(state, policy.review_followup_window)


def from_reveal(state: Known, length: timedelta) -> Window:
    if not isinstance(state, Revealed):
        return Window()
    return Window(state.revealed_at, state.revealed_at + length)


def editing(_: Known, review: Written, __: Actor, policy: ReviewPolicy) -> Window:
    until = review.reply.published.editable_until if review.reply else None
    return up_to(until, policy.review_reply_edit)


def revising(_: Known, review: Written, __: Actor, policy: ReviewPolicy) -> Window:
    return up_to(review.granted.until if review.granted else None, policy.review_revision_window)


def appealing(_: Known, review: Written, actor: Actor, policy: ReviewPolicy) -> Window:
    until: datetime | None = None
    if isinstance(review.standing, ReviewRestricted):
        until = review.standing.appeal_until
    elif dismissed := dismissed_flags(review, *sender_of(actor)):
        until = dismissed[-1].kept.appeal_until
    return up_to(until, policy.review_moderation_appeal)


def up_to(until: datetime | None, length: timedelta) -> Window:
    return Window(until - length, until) if until else Window()


WINDOWS: Mapping[type[Asked], Find] = {
    commands.SubmitReview: writing,
    commands.AmendReview: writing,
    commands.PublishReply: replying,
    commands.EditReply: editing,
    commands.AppendFollowUp: following_up,
    commands.RequestRevision: revising,
    commands.ReviseReview: revising,
    commands.AppealModeration: appealing,
}
