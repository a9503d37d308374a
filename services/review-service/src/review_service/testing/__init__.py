"""What is said of an evaluation and by whom in, a command for tests out; and variations of it."""

from datetime import datetime
from typing import Any, cast, overload

from msgspec import Struct
from msgspec.structs import replace
from shared_runtime.decider import Actor
from shared_runtime.rule import By, Sent

from review_service.domain.content import Content, content_fields
from review_service.domain.known import Known
from review_service.domain.policy import policies
from review_service.domain.rules import EvaluationCommand


def say(said: Struct, *, now: datetime, actor: Actor, **known: Any) -> EvaluationCommand:  # noqa: ANN401
    """A command by somebody who knows this besides the published policies."""
    known = {"policies": policies()} | known
    return Sent(said, By(actor=actor, now=now, known=Known(**known)))


@overload
def change(told: EvaluationCommand, **changes: Any) -> EvaluationCommand: ...  # noqa: ANN401
@overload
def change[T: Struct](told: T, **changes: Any) -> T: ...  # noqa: ANN401


def change(told: Struct, **changes: Any) -> Struct:
    """The same but for these fields: of an event, or of a command, of its sender or of what is
    known.
    """
    if not isinstance(told, Sent):
        return replace(told, **changes)
    sent = cast("EvaluationCommand", told)
    if content := changes.pop("content", None):
        changes |= in_words(content)
    said = _those(changes, sent.said)
    by = _those(changes, sent.by)
    known = _those(changes, sent.by.known)
    assert not changes, f"of nothing: {changes}"
    return Sent(
        replace(sent.said, **said),
        replace(sent.by, **by, known=replace(sent.by.known, **known)),
    )


def _those(changes: dict[str, Any], of: Struct) -> dict[str, Any]:
    return {name: changes.pop(name) for name in [*changes] if name in of.__struct_fields__}


def in_words(content: Content) -> dict[str, Any]:
    """The fields of a command that writes it."""
    told: dict[str, Any] = {**content_fields(content)}
    if told["rating"] is not None:
        told["incentive"] = None
    told["media"] = tuple(told["media"] or ())
    told["media_sha256"] = tuple(told["media_sha256"] or ())
    return told
