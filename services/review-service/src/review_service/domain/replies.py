"""What is said after the reveal: the reviewed party's reply and the buyer's follow-up."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Struct
from shared_casework.files import with_digests
from shared_casework.values import utc
from shared_events.fields import MEDIA_MAX, NOTE_LENGTH_MAX, Id, Sha256
from shared_events.review import EvaluationEvent, FollowUpAppended, ReplyEdited, ReplyPublished
from shared_events.sealed import same_text, same_texts
from shared_runtime.decider import AlreadySubmitted, FieldError, WrongState
from shared_runtime.rule import Guard, Window
from shared_runtime.shape import Files, Made, Words

from review_service.domain.known import Sender, policy_of
from review_service.domain.subject import (
    AUTHOR,
    PERSON,
    REVIEWED,
    ReviewRule,
    Subject,
    from_reveal,
    up_to,
)


class PublishReply(Struct, frozen=True, kw_only=True):
    """The reviewed party's answer, for all to read."""

    review_id: Id
    reply_id: Annotated[Id, Made("reply")]
    text: Annotated[str, Words(NOTE_LENGTH_MAX)]


class EditReply(Struct, frozen=True, kw_only=True):
    """Other words for it."""

    review_id: Id
    text: Annotated[str, Words(NOTE_LENGTH_MAX)]


class AppendFollowUp(Struct, frozen=True, kw_only=True):
    """What the buyer has to add after some time. It has no stars."""

    review_id: Id
    followup_id: Annotated[Id, Made("follow-up")]
    text: Annotated[str, Words(NOTE_LENGTH_MAX)]
    media: Annotated[tuple[str, ...], Files("REVIEW", MEDIA_MAX)] = ()
    media_sha256: tuple[Sha256, ...] = ()


def publish_reply(subject: Subject, said: PublishReply, by: Sender) -> list[EvaluationEvent]:
    """One to a review, within `review_reply_window` from the reveal."""
    return [
        ReplyPublished(
            **subject.ids,
            reply_id=said.reply_id,
            text=said.text,
            editable_until=utc(by.now) + policy_of(subject.sheet, by).review_reply_edit,
        )
    ]


def is_published(subject: Subject, said: PublishReply, _: Sender) -> bool:
    if (reply := subject.review.reply) is None:
        return False
    published = reply.published
    if published.reply_id == said.reply_id and same_text(published.text, said.text):
        return True
    raise AlreadySubmitted(existing_id=published.reply_id)


def replying(subject: Subject, _: object, by: Sender) -> Window:
    return from_reveal(subject, policy_of(subject.sheet, by).review_reply_window)


PUBLISH_REPLY = ReviewRule(
    PublishReply,
    publish_reply,
    roles=("BUYER", "SELLER"),
    party=REVIEWED,
    barred=PERSON,
    repeated=is_published,
    states=("VISIBLE",),
    window=replying,
    refuses=(AlreadySubmitted,),
    events=(ReplyPublished,),
    example=PublishReply(
        review_id="R-1", reply_id="RE-1", text="Thank you. The next one comes in a box."
    ),
)


def edit_reply(subject: Subject, said: EditReply, _: Sender) -> list[EvaluationEvent]:
    """Within `review_reply_edit` from its publication."""
    reply = subject.review.reply
    assert reply
    return [
        ReplyEdited(
            **subject.ids,
            reply_id=reply.published.reply_id,
            version=reply.version + 1,
            text=said.text,
        )
    ]


def is_edited(subject: Subject, said: EditReply, _: Sender) -> bool:
    reply = subject.review.reply
    return reply is not None and same_text(reply.text, said.text)


def has_reply(subject: Subject, _: object, __: Sender) -> None:
    """a reply is there and not hidden"""
    if not subject.review.has("REPLY"):
        raise WrongState(state="HIDDEN" if subject.review.reply else subject.status)


def editing(subject: Subject, _: object, by: Sender) -> Window:
    reply = subject.review.reply
    if reply is None:
        return Window()
    return up_to(reply.published.editable_until, policy_of(subject.sheet, by).review_reply_edit)


EDIT_REPLY = ReviewRule(
    EditReply,
    edit_reply,
    roles=("BUYER", "SELLER"),
    party=REVIEWED,
    barred=PERSON,
    repeated=is_edited,
    states=("VISIBLE",),
    stands=Guard(has_reply, WrongState),
    window=editing,
    events=(ReplyEdited,),
    example=EditReply(review_id="R-1", text="Thank you. The next one comes in a sturdy box."),
)


def append_follow_up(subject: Subject, said: AppendFollowUp, _: Sender) -> list[EvaluationEvent]:
    """One to a review, within `review_followup_window` from the reveal."""
    return [
        FollowUpAppended(
            **subject.ids,
            followup_id=said.followup_id,
            text=said.text,
            media=[*said.media] or None,
            media_sha256=[*said.media_sha256] or None,
        )
    ]


def shape_of_follow_up(said: AppendFollowUp, _: Sender) -> Iterator[FieldError]:
    return with_digests(said)


def is_appended(subject: Subject, said: AppendFollowUp, _: Sender) -> bool:
    if (known := subject.review.follow_up) is None:
        return False
    files = (known.media_sha256 or []) == [*said.media_sha256]
    same = same_text(known.text, said.text) and same_texts(known.media, [*said.media])
    if known.followup_id == said.followup_id and files and same:
        return True
    raise AlreadySubmitted(existing_id=known.followup_id)


def following_up(subject: Subject, _: object, by: Sender) -> Window:
    return from_reveal(subject, policy_of(subject.sheet, by).review_followup_window)


APPEND_FOLLOW_UP = ReviewRule(
    AppendFollowUp,
    append_follow_up,
    roles=("BUYER",),
    shape=shape_of_follow_up,
    party=AUTHOR,
    barred=PERSON,
    repeated=is_appended,
    states=("VISIBLE",),
    window=following_up,
    refuses=(AlreadySubmitted,),
    events=(FollowUpAppended,),
    example=AppendFollowUp(
        review_id="R-1", followup_id="FU-1", text="Half a year later it still shines."
    ),
)
