"""Every row of the rules of orders and evaluations: whom it refuses, from where, and with what."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from review_service.domain.double_blind import SubmitReview
from review_service.domain.evaluation_state import Evaluation
from review_service.domain.known import Known, Measure, Sender
from review_service.domain.order_rules import ORDER_RULES, ORDERS, OrderCommand
from review_service.domain.policy import policies
from review_service.domain.rules import EVALUATIONS, RULES, EvaluationCommand
from review_service.testing import change, order_histories
from review_service.testing import histories as kit
from review_service.testing.histories import (
    ANYBODY,
    COMPLETED,
    DAY,
    EVERYTHING,
    FAR,
    MORE,
    NO_TIME,
    SYSTEM,
    WORTH,
    answered,
    appeal,
    ask,
    decide,
    follow_up,
    grant,
    hold,
    in_time,
    release,
    restrict,
    revise,
    start,
    void,
    what_is_overdue,
    written,
)
from shared_events.review import EvaluationEvent
from shared_runtime.decider import (
    Actor,
    AlreadySubmitted,
    HumanRequired,
    InvalidValue,
    NotFound,
    Refused,
    Role,
    RoleNotAllowed,
    TimeGoesBack,
    WrongState,
)
from shared_runtime.rule import By, Sent
from shared_runtime.rules import Row, Rules, tries
from shared_runtime.shape import require_shape
from shared_runtime.testing import play

type AnyRow = Row[Any, Known, Any]
type AnySent = Sent[Any, Known]

HOUR = timedelta(hours=1)
KNOWN = Known(policies=policies(), facts=WORTH)
ROLES: tuple[Role, ...] = get_args(Role.__value__)

TABLE = """
    PlaceOrder              NONE
    MarkPaid                PLACED
    MarkShipped             PAID
    MarkDelivered           SHIPPED
    CompleteOrder           SHIPPED DELIVERED
    CancelOrder             PLACED PAID SHIPPED DELIVERED
    ReopenOrder             COMPLETED
    AttributeDelay          SHIPPED DELIVERED COMPLETED

    OpenEvaluation          NONE PAUSED
    PauseEvaluation         OPEN PAUSED
    ResumeEvaluation        PAUSED
    CloseEvaluation         OPEN
    VoidEvaluation          OPEN PAUSED
    SubmitReview            OPEN PAUSED
    NoteOverdue             PENDING

    AmendReview             SUBMITTED
    WithdrawReview          SUBMITTED VISIBLE HELD
    PublishReply            VISIBLE
    EditReply               VISIBLE
    AppendFollowUp          VISIBLE
    GrantRevision           VISIBLE
    RequestRevision         VISIBLE
    ReviseReview            VISIBLE
    FlagReview              VISIBLE RESTRICTED
    RecordScreening         SUBMITTED VISIBLE HELD RESTRICTED
    LiftCampaignWeight      VISIBLE HELD RESTRICTED
    HoldReview              SUBMITTED VISIBLE
    ReleaseReview           HELD
    KeepReview              VISIBLE HELD RESTRICTED
    RestrictReview          SUBMITTED VISIBLE HELD RESTRICTED
    AppealModeration        VISIBLE HELD RESTRICTED WITHDRAWN
    DecideModerationAppeal  VISIBLE HELD RESTRICTED WITHDRAWN CLOSED
    ReattributeDimension    SUBMITTED VISIBLE HELD RESTRICTED WITHDRAWN
    ReweighReview           VISIBLE HELD RESTRICTED WITHDRAWN
