"""What a reader may know of an evaluation: laws of any history and any reader."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from itertools import product
from typing import NamedTuple, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import Struct
from review_service.domain.attribution import ReattributeDimension
from review_service.domain.evaluation_state import Evaluation, Revealed, Unopened
from review_service.domain.known import Known, Sender
from review_service.domain.policy import policies
from review_service.domain.readers import READERS, Reading, read_by, side_told_of
from review_service.domain.review_state import Review
from review_service.domain.revision import GrantRevision
from review_service.domain.rules import EVALUATIONS, RULES, EvaluationCommand
from review_service.domain.subject import OTHER, SIDES, Subject
from review_service.testing import change
from review_service.testing.histories import (
    ANALYST,
    BEFORE,
    BUYER,
    COMPLETED,
    DAY,
    EVERYTHING,
    MODERATOR,
    MORE,
    NO_TIME,
    PARTS,
    READER,
    SCRUTINY,
    SECOND,
    SELLER,
    SENIOR,
    SPEAKING,
    STRANGER,
    SYSTEM,
    WORTH,
    answered,
    events_of,
    in_time,
    pause,
    recorded,
    run,
    start,
    what_is_overdue,
    written,
)
from review_service.testing.refs import review_ref
from review_service.views import actions, evaluation_view, readable_history
from shared_events.common import StatementOfReasonsIssued
from shared_events.review import (
    EvaluationEvent,
    ModerationAppealDecided,
    ModerationAppealed,
    ReviewFlagged,
    ReviewHeld,
    ReviewKept,
    ReviewRestricted,
    ReviewWeighted,
    ReviewWithdrawn,
    Side,
)
from shared_runtime.decider import Actor, Refused
from shared_runtime.rule import By, Sent
from shared_runtime.rules import Row
from shared_runtime.testing import play

HOUR = timedelta(hours=1)
PARTIES = (BUYER, SELLER)
NO_STAFF = (*PARTIES, STRANGER, READER)
JUDGES = (
    MODERATOR,
    SECOND,
    ANALYST,
    SENIOR,
    Actor(role="MODERATOR", id="B1"),  # is the buyer, too
    Actor(role="MODERATOR", id="M9", org_id="S1"),  # belongs to the seller
)
STAFF = (*JUDGES, Actor(role="AUDITOR", id="U1"), Actor(role="AGENT", id="G1"))
OFFERED = (*NO_STAFF, *JUDGES)
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
readers = st.sampled_from((*NO_STAFF, *STAFF))


def sender(actor: Actor, now: datetime) -> Sender:
    return By(actor=actor, now=now, known=KNOWN)


def body(reading: Reading, now: datetime = COMPLETED) -> object:
    """What he is shown, whatever he can do about it at the moment."""
    view = evaluation_view("O1", reading, sender(reading.actor, now), review_ref)
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
    history = events_of(commands)
    reading = read_by(reader, history)
    assert len(readable_history(recorded(history), reading)) == reading.version


@given(histories, st.sampled_from(NO_STAFF))
def test_a_version_moves_when_what_a_reader_is_shown_does_and_only_then(
    commands: list[EvaluationCommand], reader: Actor
) -> None:
    for before, after, events in readings(reader, commands):
        moved = before.version != after.version
        assert moved == (body(before) != body(after)), [type(event) for event in events]


@given(histories, st.sampled_from(STAFF))
def test_whatever_staff_are_shown_has_a_version_of_its_own(
    commands: list[EvaluationCommand], reader: Actor
) -> None:
    """Theirs moves with what the page of the history alone tells, too."""
    shown: dict[int, object] = {}
    for _, after, _ in readings(reader, commands):
        assert shown.setdefault(after.version, body(after)) == body(after)


def readings(
    reader: Actor, commands: Sequence[EvaluationCommand]
) -> Iterator[tuple[Reading, Reading, list[EvaluationEvent]]]:
    """What he may know before and after each commit, and what is recorded there."""
    history: list[EvaluationEvent] = []
    before = read_by(reader, history)
    for _, events in run(commands).commits:
        history += events
        after = read_by(reader, history)
        yield before, after, events
        before = after


# --- Of each kind of event, in each state in which it can happen


TABLE = """
    EvaluationOpened         everybody
    EvaluationPaused         parties
    EvaluationResumed        parties
    EvaluationClosed         everybody
    ReviewSubmitted          everybody
    ReviewAmended            everybody
    ReviewsRevealed          everybody
    ReviewWeighted           everybody,author
    ReplyPublished           everybody
    ReplyEdited              everybody
    FollowUpAppended         everybody
    RevisionGranted          parties
    RevisionRequested        parties
    ReviewRevised            everybody
    ReviewWithdrawn          everybody
    ReviewFlagged            concerned
    ReviewScreened           staff
    ReviewHeld               everybody
    ReviewReleased           everybody
    ReviewKept               concerned
    ReviewRestricted         everybody
    ReviewRestored           everybody
    ModerationAppealed       concerned
    ModerationAppealDecided  concerned
    DimensionReattributed    everybody
    DecisionOverdue          staff
    StatementOfReasonsIssued concerned
