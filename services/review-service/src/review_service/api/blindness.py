"""A decider of evaluations in, one that decides for a side without telling it of the other out."""

from collections.abc import Iterable
from dataclasses import replace

from msgspec import structs
from shared_events.review import EvaluationEvent, ReviewWeighted, Side
from shared_runtime.commands import Asked
from shared_runtime.decider import Actor
from shared_runtime.log import StaleVersion
from shared_runtime.problems import NotFound

from review_service.domain.commands import EvaluationCommand
from review_service.evaluation_views import Seen, SeenEvaluations, acting_side, side_told_of


def blind(
    decider: SeenEvaluations,
    actor: Actor,
    asked: Asked,
    *,
    review_id: str | None = None,
    own: bool = False,
    stranger_to: str | None = None,
) -> SeenEvaluations:
    """Decides for a party, or for somebody who is none.

    `review_id` is that of the review it is about: to a party, before the reveal or where it has
    to be his `own`, only that one is there. `stranger_to` is the `ref` of a review to whose order
    he is a stranger.
    """
    side = acting_side(actor)

    def decide(seen: Seen, command: EvaluationCommand) -> list[EvaluationEvent]:
        known = seen.version_for(actor)
        if asked.expected is not None and asked.expected != known:
            raise StaleVersion(expected=asked.expected, actual=known)
        if review_id is not None and review_id not in known_ids(seen, actor, own=own):
            raise NotFound
        events = decider.decide(seen, command)
        if asked.validate_only and side and not seen.revealed:
            return rehearsed(events, side)
        if asked.validate_only and stranger_to:
            return [nameless(event, stranger_to) for event in events]
        return events

    return replace(decider, decide=decide)


def rehearsed(events: Iterable[EvaluationEvent], side: Side) -> list[EvaluationEvent]:
    """What a dry run tells of: what its author would write, and nothing that comes of both."""
    return [event for event in events if side_told_of(event) == side and not_of_both(event)]


def nameless(event: EvaluationEvent, ref: str) -> EvaluationEvent:
    """What a stranger's dry run tells: the review by its `ref`, and nothing of order and buyer."""
    return structs.replace(event, order_id=ref, buyer_id=ref)


def not_of_both(event: EvaluationEvent) -> bool:
    """False for what is recorded of a side because the other has written."""
    return not isinstance(event, ReviewWeighted)


def known_ids(seen: Seen, actor: Actor, *, own: bool) -> set[str]:
    return {
        told.submitted.review_id
        for side, told in seen.told.items()
        if seen.is_there_for(actor, side) and not (own and side != acting_side(actor))
    }