"""
"""In which states of its matter a command is taken. Of a RESTRICTED review a part may be flagged,
kept or restricted, and of a WITHDRAWN one a decision about a part appealed. A case goes on when the
order is cancelled.
"""
TAKEN = {row[0]: frozenset(row[1:]) for row in map(str.split, TABLE.split("\n")) if row}
OVER = {"window-closed", "time-goes-back"}
SEALED = {"evidence-sealed"}
OTHERWISE: dict[tuple[str, str], set[str]] = {
    ("SubmitReview", "NONE"): {"not-yet-eligible", "wrong-state"},
    ("SubmitReview", "REVEALED"): OVER,
    ("SubmitReview", "CLOSED"): OVER | {"wrong-state"},
    ("AmendReview", "VISIBLE"): SEALED,
    ("AmendReview", "WITHDRAWN"): SEALED,
    # Before the reveal there is nothing sealed yet.
    ("AmendReview", "HELD"): SEALED | {"wrong-state"},
    ("AmendReview", "RESTRICTED"): SEALED | {"wrong-state"},
}
"""How a command is refused in a state where it is not taken, if not with `wrong-state` alone."""
ANYWHERE: set[type[Refused]] = {InvalidValue, NotFound, TimeGoesBack}
"""What every command may be answered, whatever its row says: the log knows what was last."""


# --- What is tried


class History(NamedTuple):
    """What it has led to, when the last of it was, and what is asked then."""

    state: Any
    last: datetime
    asked: Sequence[AnySent]


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A kind of stream. `usual`: a state in which everybody knows of its matters."""

    rules: Rules[Any, Known, Any]
    usual: Any
    histories: Sequence[History]
    actors: Sequence[Actor]
    knowing: Sequence[dict[str, Any]]


class Tried(NamedTuple):
    """`outcome`: `recorded`, `nothing`, or how it is refused. `status`: None if it is not there."""

    status: str | None
    outcome: str
    events: Sequence[type[Struct]] = ()


close = MORE[0]
OF_EVALUATIONS = [
    *EVERYTHING,
    *MORE,
    change(follow_up, followup_id="U2"),
    change(restrict, rule_ids=()),
    change(decide, explanation=None),
]
AFTER_REVEAL = ([follow_up], [hold, release], [grant, ask], [grant, revise])
HISTORIES: list[list[EvaluationCommand]] = [
    *kit.BEFORE,
    [start, close],
    [start, written, close],
    [start, written, restrict, appeal, void],
    *([start, written, answered, *more] for more in AFTER_REVEAL),
]


def of_evaluation(before: Sequence[EvaluationCommand]) -> History:
    timed = in_time([(each, 15 * DAY if each is close else HOUR) for each in before])
    played = play(EVALUATIONS, timed)
    last = timed[-1].now if timed else COMPLETED
    return History(played.state, last, [*OF_EVALUATIONS, *what_is_overdue(played.events)])


def of_order(before: Sequence[OrderCommand]) -> History:
    timed = order_histories.in_time([(each, HOUR) for each in before])
    last = timed[-1].now if timed else order_histories.PLACED
    return History(play(ORDERS, timed).state, last, order_histories.TEMPLATES)


OF_ORDERS = Stream(
    rules=ORDER_RULES,
    usual=of_order(order_histories.LIFE).state,
    histories=[of_order(before) for before in order_histories.BEFORE],
    actors=(*order_histories.ACTORS, Actor(role="BUYER", id="B2")),
    knowing=(),
)
EVALUATION = Stream(
    rules=RULES,
    usual=of_evaluation([start, written, answered]).state,
    histories=[of_evaluation(before) for before in HISTORIES],
    actors=(*ANYBODY, Actor(role="MODERATOR", id="B1")),  # who is the buyer, too
    knowing=(
        {"erased": True},
        {"rating_right_lost": Measure(measure_id="m")},
        {"order_cancelled": True},
        {"flagged_today_at": (COMPLETED + DAY,) * 20},
    ),
)
ROWS: list[AnyRow] = [*ORDER_RULES, *RULES]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def stream_of(row: AnyRow) -> Stream:
    return OF_ORDERS if row in [*ORDER_RULES] else EVALUATION


@cache
def tries_of(name: str) -> list[Tried]:
    """Every command of a row on every history: later, by others, with more that is known."""
    row = next(each for each in ROWS if each.name == name)
    stream = stream_of(row)
    return [
        Tried(status_of(row, history.state, sent), *outcome_of(stream, history.state, sent))
        for history in stream.histories
        for command in history.asked
        if type(command.said) is row.command
        for sent in variations(stream, command, history.last)
    ]