"""
"""Who reads it besides staff: the author of the review, or whom it concerns: who has flagged or
appealed, or is told why. Of a weight everybody reads what can be seen of it.

Before the reveal whatever is about a review is its author's, of these; and of staff, those read it
who decide about it while it is in question.
"""
READ_BY = {kind: readers.split(",") for kind, readers in map(str.split, TABLE.strip().splitlines())}
PEOPLE: Mapping[tuple[str | None, str], Actor] = {
    ("BUYER", "B1"): BUYER,
    ("SELLER", "S1"): SELLER,
    ("BUYER", "B2"): STRANGER,
    ("SELLER", "S7"): READER,
}
ALL_STAFF = {SECOND, ANALYST, SENIOR, *STAFF[-2:], SYSTEM}
ANYONE = {*PEOPLE.values(), *ALL_STAFF}


class Happened(NamedTuple):
    """A commit on a history, and one of its events."""

    before: Sequence[EvaluationEvent]
    commit: Sequence[EvaluationEvent]
    event: EvaluationEvent

    @property
    def after(self) -> list[EvaluationEvent]:
        return [*self.before, *self.commit]

    @property
    def state(self) -> Evaluation:
        return EVALUATIONS.fold(self.after)

    @property
    def review(self) -> Review | None:
        """The one that it is about, where it is still there."""
        side = side_told_of(self.event)
        assert not isinstance(self.state, Unopened)
        return self.state.sheet.reviews.get(side) if side else None


@cache
def happened() -> Mapping[str, Sequence[Happened]]:
    """By kind, whatever comes of any command in any state that the rules tell apart."""
    found: dict[str, list[Happened]] = defaultdict(list)
    for commands in BEFORE:
        timed = in_time([(command, HOUR) for command in commands])
        before = play(EVALUATIONS, timed)
        last = timed[-1].now if timed else COMPLETED
        asked = [*EVERYTHING, *MORE, *what_is_overdue(before.events)]
        for command, later in product(asked, (NO_TIME, 20 * DAY)):
            commit = play(EVALUATIONS, [command.at(last + later)], before.events).events
            for event in commit:
                found[type(event).__name__].append(Happened(before.events, commit, event))
    return found


def test_of_every_kind_it_is_stated_who_reads_it() -> None:
    assert READ_BY.keys() == happened().keys() == {kind.__name__ for kind in READERS}


@pytest.mark.parametrize("kind", READ_BY)
def test_an_event_is_read_by_those_whom_its_row_names(kind: str) -> None:
    found: set[str] = set()
    for each in happened()[kind]:
        number = len(each.before) + each.commit.index(each.event)
        known_to = {reader for reader in ANYONE if read_by(reader, each.after).knows[number]}
        name = audience(each)
        found.add(name)
        assert known_to == named(name, each) & on_their_side(each), each.event
    assert found == set(READ_BY[kind])


def audience(each: Happened) -> str:
    """A weight that counts as much as the one before, of stars that are hidden, is its author's."""
    usual, *otherwise = READ_BY[type(each.event).__name__]
    return otherwise[0] if otherwise and not weight_is_seen(each) else usual


