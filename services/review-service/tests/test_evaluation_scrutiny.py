"""The scrutiny of a review: flags, holds, decisions of moderators with reasons, and appeals."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from review_service.domain.appeals import AppealModeration, DecideModerationAppeal
from review_service.domain.closing_clock import OpenEvaluation
from review_service.domain.content import BuyerReview, SellerReview
from review_service.domain.double_blind import (
    AmendReview,
    CloseEvaluation,
    SubmitReview,
    VoidEvaluation,
)
from review_service.domain.evaluation_state import Evaluation
from review_service.domain.flags import FlagReview
from review_service.domain.holding import HoldReview, ReleaseReview
from review_service.domain.moderation import KeepReview, RestrictReview
from review_service.domain.rules import EVALUATIONS, RULES, EvaluationCommand
from review_service.domain.weight import WeightFacts
from review_service.domain.withdrawal import WithdrawReview
from review_service.testing import change, in_words, say
from shared_casework.overdue import NoteOverdue
from shared_events.common import DecisionOverdue, StatementOfReasonsIssued
from shared_events.review import (
    EvaluationEvent,
    ModerationAppealDecided,
    ModerationAppealed,
    Restriction,
    ReviewFlagged,
    ReviewHeld,
    ReviewKept,
    ReviewReleased,
    ReviewRestored,
    ReviewRestricted,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWeighted,
    ReviewWithdrawn,
)
from shared_runtime.decider import (
    Actor,
    AlreadyAppealed,
    AlreadySubmitted,
    ConflictOfInterest,
    HumanRequired,
    InvalidValue,
    LimitReached,
    NotAParty,
    NotFound,
    RateLimited,
    ReasonsMissing,
    Role,
    RoleNotAllowed,
    SubjectErased,
    WindowClosed,
    WrongState,
)
from shared_runtime.testing import Given, Played, Scenario

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
COMPLETED = datetime(2025, 3, 1, 10, tzinfo=UTC)
CLOSING = COMPLETED + 15 * DAY
SYSTEM = Actor(role="SYSTEM", id="detector")
BUYER = Actor(role="BUYER", id="B1")
SELLER = Actor(role="SELLER", id="member", org_id="S1")
READER = Actor(role="BUYER", id="B7")
RIVAL = Actor(role="SELLER", id="clerk", org_id="S7")
MODERATOR = Actor(role="MODERATOR", id="M1", org_id="platform")
SECOND = Actor(role="MODERATOR", id="M2", org_id="platform")
SENIOR = Actor(role="SENIOR", id="N1")
ANALYST = Actor(role="ANALYST", id="A1")
FACTS = WeightFacts(total_ref_minor=600, placed_at=COMPLETED - 7 * DAY)
IDS: dict[str, Any] = {
    "order_id": "O1",
    "seller_id": "S1",
    "buyer_id": "B1",
    "policy_version": "ae-2025-1",
    "review_id": "R1",
    "side": "BUYER",
}
WHY = "s1.key.why.e1.facts.cipher"

evaluation = Scenario(EVALUATIONS)
type History = Given[Evaluation, EvaluationCommand, EvaluationEvent]


def day(number: float) -> datetime:
    return COMPLETED + number * DAY


def sealed(digest: str, event: str = "e1") -> str:
    return f"s1.key.{digest}.{event}.text.cipher"


start = say(
    OpenEvaluation(
        order_id="O1", seller_id="S1", buyer_id="B1", completed_at=COMPLETED, completion_no=1
    ),
    now=COMPLETED,
    actor=SYSTEM,
)
STARS = BuyerReview(quality=5, logistics=5, service=5)
by_buyer = say(
    SubmitReview(review_id="R1", **in_words(STARS)), facts=FACTS, now=day(1), actor=BUYER
)
by_seller = say(
    SubmitReview(review_id="R2", **in_words(SellerReview(rating=4))),
    facts=FACTS,
    now=day(3),
    actor=SELLER,
)
close = say(CloseEvaluation(), facts=FACTS, now=CLOSING, actor=SYSTEM)
flag = say(
    FlagReview(review_id="R1", flag_id="F1", reason="FAKE", text=sealed("fake")),
    facts=FACTS,
    now=day(5),
    actor=READER,
)
hold = say(HoldReview(review_id="R1", ground="FAKE"), facts=FACTS, now=day(6), actor=SYSTEM)
release = say(ReleaseReview(review_id="R1"), facts=FACTS, now=day(7), actor=MODERATOR)
keep = say(
    KeepReview(review_id="R1", flag_ids=("F1",), rule_ids=("rule-1",)),
    facts=FACTS,
    now=day(8),
    actor=MODERATOR,
)
restrict = say(
    RestrictReview(
        review_id="R1",
        ground="OFFENSIVE",
        rule_ids=("rule-2",),
        facts=WHY,
        explanation="It insults.",
        measures=("HIDE_REVIEW", "EXCLUDE_SCORE"),
        automated_detection=False,
    ),
    facts=FACTS,
    now=day(8),
    actor=MODERATOR,
)
appeal = say(
    AppealModeration(review_id="R1", appeal_id="P1", text=sealed("unfair")), now=day(9), actor=BUYER
)
of_reader = change(appeal, actor=READER)
decide = say(
    DecideModerationAppeal(
        review_id="R1",
        appeal_id="P1",
        outcome="UPHELD",
        rule_ids=("rule-3",),
        facts=WHY,
        explanation="It stands.",
    ),
    facts=FACTS,
    now=day(10),
    actor=SECOND,
)
reverse = change(decide, outcome="REVERSED")
overdue = say(NoteOverdue(what="FLAG", ref_id="F1", due_at=day(10)), now=day(10), actor=SYSTEM)
withdraw = say(WithdrawReview(review_id="R1"), facts=FACTS, now=day(20), actor=BUYER)

flagged = ReviewFlagged(
    **IDS,
    flag_id="F1",
    flagger_role="BUYER",
    flagger_id="B7",
    reason="FAKE",
    text=sealed("fake"),
    decide_by=day(10),
)
held = ReviewHeld(**IDS, ground="FAKE", hold_until=day(9))
kept = ReviewKept(
    **IDS, flag_ids=["F1"], rule_ids=["rule-1"], decided_by="M1", appeal_until=day(8 + 183)
)
restricted = ReviewRestricted(
    **IDS,
    ground="OFFENSIVE",
    rule_ids=["rule-2"],
    measures=["HIDE_REVIEW", "EXCLUDE_SCORE"],
    automated_detection=False,
    decided_by="M1",
    appeal_until=day(8 + 183),
    retain_until=day(8 + 365),
)
appealed = ModerationAppealed(
    **IDS,
    appeal_id="P1",
    appellant_id="B1",
    appellant_role="BUYER",
    against="RESTRICTED",
    text=sealed("unfair"),
    decide_by=day(9 + 14),
)
upheld = ModerationAppealDecided(
    **IDS, appeal_id="P1", outcome="UPHELD", rule_ids=["rule-3"], decided_by="M2"
)
reversed_ = change(upheld, outcome="REVERSED")
restored = ReviewRestored(**IDS, appeal_id="P1")


def revealed(*commands: EvaluationCommand) -> History:
    """An evaluation that both sides have written in, and what was done then."""
    played = evaluation.when(start, by_buyer, by_seller, *commands)
    assert played.refused is None
    return evaluation.given(*played.events)


def hidden(*commands: EvaluationCommand) -> History:
    """The same before the seller has written."""
    return evaluation.given(*evaluation.when(start, by_buyer, *commands).events)


def weights(played: Played[Evaluation, EvaluationEvent]) -> list[tuple[int, list[str]]]:
    return [
        (event.weight_milli, [reason.code for reason in event.reasons])
        for event in played.events
        if isinstance(event, ReviewWeighted) and event.side == "BUYER"
    ]


def kinds(played: Played[Evaluation, EvaluationEvent]) -> list[type[EvaluationEvent]]:
    assert played.refused is None, played.refused
    return [type(event) for event in played.events]


def statements(played: Played[Evaluation, EvaluationEvent]) -> list[StatementOfReasonsIssued]:
    return [event for event in played.events if isinstance(event, StatementOfReasonsIssued)]


FULL = (1000, ["FULL"])


# Who may do what.

ALL: list[EvaluationCommand] = [
    flag,
    hold,
    release,
    keep,
    restrict,
    appeal,
    decide,
    overdue,
]
EVERYBODY: list[Role] = [
    "BUYER",
    "SELLER",
    "AGENT",
    "SENIOR",
    "MODERATOR",
    "ANALYST",
    "AUDITOR",
    "PRIVACY",
]


@pytest.mark.parametrize("command", ALL, ids=lambda command: type(command.said).__name__)
def test_other_roles_are_refused(command: EvaluationCommand) -> None:
    allowed = RULES[type(command.said)].roles
    for role in EVERYBODY:
        if role not in allowed:
            asked = change(command, actor=Actor(role=role, id="B1", org_id="S1"))
            revealed().when(asked).then_refused(RoleNotAllowed, allowed_roles=[*allowed])


@pytest.mark.parametrize("command", [keep, restrict, decide])
@pytest.mark.parametrize(
    "machine",
    [
        SYSTEM,
        Actor(role="SYSTEM", id="rule", on_behalf_of="MODERATOR"),
        Actor(role="IMPORTER", id="olist", on_behalf_of="SYSTEM"),
    ],
)
def test_a_person_must_decide(command: EvaluationCommand, machine: Actor) -> None:
    before = revealed(flag)
    before.when(change(command, actor=machine)).then_refused(HumanRequired)


@pytest.mark.parametrize(
    ("actor", "ground"),
    [
        (Actor(role="MODERATOR", id="B1"), "PARTY"),
        (Actor(role="MODERATOR", id="M9", org_id="S1"), "PARTY"),
        (Actor(role="MODERATOR", id="B7"), "PARTY"),
        (Actor(role="MODERATOR", id="M9", org_id="acme"), "ORGANISATION"),
    ],
)
def test_nobody_decides_what_is_his_own(actor: Actor, ground: str) -> None:
    orgs = frozenset({"acme"})
    for command in (keep, restrict):
        asked = change(command, actor=actor, party_orgs=orgs)
        revealed(flag).when(asked).then_refused(ConflictOfInterest, ground=ground)
    on_appeal = change(decide, actor=actor, party_orgs=orgs)
    revealed(flag, keep, of_reader).when(on_appeal).then_refused(ConflictOfInterest, ground=ground)


@pytest.mark.parametrize("command", [flag, appeal])
def test_who_was_erased_does_nothing_more(command: EvaluationCommand) -> None:
    asked = change(command, erased=True)
    revealed(restrict).when(asked).then_refused(SubjectErased)


@pytest.mark.parametrize(
    "command",
    [
        change(flag, flag_id=""),
        change(flag, text=""),
        change(keep, flag_ids=("F1", "F1")),
        change(keep, flag_ids=("",)),
        change(keep, rule_ids=("",)),
        change(restrict, rule_ids=("",)),
        change(restrict, measures=()),
        change(restrict, measures=("HIDE_TEXT", "HIDE_TEXT")),
        change(restrict, explanation="x" * 2001),
        change(restrict, facts="", explanation=""),
        change(appeal, appeal_id=""),
        change(appeal, text=""),
        change(decide, appeal_id=""),
        change(overdue, ref_id=""),
        change(overdue, due_at=COMPLETED.replace(tzinfo=None)),
        change(release, review_id=""),
    ],
)
def test_a_field_out_of_range_is_refused(command: EvaluationCommand) -> None:
    revealed().when(command).then_refused(InvalidValue)


@pytest.mark.parametrize("command", [release, keep, restrict, decide, change(hold, actor=ANALYST)])
def test_a_review_that_is_not_there_is_not_decided_on(command: EvaluationCommand) -> None:
    evaluation.when(command).then_refused(NotFound)
    revealed().when(change(command, review_id="R9")).then_refused(NotFound)


# Flags.


def test_any_reader_flags_a_visible_review() -> None:
    revealed().when(flag).then(flagged)
    rivals = change(flag, actor=RIVAL, text=None)
    revealed().when(rivals).then(change(flagged, flagger_role="SELLER", flagger_id="S7", text=None))


@pytest.mark.parametrize("stars", [1, 5])
def test_every_star_value_has_the_same_deadline(stars: int) -> None:
    content = BuyerReview(quality=stars, logistics=stars, service=stars)
    played = evaluation.when(start, change(by_buyer, content=content), by_seller, flag)
    assert played.events[-1] == flagged


def test_a_flag_told_again_changes_nothing() -> None:
    revealed(flag).when(change(flag, text=sealed("fake", "e2"))).then_nothing()
    for other in (change(flag, reason="OTHER"), change(flag, actor=SELLER)):
        revealed(flag).when(other).then_refused(InvalidValue)


def test_a_reader_has_one_open_flag() -> None:
    second = change(flag, flag_id="F2", now=day(9))
    revealed(flag).when(second).then_refused(AlreadySubmitted, existing_id="F1")
    assert kinds(revealed(flag).when(change(second, actor=SELLER))) == [ReviewFlagged]
    assert kinds(revealed(flag, keep).when(second)) == [ReviewFlagged]
    by_rule = change(flag, actor=SYSTEM)
    second_by_rule = change(by_rule, flag_id="F2")
    revealed(by_rule).when(second_by_rule).then_refused(AlreadySubmitted, existing_id="F1")


def test_a_reader_flags_so_many_times_a_day() -> None:
    recent = tuple(day(5) - timedelta(hours=number + 1) for number in range(20))
    oldest = min(recent)
    full = change(flag, flagged_today_at=recent)
    revealed().when(full).then_refused(RateLimited, retry_at=oldest + DAY)
    revealed().when(change(full, now=oldest + DAY - TICK)).then_refused(RateLimited)
    assert kinds(revealed().when(change(full, now=oldest + DAY))) == [ReviewFlagged]
    assert kinds(revealed().when(change(flag, flagged_today_at=recent[1:]))) == [ReviewFlagged]


def test_what_is_not_shown_is_not_flagged() -> None:
    hidden().when(flag).then_refused(NotFound)
    hidden().when(change(flag, actor=MODERATOR)).then_refused(WrongState, state="SUBMITTED")
    early = change(hold, now=day(4))
    revealed(early).when(flag).then_refused(WrongState, state="HELD")
    revealed(early).when(change(flag, actor=SYSTEM)).then_refused(WrongState, state="HELD")


# Holds.


def test_a_hold_ends_by_itself_and_gives_back_the_weight() -> None:
    """Corner case 15."""
    at = datetime(2025, 3, 20, tzinfo=UTC)
    timer = change(release, now=at + 3 * DAY, actor=SYSTEM)
    played = revealed().when(change(hold, now=at), change(timer, now=timer.now - TICK), timer)
    assert [event for event in played.events if not isinstance(event, ReviewWeighted)] == [
        change(held, hold_until=at + 3 * DAY),
        ReviewReleased(**IDS, how="HOLD_EXPIRED"),
    ]
    assert weights(played) == [(0, ["HELD"]), FULL]
    revealed().when(timer).then_nothing()


def test_a_moderator_ends_a_hold_at_any_time() -> None:
    played = revealed(hold).when(release)
    assert played.events[0] == ReviewReleased(**IDS, how="HUMAN")
    assert weights(played) == [FULL]
    revealed().when(release).then_refused(WrongState, state="VISIBLE")


def test_nobody_holds_a_review_twice_for_the_same_reason() -> None:
    again = change(hold, now=day(8))
    revealed(hold, release).when(again).then_refused(LimitReached, limit=1)
    other = change(again, ground="CAMPAIGN")
    assert kinds(revealed(hold, release).when(other)) == [ReviewHeld, ReviewWeighted]
    by_person = change(other, actor=MODERATOR)
    revealed(hold).when(by_person).then_refused(WrongState, state="HELD")
    revealed(hold).when(other).then_refused(WrongState, state="HELD")


def test_a_review_held_before_the_reveal_is_revealed_held() -> None:
    early = change(hold, now=day(2))
    played = hidden().when(early, by_seller)
    assert played.events[0] == change(held, hold_until=day(5))
    assert weights(played) == [(0, ["HELD"])]
    assert ReviewsRevealed in kinds(played)
    later = change(release, now=day(4))
    assert weights(evaluation.given(*hidden(early).history).when(by_seller, later)) == [
        (0, ["HELD"]),
        FULL,
    ]


def test_a_hold_does_not_tell_the_other_side() -> None:
    early = change(hold, now=day(2))
    later = change(flag, actor=SELLER)
    for history in (hidden(), hidden(early)):
        history.when(later).then_refused(NotFound)


HELD_EARLY = change(hold, now=day(2))
TAKEN_BACK = change(withdraw, now=day(3))


def test_a_hold_is_not_shaken_off_by_writing_once_more() -> None:
    last_instant = change(by_buyer, now=day(5) - TICK)
    played = hidden(HELD_EARLY, TAKEN_BACK).when(last_instant)
    assert kinds(played) == [ReviewSubmitted, ReviewHeld]
    assert played.events[1] == change(held, hold_until=day(5))
    timer = change(release, now=day(5), actor=SYSTEM)
    assert kinds(hidden(HELD_EARLY, TAKEN_BACK, last_instant).when(timer)) == [ReviewReleased]
    over = change(by_buyer, now=day(5))
    assert kinds(hidden(HELD_EARLY, TAKEN_BACK).when(over)) == [ReviewSubmitted]


def test_what_is_held_once_more_is_revealed_held() -> None:
    again = change(by_buyer, now=day(4))
    played = hidden(HELD_EARLY, TAKEN_BACK, by_seller).when(again)
    weighted = [ReviewWeighted, ReviewWeighted]
    assert kinds(played) == [ReviewSubmitted, ReviewHeld, ReviewsRevealed, *weighted]
    assert weights(played) == [(0, ["HELD"])]


def test_a_hold_that_has_ended_is_over_for_what_is_written_then() -> None:
    early = change(release, now=day(2.5))
    again = change(by_buyer, now=day(4))
    before = hidden(HELD_EARLY, early, TAKEN_BACK, again)
    assert kinds(hidden(HELD_EARLY, early, TAKEN_BACK).when(again)) == [ReviewSubmitted]
    for_the_same = change(hold, now=day(4), actor=ANALYST)
    before.when(for_the_same).then_refused(LimitReached, limit=1)
    assert kinds(before.when(change(for_the_same, ground="CAMPAIGN"))) == [ReviewHeld]


def test_who_has_decided_about_a_review_has_done_so_when_it_is_written_once_more() -> None:
    kept_early = change(keep, flag_ids=(), now=day(2.5))
    again = change(by_buyer, now=day(4))
    before = hidden(HELD_EARLY, kept_early, TAKEN_BACK, again)
    before.when(restrict).then_refused(ConflictOfInterest, ground="EARLIER_DECISION")
    assert before.when(change(restrict, actor=SECOND)).refused is None


def test_a_held_review_is_not_amended() -> None:
    content = change(STARS, quality=1)
    amend = say(AmendReview(review_id="R1", **in_words(content)), now=day(3), actor=BUYER)
    hidden(change(hold, now=day(2))).when(amend).then_refused(WrongState, state="HELD")


# Keeping.


def test_a_review_is_kept_and_its_flags_are_closed() -> None:
    revealed(flag).when(keep).then(kept)
    revealed(flag, keep).when(keep).then_nothing()
    for other in (change(keep, rule_ids=()), change(keep, actor=SECOND)):
        revealed(flag, keep).when(other).then_refused(InvalidValue)
    revealed(flag).when(change(keep, flag_ids=("F9",))).then_refused(InvalidValue)


def test_keeping_a_held_review_shows_it_again() -> None:
    played = revealed(flag, hold).when(keep)
    assert kinds(played) == [ReviewKept, ReviewReleased, ReviewWeighted]
    assert weights(played) == [FULL]
    assert kinds(revealed(hold).when(change(keep, flag_ids=()))) == [
        ReviewKept,
        ReviewReleased,
        ReviewWeighted,
    ]


def test_there_must_be_something_to_keep_it_from() -> None:
    revealed().when(change(keep, flag_ids=())).then_nothing()
    hidden().when(change(keep, flag_ids=())).then_refused(WrongState, state="SUBMITTED")
    gone = change(withdraw, now=day(7))
    revealed(flag, gone).when(keep).then_refused(WrongState, state="WITHDRAWN")


# Restricting.


def test_a_restriction_has_reasons_that_the_author_is_told() -> None:
    played = revealed().when(restrict)
    assert kinds(played) == [ReviewRestricted, ReviewWeighted, StatementOfReasonsIssued]
    assert played.events[0] == restricted
    assert weights(played) == [(0, ["RESTRICTED"])]
    told = statements(played)[0]
    assert told == StatementOfReasonsIssued(
        **IDS,
        sor_id=told.sor_id,
        subject_kind="REVIEW",
        subject_id="R1",
        recipient_role="BUYER",
        recipient_id="B1",
        decision_visibility="CONTENT_REMOVED",
        decision_ground="INCOMPATIBLE_CONTENT",
        rule_ids=["rule-2"],
        explanation="It insults.",
        facts=WHY,
        source_type="OWN_INITIATIVE",
        automated_detection=False,
        automated_decision="NOT",
        application_date=day(8),
        appeal_until=day(8 + 183),
        appeal_command="AppealModeration",
        redress=["INTERNAL_APPEAL", "OUT_OF_COURT", "COURT"],
    )
    again = statements(revealed().when(restrict))[0]
    assert again.sor_id == told.sor_id
    later = statements(revealed().when(change(restrict, now=day(9))))[0]
    assert later.sor_id != told.sor_id


@pytest.mark.parametrize(
    ("measures", "visibility", "zero"),
    [
        (("HIDE_REVIEW",), "CONTENT_REMOVED", False),
        (("HIDE_TEXT", "EXCLUDE_SCORE"), "CONTENT_DISABLED", True),
        (("HIDE_MEDIA",), "CONTENT_DISABLED", False),
        (("EXCLUDE_SCORE",), "CONTENT_DEMOTED", True),
    ],
)
def test_only_what_excludes_the_score_takes_the_weight(
    measures: tuple[Restriction, ...], visibility: str, *, zero: bool
) -> None:
    played = revealed().when(change(restrict, measures=measures))
    assert weights(played) == ([(0, ["RESTRICTED"])] if zero else [])
    assert statements(played)[0].decision_visibility == visibility


def test_a_restriction_for_illegal_content_after_a_notice_says_so() -> None:
    illegal = change(restrict, ground="ILLEGAL", automated_detection=True)
    told = statements(revealed(flag).when(illegal))[0]
    assert (told.decision_ground, told.source_type) == ("ILLEGAL_CONTENT", "NOTICE")
    assert told.automated_detection


def test_a_restriction_ends_a_hold_and_closes_the_flags() -> None:
    played = revealed(flag, hold).when(restrict)
    assert weights(played) == [(0, ["RESTRICTED"])]
    revealed(flag, hold, restrict).when(overdue).then_nothing()
    shown = change(restrict, measures=("HIDE_TEXT",))
    assert weights(revealed(hold).when(shown)) == [FULL]


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (change(restrict, rule_ids=()), ["rule_ids"]),
        (change(restrict, facts=None, explanation=None), ["facts", "explanation"]),
    ],
)
def test_a_restriction_without_reasons_is_refused(
    command: EvaluationCommand, missing: list[str]
) -> None:
    revealed().when(command).then_refused(ReasonsMissing, missing=missing)


def test_a_restriction_told_again_changes_nothing() -> None:
    revealed(restrict).when(change(restrict, now=day(9))).then_nothing()
    other = change(restrict, ground="FAKE", actor=SECOND)
    revealed(restrict).when(other).then_refused(WrongState, state="RESTRICTED")


def test_a_hidden_review_is_restricted_and_revealed_so() -> None:
    early = change(restrict, now=day(2))
    played = hidden().when(early, by_seller)
    assert weights(played) == [(0, ["RESTRICTED"])]
    own = change(appeal, now=day(2.5))
    assert kinds(hidden(early).when(own)) == [ModerationAppealed]
    both = hidden(early, own).when(change(reverse, now=day(2.6)), by_seller)
    assert weights(both) == [FULL]


def test_who_has_decided_does_not_decide_the_same_again() -> None:
    dismissed = revealed(flag, keep)
    dismissed.when(restrict).then_refused(ConflictOfInterest, ground="EARLIER_DECISION")
    assert kinds(dismissed.when(change(restrict, actor=SECOND)))[0] == ReviewRestricted
    back = revealed(restrict, appeal, reverse)
    for judge in (MODERATOR, SECOND):
        again = change(restrict, actor=judge, now=day(11))
        back.when(again).then_refused(ConflictOfInterest, ground="EARLIER_DECISION")
    anew = change(flag, flag_id="F2", now=day(9))
    later = change(restrict, now=day(11))
    assert kinds(revealed(flag, keep, anew).when(later))[0] == ReviewRestricted


# Appeals.


def test_the_author_appeals_a_restriction_once() -> None:
    revealed(restrict).when(appeal).then(appealed)
    same = change(appeal, text=sealed("unfair", "e2"))
    revealed(restrict, appeal).when(same).then_nothing()
    second = change(appeal, appeal_id="P2")
    revealed(restrict, appeal).when(second).then_refused(AlreadyAppealed, existing_id="P1")
    other = change(appeal, text=sealed("please"))
    revealed(restrict, appeal).when(other).then_refused(InvalidValue)


def test_an_appeal_is_taken_for_six_months() -> None:
    last = day(8 + 183)
    assert kinds(revealed(restrict).when(change(appeal, now=last - TICK))) == [ModerationAppealed]
    late = change(appeal, now=last)
    revealed(restrict).when(late).then_refused(WindowClosed, closed_at=last)
    late = change(of_reader, now=last)
    revealed(flag, keep).when(late).then_refused(WindowClosed, closed_at=last)


def test_a_flagger_appeals_that_a_review_was_kept() -> None:
    of_keep = change(appealed, appellant_id="B7", against="KEPT")
    revealed(flag, keep).when(of_reader).then(of_keep)
    second = change(of_reader, appeal_id="P2")
    revealed(flag, keep, of_reader).when(second).then_refused(AlreadyAppealed, existing_id="P1")
    of_rival = change(flag, actor=RIVAL)
    other_member = change(appeal, actor=change(RIVAL, id="owner"))
    revealed(of_rival, keep).when(other_member).then(
        change(of_keep, appellant_id="S7", appellant_role="SELLER")
    )


def test_an_account_of_another_role_with_the_same_id_is_another() -> None:
    of_rival = change(flag, actor=RIVAL)
    namesake = Actor(role="BUYER", id="S7")
    both = (of_rival, change(flag, flag_id="F2", actor=namesake))
    kept = change(keep, flag_ids=("F1", "F2"))
    by_rival, by_namesake = (
        change(appeal, appeal_id=f"P-{actor.role}", actor=actor) for actor in (RIVAL, namesake)
    )
    against_keep = change(appealed, against="KEPT", appellant_id="S7")
    before = revealed(*both, kept, by_rival)
    before.when(by_namesake).then(change(against_keep, appeal_id="P-BUYER"))


def test_a_flagger_appeals_each_decision() -> None:
    anew = change(flag, flag_id="F2", now=day(10))
    kept_anew = change(keep, flag_ids=("F2",), now=day(11))
    second = change(of_reader, appeal_id="P2", now=day(12))
    assert kinds(revealed(flag, keep, of_reader, anew, kept_anew).when(second)) == [
        ModerationAppealed
    ]


def test_there_must_be_a_decision_to_appeal() -> None:
    revealed().when(appeal).then_refused(WrongState, state="VISIBLE")
    revealed(flag).when(of_reader).then_refused(WrongState, state="VISIBLE")
    gone = change(withdraw, now=day(8.5))
    revealed(flag, keep, gone).when(of_reader).then_refused(WrongState, state="WITHDRAWN")
    stranger = change(appeal, actor=Actor(role="BUYER", id="B8"))
    revealed(flag, keep).when(stranger).then_refused(NotAParty)
    revealed(restrict).when(change(appeal, actor=SELLER)).then_refused(NotAParty)


def test_another_moderator_decides_the_appeal() -> None:
    """Corner case 16."""
    history = revealed(restrict, appeal)
    by_first = change(reverse, actor=MODERATOR)
    history.when(by_first).then_refused(ConflictOfInterest, ground="EARLIER_DECISION")
    played = history.when(reverse)
    assert kinds(played) == [
        ModerationAppealDecided,
        ReviewRestored,
        ReviewWeighted,
        StatementOfReasonsIssued,
    ]
    assert played.events[:2] == [reversed_, restored]
    assert weights(played) == [FULL]
    told = statements(played)[0]
    assert (told.recipient_id, told.decision_visibility) == ("B1", "OTHER")
    assert (told.source_type, told.appeal_until, told.appeal_command) == ("COMPLAINT", None, None)


def test_an_appeal_that_fails_leaves_everything_as_it_was() -> None:
    played = revealed(restrict, appeal).when(change(decide, actor=SENIOR))
    assert kinds(played) == [ModerationAppealDecided, StatementOfReasonsIssued]
    assert statements(played)[0].decision_visibility == "CONTENT_REMOVED"
    revealed(restrict, appeal, decide).when(decide).then_nothing()
    revealed(restrict, appeal, decide).when(reverse).then_refused(WrongState, state="UPHELD")
    second = change(appeal, appeal_id="P2", now=day(11))
    revealed(restrict, appeal, decide).when(second).then_refused(AlreadyAppealed)


def test_a_flaggers_appeal_restricts_what_was_kept() -> None:
    history = revealed(flag, keep, of_reader)
    by_first = change(reverse, actor=MODERATOR)
    history.when(by_first).then_refused(ConflictOfInterest, ground="EARLIER_DECISION")
    played = history.when(reverse)
    assert kinds(played) == [
        ModerationAppealDecided,
        ReviewRestricted,
        ReviewWeighted,
        StatementOfReasonsIssued,
    ]
    assert played.events[1] == change(
        restricted,
        ground="FAKE",
        rule_ids=["rule-3"],
        decided_by="M2",
        appeal_until=day(10),
        retain_until=day(10 + 365),
    )
    assert statements(played)[0].recipient_id == "B1"
    once_more = change(appeal, appeal_id="P2", now=day(11))
    revealed(flag, keep, of_reader, reverse).when(once_more).then_refused(WindowClosed)


def test_a_flagger_whose_appeal_fails_is_told_why() -> None:
    played = revealed(flag, keep, of_reader).when(decide)
    told = statements(played)[0]
    assert (told.recipient_role, told.recipient_id) == ("BUYER", "B7")
    assert told.decision_visibility == "OTHER"
    of_staff = change(flag, actor=ANALYST)
    by_staff = change(appeal, actor=ANALYST)
    assert kinds(revealed(of_staff, keep, by_staff).when(decide)) == [ModerationAppealDecided]


def test_nothing_is_restricted_twice_or_after_it_was_withdrawn() -> None:
    meanwhile = change(restrict, actor=SECOND, now=day(9.5))
    third = change(reverse, actor=SENIOR)
    assert kinds(revealed(flag, keep, of_reader, meanwhile).when(third)) == [
        ModerationAppealDecided
    ]
    gone = change(withdraw, now=day(9.5))
    assert kinds(revealed(flag, keep, of_reader, gone).when(third)) == [ModerationAppealDecided]


def test_an_appeal_is_decided_on_reasons() -> None:
    history = revealed(restrict, appeal)
    history.when(change(decide, rule_ids=())).then_refused(ReasonsMissing, missing=["rule_ids"])
    unknown = change(decide, appeal_id="P9")
    history.when(unknown).then_refused(WrongState, state="NONE")


# The platform's own deadlines.


def test_an_overdue_decision_is_noted_once() -> None:
    noted = DecisionOverdue(**IDS, what="FLAG", ref_id="F1", due_at=day(10))
    revealed(flag).when(overdue).then(noted)
    revealed(flag, overdue).when(change(overdue, now=day(11))).then_nothing()
    revealed(flag).when(change(overdue, now=day(10) - TICK)).then_nothing()
    revealed(flag).when(change(overdue, due_at=day(9))).then_nothing()
    of_appeal = change(overdue, what="MODERATION_APPEAL", ref_id="P1", due_at=day(23), now=day(23))
    revealed(restrict, appeal).when(of_appeal).then(
        change(noted, what="MODERATION_APPEAL", ref_id="P1", due_at=day(23))
    )
    revealed(restrict, appeal, decide).when(of_appeal).then_nothing()


def test_nothing_is_overdue_that_was_decided() -> None:
    revealed(flag, keep).when(overdue).then_nothing()
    gone = change(withdraw, now=day(9))
    revealed(flag, gone).when(overdue).then_nothing()
    evaluation.when(overdue).then_nothing()


# A case goes on whatever the author does.


def test_a_restricted_review_is_not_withdrawn() -> None:
    revealed(restrict).when(withdraw).then_refused(WrongState, state="RESTRICTED")


def test_a_withdrawal_ends_a_hold() -> None:
    timer = change(release, actor=SYSTEM, now=day(30))
    assert ReviewWithdrawn in kinds(revealed(hold).when(withdraw))
    revealed(hold, withdraw).when(timer).then_nothing()


def test_a_review_of_a_cancelled_order_is_left_alone() -> None:
    void = say(VoidEvaluation(), now=day(2), actor=SYSTEM)
    for command in (restrict, change(hold, actor=MODERATOR), hold):
        hidden(void).when(command).then_refused(WrongState, state="CLOSED")


def test_a_held_review_alone_is_revealed_when_the_window_closes() -> None:
    played = hidden(change(hold, now=day(14))).when(close)
    assert weights(played) == [(0, ["HELD"])]