def variations(stream: Stream, command: AnySent, last: datetime) -> Iterator[AnySent]:
    for later in (NO_TIME, 4 * DAY, 20 * DAY, 365 * DAY):
        yield command.at(last + later)
    if stream is OF_ORDERS or isinstance(command.said, SubmitReview):
        yield command.at(last - 2 * HOUR)  # of other commands the log asks it
    for actor in stream.actors:
        yield change(command, now=last, actor=actor)
    for more in stream.knowing:
        yield change(command, now=last, **more)


def status_of(row: AnyRow, state: object, sent: AnySent) -> str | None:
    try:
        status: str = row.find(state, sent.said, sent.by).status
    except NotFound:
        return None
    return status


def outcome_of(stream: Stream, state: object, sent: AnySent) -> tuple[str, Sequence[type[Struct]]]:
    try:
        events: list[Struct] = stream.rules.decide(state, sent)
    except Refused as refused:
        return refused.slug(), ()
    return "recorded" if events else "nothing", [type(event) for event in events]


def example_by(row: AnyRow, actor: Actor, now: datetime = FAR) -> AnySent:
    """About the review that is there, if it is about one."""
    about = {"review_id": "R1"} if "review_id" in row.command.__struct_fields__ else {}
    return Sent(change(row.example, **about), By(actor=actor, now=now, known=KNOWN))


def slugs(refusals: Iterable[type[Refused]]) -> set[str]:
    return {refusal.slug() for refusal in refusals}


# --- Who


@every_row
def test_a_role_that_a_row_does_not_name_is_refused(row: AnyRow) -> None:
    stream = stream_of(row)
    state = stream.usual
    for role in ROLES:
        sent = example_by(row, Actor(role=role, id="X1"))
        if role in row.roles:
            assert outcome_of(stream, state, sent) != (RoleNotAllowed.slug(), ())
        elif row.human and role == "SYSTEM":
            assert outcome_of(stream, state, sent) == (HumanRequired.slug(), ())
        else:
            with pytest.raises(RoleNotAllowed) as refused:
                stream.rules.decide(state, sent)
            assert refused.value.allowed_roles == [*row.roles]


@pytest.mark.parametrize("row", [row for row in ROWS if row.human], ids=lambda row: row.name)
@pytest.mark.parametrize(
    "machine",
    [
        SYSTEM,
        Actor(role="IMPORTER", id="olist", on_behalf_of="SYSTEM"),
        Actor(role="SYSTEM", id="robot", on_behalf_of="MODERATOR"),
    ],
    ids=str,
)
def test_what_a_person_must_decide_is_refused_to_a_machine_and_to_who_acts_for_one(
    row: AnyRow, machine: Actor
) -> None:
    stream = stream_of(row)
    with pytest.raises(HumanRequired):
        stream.rules.decide(stream.usual, example_by(row, machine))


def test_what_restricts_or_keeps_or_decides_an_appeal_is_for_people_alone() -> None:
    human = {row.name for row in ROWS if row.human}
    assert human == {"KeepReview", "RestrictReview", "DecideModerationAppeal"}


# --- From where


def test_every_row_has_its_states() -> None:
    assert TAKEN.keys() == {row.name for row in ROWS}


@every_row
def test_a_row_names_the_states_in_which_it_is_taken(row: AnyRow) -> None:
    statuses = {each.status for each in tries_of(row.name) if each.outcome == "recorded"}
    assert statuses == TAKEN[row.name]
    if row.states:
        assert set(row.states) == TAKEN[row.name]