def weight_is_seen(each: Happened) -> bool:
    assert isinstance(each.event, ReviewWeighted)
    assert each.review
    weights = [event for event in each.after if isinstance(event, ReviewWeighted)]
    of_side = [event for event in weights if event.side == each.event.side]
    amounts = [(event.weight_milli, event.excluded_dimensions) for event in of_side]
    if len(amounts) == 1 or amounts[-1] != amounts[-2]:
        return True
    match each.review.standing:
        case ReviewHeld() | ReviewWithdrawn():
            return False
        case ReviewRestricted(measures=measures):
            return "HIDE_REVIEW" not in measures
        case _:
            return True


def named(name: str, each: Happened) -> set[Actor]:
    match name:
        case "everybody":
            return ANYONE
        case "parties":
            return {*PARTIES, *ALL_STAFF}
        case "author":
            return {author_of(each.event), *ALL_STAFF}
        case "concerned":
            return {PEOPLE[one] for one in concerned(each) if one in PEOPLE} | ALL_STAFF
        case _:
            return ALL_STAFF


def author_of(event: EvaluationEvent) -> Actor:
    return BUYER if side_told_of(event) == "BUYER" else SELLER


def concerned(each: Happened) -> set[tuple[str | None, str]]:
    """In which role and by which account."""
    flags = [event for event in each.after if isinstance(event, ReviewFlagged)]
    appeals = [event for event in each.after if isinstance(event, ModerationAppealed)]
    match each.event:
        case ReviewFlagged(flagger_role=role, flagger_id=account):
            return {(role, account)}
        case ReviewKept(flag_ids=flag_ids):
            closed = [flag for flag in flags if flag.flag_id in flag_ids]
            return {(flag.flagger_role, flag.flagger_id) for flag in closed}
        case ModerationAppealed(appeal_id=appeal_id) | ModerationAppealDecided(appeal_id=appeal_id):
            (lodged,) = (one for one in appeals if one.appeal_id == appeal_id)
            return {(lodged.appellant_role, lodged.appellant_id)}
        case StatementOfReasonsIssued(recipient_role=role, recipient_id=account):
            return {(role, account)}
        case _:
            raise AssertionError(each.event)


def on_their_side(each: Happened) -> set[Actor]:
    """Who may know of the review by then; everybody of the evaluation itself."""
    if side_told_of(each.event) is None or isinstance(each.state, Revealed):
        return ANYONE
    judges: set[Actor] = set()
    if each.review and each.review.appeals:
        judges = {SECOND, ANALYST, SENIOR}
    elif each.review and isinstance(each.review.standing, ReviewHeld | ReviewRestricted):
        judges = {SECOND, ANALYST}
    return {author_of(each.event), *judges}


@pytest.mark.parametrize("kind", READ_BY)
def test_what_somebody_may_not_know_moves_neither_what_he_sees_nor_its_version(kind: str) -> None:
    for each in happened()[kind]:
        for reader in ANYONE:
            before, after = read_by(reader, each.before), read_by(reader, each.after)
            if after.knows == (*before.knows, *(False for _ in each.commit)):
                assert (after.version, body(after)) == (before.version, body(before))
                assert after.state == before.state


# --- Before the reveal


beginnings = st.sampled_from([[start], [start, written], [start, answered], [start, pause]])
unread = st.lists(st.tuples(st.sampled_from(EVERYTHING), gaps), max_size=10)
hidden = st.tuples(beginnings, unread).map(
    lambda told: in_time([*((command, NO_TIME) for command in told[0]), *told[1]])
)
OF_THE_BUYERS_REVIEW = (GrantRevision, ReattributeDimension)


