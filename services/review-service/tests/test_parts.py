"""A reply or a follow-up alone: flagged, judged and appealed under a review that stays as it is."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_service.domain.evaluation_state import Evaluation, Revealed
from review_service.domain.known import Known
from review_service.domain.moderation import RestrictReview
from review_service.domain.policy import policies
from review_service.domain.readers import read_by
from review_service.domain.review_state import Review, part_of
from review_service.domain.rules import EVALUATIONS, EvaluationCommand
from review_service.testing import change
from review_service.testing.histories import (
    ANALYST,
    BUYER,
    COMPLETED,
    DAY,
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
    Run,
    answered,
    appeal,
    by_another,
    decide,
    edit,
    flag,
    flag_follow_up,
    flag_reply,
    follow_up,
    hide_follow_up,
    hide_reply,
    hold,
    in_time,
    keep,
    keep_follow_up,
    keep_reply,
    of_campaign,
    of_follow_up,
    of_kept_follow_up,
    of_kept_reply,
    of_reader,
    of_reply,
    of_text,
    recorded,
    reply,
    restrict,
    run,
    sealed,
    start,
    withdraw,
    written,
)
from review_service.testing.refs import review_ref
from review_service.views import (
    EvaluationView,
    FlagView,
    ReviewView,
    evaluation_view,
    readable_history,
)
from shared_events.common import DecisionOverdue, StatementOfReasonsIssued
from shared_events.review import (
    EvaluationEvent,
    FollowUpAppended,
    ModerationAppealDecided,
    ModerationAppealed,
    Part,
    ReplyEdited,
    ReplyPublished,
    Restriction,
    ReviewFlagged,
    ReviewKept,
    ReviewReleased,
    ReviewRestored,
    ReviewRestricted,
    ReviewWeighted,
)
from shared_runtime.decider import (
    Actor,
    AlreadyAppealed,
    AlreadySubmitted,
    ConflictOfInterest,
    InvalidValue,
    NotAParty,
    WindowClosed,
    WrongState,
)
from shared_runtime.rule import By
from shared_runtime.testing import Given, Played, Scenario, play

HOUR = timedelta(hours=1)
THIRD = Actor(role="MODERATOR", id="M3")
evaluation = Scenario(EVALUATIONS)
type History = Given[Evaluation, EvaluationCommand, EvaluationEvent]


def told(*commands: EvaluationCommand) -> list[EvaluationCommand]:
    """Both have written, the seller has replied and the buyer has followed up; then these. One
    each hour.
    """
    return in_time(
        [(each, HOUR) for each in (start, written, answered, reply, follow_up, *commands)]
    )


def after(*commands: EvaluationCommand) -> History:
    played = play(EVALUATIONS, told(*commands))
    assert played.refused is None
    return evaluation.given(*played.events)


def kinds(played: Played[Evaluation, EvaluationEvent]) -> list[type[EvaluationEvent]]:
    return [type(event) for event in played.events]


def statement(played: Played[Evaluation, EvaluationEvent]) -> StatementOfReasonsIssued:
    (one,) = (each for each in played.events if isinstance(each, StatementOfReasonsIssued))
    return one


def first(played: Played[Evaluation, EvaluationEvent]) -> Any:  # noqa: ANN401
    return played.events[0]


def review_of(state: Evaluation) -> Review:
    assert isinstance(state, Revealed)
    return state.sheet.reviews["BUYER"]


NOW = COMPLETED + 2 * DAY


def later(command: EvaluationCommand) -> EvaluationCommand:
    return command.at(NOW)


# --- Flags


def test_a_reader_flags_a_reply_or_a_follow_up_alone() -> None:
    for command in (flag_reply, flag_follow_up):
        raised = first(after().when(later(command)))
        assert isinstance(raised, ReviewFlagged)
        assert raised.part == command.said.part
        assert raised.decide_by == NOW + 5 * DAY


def test_a_reader_has_one_open_flag_on_the_review_and_on_each_part() -> None:
    of_reply_too = change(flag_reply, actor=READER)
    before = after(flag, flag_follow_up, of_reply_too)
    for flagged in (flag, flag_follow_up, of_reply_too):
        once_more = change(later(flagged), flag_id="F9")
        before.when(once_more).then_refused(AlreadySubmitted, existing_id=flagged.said.flag_id)


def test_a_flag_is_of_one_part() -> None:
    other = change(later(flag_reply), part="FOLLOW_UP")
    after(flag_reply).when(other).then_refused(InvalidValue)
    after(flag_reply).when(later(flag_reply)).then_nothing()


def test_a_part_that_is_not_there_or_not_shown_is_not_flagged() -> None:
    bare = evaluation.given(*play(EVALUATIONS, told()[:3]).events)
    bare.when(later(flag_reply)).then_refused(WrongState, state="VISIBLE")
    after(hide_reply).when(later(flag_reply)).then_refused(WrongState, state="VISIBLE")
    after(hold).when(later(flag_reply)).then_refused(WrongState, state="HELD")
    after(restrict).when(later(flag_reply)).then_refused(WrongState, state="RESTRICTED")


def test_the_reply_to_a_review_whose_text_alone_is_hidden_is_flagged() -> None:
    assert kinds(after(of_text).when(later(flag_reply))) == [ReviewFlagged]
    after(of_text).when(later(flag)).then_refused(WrongState, state="RESTRICTED")


# --- Kept


def test_the_flags_of_a_part_are_answered_and_release_no_review() -> None:
    assert kinds(after(flag_reply, hold).when(later(keep_reply))) == [ReviewKept]
    with_the_review = change(later(keep), flag_ids=("F1", "F5"))
    assert kinds(after(flag, flag_reply, hold).when(with_the_review)) == [
        ReviewKept,
        ReviewReleased,
        ReviewWeighted,
    ]


def test_a_part_is_kept_under_a_review_that_is_restricted() -> None:
    assert kinds(after(flag_reply, by_another).when(later(keep_reply))) == [ReviewKept]
    both = change(later(keep), flag_ids=("F5", "F6"))
    assert kinds(after(flag_reply, flag_follow_up, by_another).when(both)) == [ReviewKept]
    gone = after(flag_reply, withdraw)
    gone.when(later(keep_reply)).then_refused(WrongState, state="WITHDRAWN")


# --- Restricted


@pytest.mark.parametrize(
    ("command", "measure", "recipient"),
    [
        (hide_reply, "HIDE_REPLY", ("SELLER", "S1")),
        (hide_follow_up, "HIDE_FOLLOW_UP", ("BUYER", "B1")),
    ],
)
def test_a_part_is_restricted_and_whoever_wrote_it_is_told_why(
    command: EvaluationCommand, measure: Restriction, recipient: tuple[str, str]
) -> None:
    before = after()
    played = before.when(later(command))
    assert kinds(played) == [ReviewRestricted, StatementOfReasonsIssued]
    assert first(played).measures == [measure]
    assert first(played).appeal_until == NOW + 183 * DAY
    why = statement(played)
    assert (why.recipient_role, why.recipient_id) == recipient
    assert why.decision_visibility == "CONTENT_REMOVED"
    assert (why.appeal_until, why.source_type) == (NOW + 183 * DAY, "OWN_INITIATIVE")


def test_the_reply_to_a_sellers_review_is_the_buyers() -> None:
    of_buyer = change(reply, review_id="R2", actor=BUYER)
    played = after(of_buyer).when(change(later(hide_reply), review_id="R2"))
    why = statement(played)
    assert (why.recipient_role, why.recipient_id) == ("BUYER", "B1")


@pytest.mark.parametrize("command", [hide_reply, hide_follow_up])
def test_the_review_of_a_restricted_part_stays_where_it_stands_and_keeps_its_weight(
    command: EvaluationCommand,
) -> None:
    for before in (after(), after(hold), after(of_text)):
        was = review_of(EVALUATIONS.fold(before.history))
        review = review_of(before.when(later(command)).state)
        assert (review.standing, review.weighted) == (was.standing, was.weighted)


def test_a_restriction_of_a_part_answers_its_flags_alone() -> None:
    before = after(flag, change(flag_reply, actor=READER), flag_follow_up)
    played = before.when(change(later(hide_reply), actor=SECOND))
    assert statement(played).source_type == "NOTICE"
    assert review_of(played.state).open_flags.keys() == {"F1", "F6"}
    unflagged = after(flag).when(later(hide_reply))
    assert statement(unflagged).source_type == "OWN_INITIATIVE"


@pytest.mark.parametrize(
    "measures",
    [
        ("HIDE_REPLY", "EXCLUDE_SCORE"),
        ("HIDE_REVIEW", "HIDE_FOLLOW_UP"),
        ("HIDE_REPLY", "HIDE_FOLLOW_UP"),
    ],
)
def test_a_part_is_restricted_alone(measures: tuple[Restriction, ...]) -> None:
    played = after().when(change(later(hide_reply), measures=measures))
    played.then_refused(InvalidValue)
    assert isinstance(played.refused, InvalidValue)
    assert [error.field for error in played.refused.errors] == ["measures"]


def test_no_part_is_restricted_before_the_reveal() -> None:
    unread = evaluation.given(*play(EVALUATIONS, told()[:2]).events)
    for command in (hide_reply, hide_follow_up):
        unread.when(later(command)).then_refused(WrongState, state="SUBMITTED")


def test_a_part_is_restricted_under_a_review_that_is_held_or_restricted() -> None:
    """What is under a restricted review may be shown again with it."""
    for before in (after(hold), after(restrict), after(of_text)):
        assert kinds(before.when(later(hide_reply))) == [ReviewRestricted, StatementOfReasonsIssued]
    after(withdraw).when(later(hide_reply)).then_refused(WrongState, state="WITHDRAWN")


def test_a_part_that_is_not_there_or_is_hidden_is_not_restricted() -> None:
    bare = evaluation.given(*play(EVALUATIONS, told()[:3]).events)
    for command in (hide_reply, hide_follow_up):
        bare.when(later(command)).then_refused(WrongState, state="VISIBLE")
        for other in ({"actor": SECOND}, {"ground": "ILLEGAL"}):
            again = change(later(command), **other)
            after(command).when(again).then_refused(WrongState, state="VISIBLE")


@pytest.mark.parametrize("decision", [hide_reply, hide_follow_up, restrict, of_text])
def test_the_same_decision_about_the_same_thing_once_more_is_nothing(
    decision: EvaluationCommand,
) -> None:
    after(decision).when(later(decision)).then_nothing()
    others = [flag, flag_reply, flag_follow_up]
    kept = change(keep, flag_ids=tuple(each.said.flag_id for each in others))
    after(*others, kept).when(later(kept)).then_nothing()


# --- Who has decided about what


@pytest.mark.parametrize(
    ("first", "others"),
    [
        ((hide_reply,), (restrict, hide_follow_up)),
        ((hide_follow_up,), (restrict, hide_reply)),
        ((flag_reply, keep_reply), (restrict, hide_follow_up)),
        ((flag_follow_up, keep_follow_up), (restrict, hide_reply)),
        ((flag, keep), (hide_reply, hide_follow_up)),
        ((hold, change(keep, flag_ids=())), (hide_reply, hide_follow_up)),
    ],
)
def test_who_has_decided_about_one_thing_may_decide_about_another(
    first: tuple[EvaluationCommand, ...], others: tuple[EvaluationCommand, ...]
) -> None:
    for other in others:
        assert ReviewRestricted in kinds(after(*first).when(later(other)))


def test_who_has_decided_an_appeal_about_a_part_has_not_decided_about_the_review() -> None:
    restored = after(hide_reply, of_reply, change(decide, appeal_id="P3"))
    for about_another in (restrict, hide_follow_up):
        played = restored.when(change(later(about_another), actor=SECOND))
        assert ReviewRestricted in kinds(played)
    again = change(later(hide_reply), actor=SECOND)
    restored.when(again).then_refused(ConflictOfInterest, ground="EARLIER_DECISION")


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ((flag_reply, keep_reply), hide_reply),
        ((flag_follow_up, keep_follow_up), hide_follow_up),
        ((flag, keep), restrict),
        ((hold, change(keep, flag_ids=())), restrict),
        ((hide_reply, of_reply, change(decide, appeal_id="P3")), hide_reply),
        ((hide_follow_up, of_follow_up, change(decide, appeal_id="P4")), hide_follow_up),
        ((restrict, appeal, decide), restrict),
    ],
)
def test_who_has_decided_about_a_thing_decides_about_it_again_when_something_new_has_come_up(
    first: tuple[EvaluationCommand, ...], again: EvaluationCommand
) -> None:
    before = after(*first)
    before.when(later(again)).then_refused(ConflictOfInterest, ground="EARLIER_DECISION")
    assert ReviewRestricted in kinds(before.when(change(later(again), actor=THIRD)))
    part = part_of(again.said.measures)
    for about in (None, "REPLY", "FOLLOW_UP"):
        raised = change(later(flag), flag_id="F9", part=about, actor=ANALYST)
        played = before.when(raised, later(again))
        assert (ReviewRestricted in kinds(played)) == (about == part)


def test_a_doubt_about_a_review_is_nothing_new_about_a_part_of_it() -> None:
    kept = after(flag_reply, keep_reply, hold)
    kept.when(later(hide_reply)).then_refused(ConflictOfInterest, ground="EARLIER_DECISION")
    held = after(flag, keep, change(hold, ground="CAMPAIGN"))
    assert ReviewRestricted in kinds(held.when(later(restrict)))


def test_who_has_kept_a_part_decides_the_appeal_about_another() -> None:
    kept_too = (flag_reply, keep_reply, change(hide_follow_up, actor=SECOND), of_follow_up)
    reversal = change(later(decide), appeal_id="P4", actor=MODERATOR)
    assert ReviewRestored in kinds(after(*kept_too).when(reversal))
    by_second = change(reversal, actor=SECOND)
    after(*kept_too).when(by_second).then_refused(ConflictOfInterest, ground="EARLIER_DECISION")


def test_a_review_is_restricted_as_ever_when_a_part_of_it_is_hidden() -> None:
    played = after(hide_reply).when(change(later(restrict), actor=SECOND))
    assert kinds(played) == [ReviewRestricted, ReviewWeighted, StatementOfReasonsIssued]
    assert review_of(played.state).hidden.keys() == {"REPLY"}


def test_who_flagged_a_part_does_not_judge_it() -> None:
    by_moderator = change(flag_reply, actor=MODERATOR)
    for command in (hide_reply, keep_reply):
        after(by_moderator).when(later(command)).then_refused(ConflictOfInterest, ground="PARTY")
        assert after(by_moderator).when(change(later(command), actor=SECOND)).refused is None
    assert after(by_moderator).when(later(hide_follow_up)).refused is None


# --- What a hidden reply allows


def test_a_hidden_reply_is_not_edited_nor_replaced() -> None:
    before = after(hide_reply)
    before.when(change(edit, now=NOW - DAY)).then_refused(WrongState, state="HIDDEN")
    another = change(later(reply), reply_id="P2", text=sealed("again"))
    before.when(another).then_refused(AlreadySubmitted, existing_id="P1")
    restored = after(hide_reply, of_reply, change(decide, appeal_id="P3"))
    assert kinds(restored.when(change(edit, now=NOW - DAY))) == [ReplyEdited]


def test_the_reply_to_a_review_with_a_hidden_follow_up_is_edited() -> None:
    assert kinds(after(hide_follow_up).when(change(edit, now=NOW - DAY))) == [ReplyEdited]


# --- Appeals


@pytest.mark.parametrize(
    ("restriction", "appeal", "others"),
    [(hide_reply, of_reply, BUYER), (hide_follow_up, of_follow_up, SELLER)],
)
def test_whoever_wrote_a_part_appeals_its_restriction(
    restriction: EvaluationCommand, appeal: EvaluationCommand, others: Actor
) -> None:
    lodged = first(after(restriction).when(later(appeal)))
    assert isinstance(lodged, ModerationAppealed)
    assert (lodged.part, lodged.against) == (appeal.said.part, "RESTRICTED")
    assert (lodged.appellant_role, lodged.appellant_id) == (
        appeal.actor.role,
        "S1" if appeal.actor == SELLER else "B1",
    )
    for actor in (others, STRANGER, MODERATOR):
        asked = change(later(appeal), actor=actor)
        after(restriction).when(asked).then_refused(NotAParty)
    once_more = change(later(appeal), appeal_id="P9")
    after(restriction, appeal).when(once_more).then_refused(
        AlreadyAppealed, existing_id=appeal.said.appeal_id
    )
    too_late = change(appeal, now=COMPLETED + 200 * DAY)
    after(restriction).when(too_late).then_refused(WindowClosed)


def test_an_appeal_is_against_the_decision_about_its_part() -> None:
    after().when(later(of_reply)).then_refused(WrongState, state="VISIBLE")
    after(hide_follow_up).when(later(of_reply)).then_refused(WrongState, state="VISIBLE")
    after(restrict).when(later(of_follow_up)).then_refused(WrongState, state="RESTRICTED")
    of_whole = change(later(of_follow_up), part=None)
    after(hide_follow_up).when(of_whole).then_refused(WrongState, state="VISIBLE")


@pytest.mark.parametrize(
    ("flagged", "kept", "appeal"),
    [
        (flag_reply, keep_reply, of_kept_reply),
        (flag_follow_up, keep_follow_up, of_kept_follow_up),
    ],
)
def test_a_flagger_appeals_that_a_part_was_kept(
    flagged: EvaluationCommand, kept: EvaluationCommand, appeal: EvaluationCommand
) -> None:
    lodged = first(after(flagged, kept).when(later(appeal)))
    assert (lodged.part, lodged.against) == (appeal.said.part, "KEPT")
    of_whole = change(later(appeal), part=None)
    after(flagged, kept).when(of_whole).then_refused(WrongState, state="VISIBLE")


@pytest.mark.parametrize(
    ("restriction", "appeal", "recipient"),
    [(hide_reply, of_reply, "S1"), (hide_follow_up, of_follow_up, "B1")],
)
def test_a_reversal_shows_the_part_again(
    restriction: EvaluationCommand, appeal: EvaluationCommand, recipient: str
) -> None:
    before = after(restriction, appeal)
    reversal = change(later(decide), appeal_id=appeal.said.appeal_id)
    first_one = change(reversal, actor=MODERATOR)
    before.when(first_one).then_refused(ConflictOfInterest, ground="EARLIER_DECISION")
    played = before.when(reversal)
    assert kinds(played) == [ModerationAppealDecided, ReviewRestored, StatementOfReasonsIssued]
    why = statement(played)
    assert (why.recipient_id, why.source_type) == (recipient, "COMPLAINT")
    assert why.decision_visibility == "OTHER"
    assert review_of(played.state).has(appeal.said.part)
    upheld = before.when(change(reversal, outcome="UPHELD"))
    assert kinds(upheld) == [ModerationAppealDecided, StatementOfReasonsIssued]
    assert statement(upheld).recipient_id == recipient
    assert statement(upheld).decision_visibility == "CONTENT_REMOVED"
    assert not review_of(upheld.state).has(appeal.said.part)


@pytest.mark.parametrize(
    ("flagged", "kept", "appeal", "recipient"),
    [
        (flag_reply, keep_reply, of_kept_reply, "S1"),
        (flag_follow_up, keep_follow_up, of_kept_follow_up, "B1"),
    ],
)
def test_a_reversal_hides_the_part_that_was_kept(
    flagged: EvaluationCommand, kept: EvaluationCommand, appeal: EvaluationCommand, recipient: str
) -> None:
    before = after(flagged, kept, appeal)
    reversal = change(
        later(decide), appeal_id=appeal.said.appeal_id, actor=SENIOR, measures=("EXCLUDE_SCORE",)
    )
    played = before.when(reversal)
    assert kinds(played) == [ModerationAppealDecided, ReviewRestricted, StatementOfReasonsIssued]
    restricted = played.events[1]
    assert isinstance(restricted, ReviewRestricted)
    assert part_of(restricted.measures) == appeal.said.part
    assert len(restricted.measures) == 1
    why = statement(played)
    assert (why.recipient_id, why.decision_visibility) == (recipient, "CONTENT_REMOVED")
    assert not review_of(played.state).has(appeal.said.part)
    upheld = before.when(change(reversal, outcome="UPHELD"))
    assert kinds(upheld) == [ModerationAppealDecided, StatementOfReasonsIssued]
    assert statement(upheld).recipient_id == flagger_id(flagged)


def flagger_id(flagged: EvaluationCommand) -> str:
    return "S7" if flagged.actor == READER else "B2"


@pytest.mark.parametrize("measure", ["HIDE_REPLY", "HIDE_FOLLOW_UP"])
def test_an_appeal_about_the_review_hides_no_part_of_it(measure: Restriction) -> None:
    before = after(flag, keep, of_reader)
    reversal = change(later(decide), appeal_id="P2", measures=(measure,))
    before.when(reversal).then_refused(InvalidValue)


def test_nothing_is_hidden_twice() -> None:
    before = after(flag_reply, keep_reply, of_kept_reply, change(hide_reply, actor=SECOND))
    reversal = change(later(decide), appeal_id="P5", actor=SENIOR)
    assert kinds(before.when(reversal)) == [ModerationAppealDecided]


def test_there_is_no_appeal_from_an_appeal_about_a_part() -> None:
    before = after(flag_reply, keep_reply, of_kept_reply, change(decide, appeal_id="P5"))
    before.when(later(of_reply)).then_refused(WindowClosed)


# --- Deadlines


@pytest.mark.parametrize("hiding", [hide_reply, hide_follow_up])
def test_a_restriction_of_a_part_takes_no_deadline_away(hiding: EvaluationCommand) -> None:
    stream = Run(NO_TIME)
    for command in told(of_campaign, flag, flag_reply, hold):
        assert stream.send(command)
    before = dict(stream.timers)
    armed = {str(name) for name in before}
    assert armed >= {"FLAG_DUE/F1", "FLAG_DUE/F5", "HOLD_END/R1", "CAMPAIGN_END/R1"}
    assert stream.send(change(later(hiding), actor=SECOND))
    assert stream.timers == before


def test_a_hold_ends_in_time_though_a_part_was_restricted_meanwhile() -> None:
    stream = run(told(hold, hide_reply))
    ended = [at for at, event in stream.events if isinstance(event, ReviewReleased)]
    assert ended == [COMPLETED + 6 * HOUR + 3 * DAY]


def test_a_flag_of_a_part_that_was_restricted_is_not_overdue() -> None:
    def overdue(*commands: EvaluationCommand) -> list[str]:
        events = (event for _, event in run(told(*commands)).events)
        return [event.ref_id for event in events if isinstance(event, DecisionOverdue)]

    assert overdue(flag, flag_reply, change(hide_reply, actor=SECOND)) == ["F1"]
    assert overdue(flag, flag_reply) == ["F1", "F5"]


# --- Whatever happens to parts


anything = st.lists(
    st.tuples(
        st.sampled_from([*SPEAKING, *SCRUTINY, *PARTS, *PARTS]),
        st.timedeltas(min_value=NO_TIME, max_value=2 * DAY),
    ),
    min_size=4,
    max_size=16,
).map(lambda rest: in_time([(each, NO_TIME) for each in (start, written, answered)] + rest))


@given(anything)
def test_what_is_decided_about_parts_alone_changes_no_weight_and_no_standing(
    commands: list[EvaluationCommand],
) -> None:
    state = EVALUATIONS.initial
    for command, events in run(commands).commits:
        before = state
        for event in events:
            state = EVALUATIONS.evolve(state, event)
        if events and is_about_parts(command, before):
            assert ReviewWeighted not in map(type, events)
            was, now = review_of(before), review_of(state)
            assert (was.standing, was.weighted) == (now.standing, now.weighted)


def is_about_parts(command: EvaluationCommand, state: Evaluation) -> bool:
    said = command.said
    if isinstance(said, RestrictReview):
        return part_of(said.measures) is not None
    if not isinstance(state, Revealed):
        return False
    flags = {
        name: flag for each in state.sheet.reviews.values() for name, flag in each.flags.items()
    }
    appeals = {
        name: appeal
        for each in state.sheet.reviews.values()
        for name, appeal in each.appeals.items()
    }
    parts: list[Part | None] = [
        *(flags[name].raised.part for name in getattr(said, "flag_ids", ()) if name in flags),
        *(
            appeals[name].lodged.part
            for name in (getattr(said, "appeal_id", None),)
            if name in appeals
        ),
    ]
    return bool(parts) and all(parts)


# --- Who reads what


HIDDEN_REPLY = (edit, flag_reply, hide_reply, of_reply)
HIDDEN_FOLLOW_UP = (flag_follow_up, hide_follow_up, of_follow_up)


def view(reader: Actor, *commands: EvaluationCommand) -> EvaluationView:
    events = play(EVALUATIONS, told(*commands)).events
    by = By(actor=reader, now=NOW, known=Known(policies=policies(), facts=WORTH))
    return evaluation_view("O1", read_by(reader, events), by, review_ref)


def review(reader: Actor, *commands: EvaluationCommand) -> ReviewView:
    return next(each for each in view(reader, *commands).reviews if each.by == "BUYER")


@pytest.mark.parametrize("reader", [BUYER, STRANGER, READER])
def test_of_a_hidden_reply_others_read_no_word_and_no_reason(reader: Actor) -> None:
    shown = review(reader, *HIDDEN_REPLY).reply
    assert shown is not None
    assert (shown.hidden, shown.text, shown.restriction) == (True, None, None)
    assert review(reader, *HIDDEN_REPLY).text == sealed("fine")
    assert "s1.key.ta" not in str(view(reader, *HIDDEN_REPLY))
    assert "s1.key.thanks" not in str(view(reader, *HIDDEN_REPLY))


@pytest.mark.parametrize("reader", [SELLER, MODERATOR, ANALYST])
def test_who_wrote_a_hidden_reply_and_staff_read_it_and_why_it_is_hidden(reader: Actor) -> None:
    shown = review(reader, *HIDDEN_REPLY).reply
    assert shown is not None
    assert (shown.hidden, shown.text) == (True, sealed("thanks"))
    assert shown.restriction is not None
    assert shown.restriction.facts == sealed("why")
    assert shown.restriction.explanation == "It insults."
    assert shown.restriction.measures == ["HIDE_REPLY"]


@pytest.mark.parametrize("reader", [SELLER, STRANGER, READER])
def test_of_a_hidden_follow_up_others_read_no_word_and_no_reason(reader: Actor) -> None:
    shown = review(reader, *HIDDEN_FOLLOW_UP).follow_up
    assert shown is not None
    assert (shown.hidden, shown.text, shown.media, shown.restriction) == (True, None, [], None)
    assert "s1.key.broke" not in str(view(reader, *HIDDEN_FOLLOW_UP))


@pytest.mark.parametrize("reader", [BUYER, MODERATOR])
def test_who_wrote_a_hidden_follow_up_and_staff_read_it(reader: Actor) -> None:
    shown = review(reader, *HIDDEN_FOLLOW_UP).follow_up
    assert shown is not None
    assert (shown.hidden, shown.text) == (True, sealed("broke"))
    assert shown.restriction is not None
    assert shown.restriction.facts == sealed("why")


def page(reader: Actor, *commands: EvaluationCommand) -> list[EvaluationEvent]:
    """The history as its reader is told it."""
    events = play(EVALUATIONS, told(*commands)).events
    return [each.event for each in readable_history(recorded(events), read_by(reader, events))]


@pytest.mark.parametrize("reader", [BUYER, STRANGER, READER])
def test_the_page_of_a_history_has_no_word_of_a_hidden_reply_for_others(reader: Actor) -> None:
    events = page(reader, *HIDDEN_REPLY)
    texts = [each.text for each in events if isinstance(each, ReplyPublished | ReplyEdited)]
    assert texts == [None, None]
    assert not any(isinstance(each, StatementOfReasonsIssued) for each in events)
    assert not any(isinstance(each, ModerationAppealed) for each in events)
    (restricted,) = (each for each in events if isinstance(each, ReviewRestricted))
    assert restricted.decided_by == "staff"


def test_the_page_of_a_history_has_everything_for_who_wrote_the_hidden_part() -> None:
    events = page(SELLER, *HIDDEN_REPLY)
    texts = [each.text for each in events if isinstance(each, ReplyPublished | ReplyEdited)]
    assert texts == [sealed("ta"), sealed("thanks")]
    (why,) = (each for each in events if isinstance(each, StatementOfReasonsIssued))
    assert why.facts == sealed("why")
    followed = [each for each in page(SELLER, *HIDDEN_FOLLOW_UP) if type(each) is FollowUpAppended]
    assert [each.text for each in followed] == [None]
    own = [each for each in page(BUYER, *HIDDEN_FOLLOW_UP) if type(each) is FollowUpAppended]
    assert [each.text for each in own] == [sealed("broke")]


def flags_of(reader: Actor, *commands: EvaluationCommand) -> list[FlagView]:
    return review(reader, *commands).flags


def test_a_flag_of_a_part_tells_its_sender_what_has_become_of_it() -> None:
    reversal = change(decide, appeal_id="P3")
    for commands, outcome in (
        ((flag_reply,), None),
        ((flag_reply, keep_reply), "KEPT"),
        ((flag_reply, hide_reply), "RESTRICTED"),
        ((flag_reply, hide_reply, of_reply, reversal), "RESTORED"),
        ((flag_reply, restrict), None),
        ((flag_reply, withdraw), "WITHDRAWN"),
    ):
        (told_of,) = flags_of(STRANGER, *commands)
        assert (told_of.part, told_of.outcome) == ("REPLY", outcome)
        for other in (BUYER, SELLER, READER):
            assert flags_of(other, *commands) == []


def test_who_wrote_a_hidden_part_is_offered_the_appeal_alone() -> None:
    def allowed(reader: Actor, *commands: EvaluationCommand) -> set[str]:
        offers = view(reader, *commands).available_actions
        return {each.action for each in offers if each.allowed}

    assert "EditReply" in allowed(SELLER)
    assert allowed(SELLER, hide_reply) & {"EditReply", "AppealModeration"} == {"AppealModeration"}
    assert "AppealModeration" not in allowed(BUYER, hide_reply)
    assert "AppealModeration" in allowed(BUYER, hide_follow_up)
    assert "AppealModeration" in allowed(STRANGER, flag_reply, keep_reply)
