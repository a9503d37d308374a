"""What a reader may know of an evaluation: laws of any history and any reader."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st
from review_service.domain.evaluation_state import Unopened
from review_service.domain.known import Known, Sender
from review_service.domain.policy import policies
from review_service.domain.readers import READERS, Reading, read_by
from review_service.domain.rules import EvaluationCommand
from review_service.testing.histories import (
    ANALYST,
    BUYER,
    COMPLETED,
    DAY,
    EVERYTHING,
    MODERATOR,
    NO_TIME,
    PARTS,
    READER,
    SCRUTINY,
    SECOND,
    SELLER,
    SENIOR,
    SPEAKING,
    STRANGER,
    WORTH,
    answered,
    in_time,
    run,
    start,
    written,
)
from review_service.views import evaluation_view, readable_history
from shared_events.envelope import Recorded
from shared_events.review import EvaluationEvent, ReviewWeighted
from shared_runtime.decider import Actor
from shared_runtime.rule import By

PARTIES = (BUYER, SELLER)
STAFF_OF_SELLER = Actor(role="MODERATOR", id="M9", org_id="S1")
READING = (
    *PARTIES,
    STRANGER,
    READER,
    MODERATOR,
    SECOND,
    ANALYST,
    SENIOR,
    Actor(role="AUDITOR", id="U1"),
    Actor(role="AGENT", id="G1"),
    Actor(role="MODERATOR", id="B1"),
    STAFF_OF_SELLER,
)
KNOWN = Known(policies=policies(), facts=WORTH)

gaps = st.timedeltas(min_value=NO_TIME, max_value=9 * DAY)
short = st.timedeltas(min_value=NO_TIME, max_value=2 * DAY)
whenever = st.lists(st.tuples(st.sampled_from(EVERYTHING), gaps), max_size=14)
after_reveal = st.lists(
    st.tuples(st.sampled_from([*SPEAKING, *SCRUTINY, *PARTS]), short), min_size=6, max_size=16
).map(lambda rest: [(written, NO_TIME), (answered, NO_TIME), *rest])
histories = st.one_of(after_reveal, after_reveal, whenever).map(
    lambda rest: in_time([(start, NO_TIME), *rest])
)
readers = st.sampled_from(READING)


def sender(actor: Actor, now: datetime) -> Sender:
    return By(actor=actor, now=now, known=KNOWN)


def body(reading: Reading, now: datetime = COMPLETED) -> object:
    """What he is shown, whatever he can do about it at the moment."""
    view = evaluation_view("O1", reading, sender(reading.actor, now))
    return replace(view, available_actions=[])


def test_of_every_kind_of_event_it_is_said_who_may_know_of_it() -> None:
    assert set(READERS) == set(get_args(EvaluationEvent.__value__))


@given(histories, readers)
def test_what_anybody_may_know_makes_an_evaluation_at_any_time(
    commands: list[EvaluationCommand], reader: Actor
) -> None:
    history: list[EvaluationEvent] = []
    for _, events in run(commands).commits:
        history += events
        reading = read_by(reader, history)
        assert isinstance(reading.state, Unopened) == (reading.version == 0)
        body(reading)


@given(histories, readers)
def test_a_history_has_as_many_events_as_its_version_says(
    commands: list[EvaluationCommand], reader: Actor
) -> None:
    stream = run(commands)
    reading = read_by(reader, [event for _, event in stream.events])
    told = readable_history([recorded(at, event) for at, event in stream.events], reading)
    assert len(told) == reading.version


def recorded(at: datetime, event: EvaluationEvent) -> Recorded[EvaluationEvent]:
    return Recorded(
        topic="review.events",
        partition=0,
        position=1,
        event_id="",
        stream="evaluation-O1",
        version=1,
        type=type(event).__name__,
        time=at,
        recorded_at=at,
        key="S1",
        actor="moderator:M1",
        correlation_id="O1",
        causation_id="",
        event=event,
    )


def knows(before: Reading, after: Reading) -> tuple[Sequence[bool], Sequence[bool]]:
    """Which events he knew before, and which he knows now."""
    since = len(after.knows) - len(before.knows)
    return (*before.knows, *[False] * since), after.knows


def is_weight_of_hidden_stars(event: EvaluationEvent, reading: Reading) -> bool:
    if not isinstance(event, ReviewWeighted):
        return False
    view = evaluation_view("O1", reading, sender(reading.actor, COMPLETED))
    review = next(each for each in view.reviews if each.review_id == event.review_id)
    return review.quality is None and review.rating is None


@given(histories, st.sampled_from(PARTIES))
def test_a_partys_version_moves_when_what_he_is_shown_does_and_only_then(
    commands: list[EvaluationCommand], party: Actor
) -> None:
    """Save for the weight of a review whose stars he is not shown: that it weighs anew everybody
    may know; the reasons are told with the stars.
    """
    history: list[EvaluationEvent] = []
    before = read_by(party, history)
    for _, events in run(commands).commits:
        history += events
        after = read_by(party, history)
        moved = before.version != after.version
        new = [
            event
            for event, *known in zip(history, *knows(before, after), strict=True)
            if known == [False, True]
        ]
        if not (new and all(is_weight_of_hidden_stars(event, after) for event in new)):
            assert moved == (body(before) != body(after)), [type(event) for event in events]
        before = after