def is_of(side: Side, command: EvaluationCommand) -> bool:
    """Whether a side sends it, or it is about what that side has written."""
    told = {"BUYER": ("R1", "R3"), "SELLER": ("R2", "R4")}
    if isinstance(command.said, OF_THE_BUYERS_REVIEW):
        return side == "BUYER"
    about = getattr(command.said, "review_id", None)
    return about in told[side] or command.actor.acts_as == side


THEIRS: dict[Side, list[EvaluationCommand]] = {
    side: [command for command in EVERYTHING if is_of(side, command)] for side in SIDES
}


@given(hidden, st.sampled_from(PARTIES), st.data())
def test_before_the_reveal_a_reading_tells_nothing_of_what_the_other_side_does(
    commands: list[EvaluationCommand], party: Actor, data: st.DataObject
) -> None:
    other = OTHER["BUYER" if party == BUYER else "SELLER"]
    instead = data.draw(st.lists(st.sampled_from([None, *THEIRS[other]]), min_size=len(commands)))
    changed = [
        theirs.at(command.now) if is_of(other, command) and theirs else command
        for command, theirs in zip(commands, instead, strict=False)
        if theirs or not is_of(other, command)
    ]
    one, two = (play(EVALUATIONS, each) for each in (commands, changed))
    assume(not isinstance(one.state, Revealed) and not isinstance(two.state, Revealed))
    reading, reading_too = read_by(party, one.events), read_by(party, two.events)
    assert known(one.events, reading) == known(two.events, reading_too)
    assert reading.state == reading_too.state
    assert reading.version == reading_too.version
    by = sender(party, commands[-1].now)
    assert evaluation_view("O1", reading, by, review_ref) == evaluation_view(
        "O1", reading_too, by, review_ref
    )
    for command in EVERYTHING:
        if command.actor == party:
            asked = command.at(commands[-1].now)
            assert answer(one.state, asked) == answer(two.state, asked)


def known(history: Sequence[EvaluationEvent], reading: Reading) -> list[EvaluationEvent]:
    return [event for event, knows in zip(history, reading.knows, strict=True) if knows]


def answer(
    state: Evaluation, command: EvaluationCommand
) -> tuple[list[EvaluationEvent], str | None, object]:
    """What becomes of it at first, for a review may reveal both; or how it is refused."""
    try:
        return EVALUATIONS.decide(state, command)[:1], None, None
    except Refused as refused:
        return [], refused.slug(), refused.members()


# --- What is offered


@given(histories, st.sampled_from(OFFERED), st.sampled_from((NO_TIME, DAY, 40 * DAY)))
def test_what_a_reader_is_offered_is_what_is_accepted_of_him(
    commands: list[EvaluationCommand], reader: Actor, later: timedelta
) -> None:
    played = play(EVALUATIONS, commands)
    by = sender(reader, commands[-1].now + later)
    offers = {
        action.action: action.allowed for action in actions(read_by(reader, played.events), by)
    }
    assert offers.keys() == {row.name for row in RULES if reader.acts_as in row.roles}
    for row in RULES:
        if row.name in offers:
            tries = [Sent(said, by) for said in tried(row, played.state, by)]
            assert offers[row.name] == any(is_accepted(played.state, sent) for sent in tries)
    for command in EVERYTHING:
        name = type(command.said).__name__
        if not offers.get(name, True):
            assert not is_accepted(played.state, Sent(command.said, by)), name


def tried(
    row: Row[Evaluation, Known, EvaluationEvent], state: Evaluation, by: Sender
) -> Iterator[Struct]:
    """What could be said to each matter there is."""
    for matter in row.matters(state, by):
        for said in row.tries(matter, by) if row.tries else [row.example]:
            if isinstance(matter, Subject):
                yield change(said, review_id=matter.review.review_id)
            else:
                yield said


def is_accepted(state: Evaluation, command: EvaluationCommand) -> bool:
    events, _, _ = answer(state, command)
    return bool(events)
