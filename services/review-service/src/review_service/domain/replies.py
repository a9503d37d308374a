"""What is said after the reveal: the reviewed party's reply and the buyer's follow-up."""

from datetime import datetime, timedelta

from shared_events.review import EvaluationEvent, FollowUpAppended, ReplyEdited, ReplyPublished
from shared_events.sealed import same_text, same_texts
from shared_runtime.decider import AlreadySubmitted, WindowClosed, WrongState

from review_service.domain.commands import AppendFollowUp, EditReply, PublishReply
from review_service.domain.evaluation_state import Evaluation, Revealed
from review_service.domain.guards import Shape, require_known, utc
from review_service.domain.policy import Policies
from review_service.domain.subject import Subject, about, require_author, require_reviewed


def publish_reply(
    state: Evaluation, command: PublishReply, policies: Policies
) -> list[EvaluationEvent]:
    shape = Shape()
    shape.id("reply_id", command.reply_id)
    shape.text("text", command.text)
    subject = about(state, command, shape)
    require_reviewed(subject, command.actor)
    require_known(command)
    if reply := subject.review.reply:
        published = reply.published
        if published.reply_id == command.reply_id and same_text(published.text, command.text):
            return []
        raise AlreadySubmitted(existing_id=published.reply_id)
    subject.require("VISIBLE")
    policy = policies.of(subject.sheet.policy_version)
    require_window(subject, policy.review_reply_window, command.now)
    return [
        ReplyPublished(
            **subject.ids,
            reply_id=command.reply_id,
            text=command.text,
            editable_until=utc(command.now) + policy.review_reply_edit,
        )
    ]


def edit_reply(state: Evaluation, command: EditReply, _: Policies) -> list[EvaluationEvent]:
    shape = Shape()
    shape.text("text", command.text)
    subject = about(state, command, shape)
    require_reviewed(subject, command.actor)
    require_known(command)
    reply = subject.review.reply
    if reply is None:
        raise WrongState(state=subject.status)
    if same_text(reply.text, command.text):
        return []
    subject.require("VISIBLE")
    published = reply.published
    if command.now >= published.editable_until:
        raise WindowClosed(closed_at=published.editable_until)
    return [
        ReplyEdited(
            **subject.ids,
            reply_id=published.reply_id,
            version=reply.version + 1,
            text=command.text,
        )
    ]


def append_follow_up(
    state: Evaluation, command: AppendFollowUp, policies: Policies
) -> list[EvaluationEvent]:
    shape = Shape()
    shape.id("followup_id", command.followup_id)
    shape.text("text", command.text)
    shape.media(command.media, command.media_sha256)
    subject = about(state, command, shape)
    require_author(subject, command.actor)
    require_known(command)
    appended = FollowUpAppended(
        **subject.ids,
        followup_id=command.followup_id,
        text=command.text,
        media=[*command.media] or None,
        media_sha256=[*command.media_sha256] or None,
    )
    if known := subject.review.follow_up:
        if says_the_same(known, appended):
            return []
        raise AlreadySubmitted(existing_id=known.followup_id)
    subject.require("VISIBLE")
    policy = policies.of(subject.sheet.policy_version)
    require_window(subject, policy.review_followup_window, command.now)
    return [appended]


def says_the_same(one: FollowUpAppended, other: FollowUpAppended) -> bool:
    return (
        (one.followup_id, one.media_sha256) == (other.followup_id, other.media_sha256)
        and same_text(one.text, other.text)
        and same_texts(one.media, other.media)
    )


def require_window(subject: Subject, window: timedelta, now: datetime) -> None:
    """Refuses what comes too long after the reveal."""
    assert isinstance(subject.state, Revealed)
    closed_at = subject.state.revealed_at + window
    if now >= closed_at:
        raise WindowClosed(closed_at=closed_at)