@every_row
def test_in_a_state_that_a_row_does_not_name_it_is_refused(row: AnyRow) -> None:
    """Whoever may send it, knows of it and does not repeat himself gets as far as the state."""
    asked_before = {InvalidValue, HumanRequired, RoleNotAllowed, AlreadySubmitted}
    for guard in row.guards:
        asked_before |= {*guard.refuses}
    usual = slugs({WrongState} & {*row.all_refusals})
    found: dict[str, set[str]] = {}
    for status, outcome, _ in tries_of(row.name):
        if status and status not in TAKEN[row.name]:
            found.setdefault(status, set()).add(outcome)
    for status, outcomes in found.items():
        refused = outcomes - slugs(asked_before) - {"nothing"}
        repeated = outcomes & {"nothing", AlreadySubmitted.slug()}
        unknown = status in ("SUBMITTED", "CLOSED")  # to the party that it is about
        expected = OTHERWISE.get((row.name, status), usual)
        assert refused == expected or (not refused and (repeated or unknown)), status


# --- With what


@every_row
def test_every_refusal_that_a_row_names_is_earned_and_no_other_is_answered(row: AnyRow) -> None:
    named = slugs(row.all_refusals)
    outcomes = {each.outcome for each in tries_of(row.name)} - {"recorded", "nothing"}
    assert named - outcomes <= slugs(ANYWHERE)
    assert outcomes - named <= slugs(ANYWHERE)


@every_row
def test_every_event_that_a_row_names_comes_of_it_and_no_other(row: AnyRow) -> None:
    assert {kind for each in tries_of(row.name) for kind in each.events} == {*row.events}


@every_row
def test_an_instant_without_its_offset_is_refused_first(row: AnyRow) -> None:
    stream = stream_of(row)
    naive = example_by(row, Actor(role=row.roles[0], id="X1"), FAR.replace(tzinfo=None))
    with pytest.raises(InvalidValue) as refused:
        stream.rules.decide(stream.usual, naive)
    assert [error.field for error in refused.value.errors] == ["now"]


@every_row
def test_the_example_of_a_row_and_what_is_offered_by_it_are_well_formed(row: AnyRow) -> None:
    require_fit(row, row.example, Actor(role=row.roles[0], id="X1"))
    stream = stream_of(row)
    for history in stream.histories:
        for actor in stream.actors:
            if actor.acts_as in row.roles:
                by = By(actor=actor, now=history.last, known=KNOWN)
                for matter, said in tries(row, history.state, by):
                    if is_taken(row, matter, said, by):
                        require_fit(row, said, actor)


def is_taken(row: AnyRow, matter: object, said: Struct, by: Sender) -> bool:
    try:
        return bool(row.run(matter, said, by))
    except Refused:
        return False


def require_fit(row: AnyRow, said: Struct, actor: Actor) -> None:
    by = By(actor=actor, now=FAR, known=KNOWN)
    require_shape(said, by.now, row.shape(said, by) if row.shape else ())


# --- Whatever happens


anything = st.lists(
    st.tuples(
        st.sampled_from(OF_EVALUATIONS),
        st.timedeltas(min_value=NO_TIME, max_value=9 * DAY),
        st.one_of(st.none(), st.sampled_from(EVALUATION.actors)),
    ),
    max_size=14,
)
beginnings = st.sampled_from([[], [start], [start, written], [start, written, answered]])


@given(beginnings, anything)
def test_whatever_is_recorded_or_refused_is_in_the_row(
    before: list[EvaluationCommand],
    steps: list[tuple[EvaluationCommand, timedelta, Actor | None]],
) -> None:
    told = [
        *((command, NO_TIME) for command in before),
        *((change(each, actor=actor) if actor else each, later) for each, later, actor in steps),
    ]
    state = EVALUATIONS.initial
    for command in in_time(told):
        row = RULES[type(command.said)]
        events, refused = answer(state, command)
        assert refused is None or refused in {*row.all_refusals, *ANYWHERE}
        for event in events:
            assert command.actor.acts_as in row.roles
            assert type(event) in row.events
            state = EVALUATIONS.evolve(state, event)


def answer(
    state: Evaluation, command: EvaluationCommand
) -> tuple[list[EvaluationEvent], type[Refused] | None]:
    try:
        return EVALUATIONS.decide(state, command), None
    except Refused as refused:
        return [], type(refused)
