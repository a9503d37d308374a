"""A revealed review: replies, follow-ups, the one revision, withdrawal, and how it weighs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from review_service.domain.attribution import ReattributeDimension
from review_service.domain.closing_clock import OpenEvaluation
from review_service.domain.codes import ReweighReview
from review_service.domain.content import BuyerReview, SellerReview
from review_service.domain.double_blind import (
    AmendReview,
    CloseEvaluation,
    SubmitReview,
    VoidEvaluation,
)
from review_service.domain.evaluation_state import Evaluation
from review_service.domain.holding import HoldReview, ReleaseReview
from review_service.domain.replies import AppendFollowUp, EditReply, PublishReply
from review_service.domain.review_state import CHANGES
from review_service.domain.revision import GrantRevision, RequestRevision, ReviseReview
from review_service.domain.rules import EVALUATIONS, RULES, EvaluationCommand
from review_service.domain.screening import LiftCampaignWeight, RecordScreening, Term
from review_service.domain.weight import PairReview, WeightFacts
from review_service.domain.withdrawal import WithdrawReview
from review_service.testing import change, in_words, say
from shared_events.review import (
    DimensionReattributed,
    EvaluationClosed,
    EvaluationEvent,
    FollowUpAppended,
    ReplyEdited,
    ReplyPublished,
    ReviewAmended,
    ReviewFact,
    ReviewRevised,
    ReviewScreened,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWeighted,
    ReviewWithdrawn,
    RevisionGranted,
    RevisionRequested,
    ScreeningTerm,
    WeightCode,
    WeightReason,
)
from shared_runtime.decider import (
    Actor,
    AlreadySubmitted,
    InvalidValue,
    LimitReached,
    NotAParty,
    NotFound,
    NotYetEligible,
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
STRANGER = Actor(role="BUYER", id="B2")
RIVAL = Actor(role="SELLER", id="S2", org_id="S2")
MODERATOR = Actor(role="MODERATOR", id="M1")
FACTS = WeightFacts(total_ref_minor=600, placed_at=COMPLETED - 7 * DAY)
LATE = change(FACTS, late=True)
IDS: dict[str, Any] = {
    "order_id": "O1",
    "seller_id": "S1",
    "buyer_id": "B1",
    "policy_version": "ae-2025-1",
}
OF_BUYER: dict[str, Any] = IDS | {"review_id": "R1", "side": "BUYER"}

evaluation = Scenario(EVALUATIONS)


def day(number: float) -> datetime:
    return COMPLETED + number * DAY


def sealed(digest: str, event: str = "e1") -> str:
    """A text: the same digest is the same text, wherever it is sealed."""
    return f"s1.key.{digest}.{event}.text.cipher"


start = say(
    OpenEvaluation(
        order_id="O1", seller_id="S1", buyer_id="B1", completed_at=COMPLETED, completion_no=1
    ),
    now=COMPLETED,
    actor=SYSTEM,
)
FIVES = BuyerReview(quality=5, logistics=5, service=5, text=sealed("fine"))
ONES = BuyerReview(quality=1, logistics=1, service=1)
by_buyer = say(
    SubmitReview(review_id="R1", **in_words(FIVES)), facts=FACTS, now=day(1), actor=BUYER
)
by_seller = say(
    SubmitReview(review_id="R2", **in_words(SellerReview(rating=4))),
    facts=FACTS,
    now=day(3),
    actor=SELLER,
)
REVEAL = day(3)
close = say(CloseEvaluation(), facts=FACTS, now=CLOSING, actor=SYSTEM)
reply = say(
    PublishReply(review_id="R1", reply_id="P1", text=sealed("ta")), now=day(4), actor=SELLER
)
edit = say(EditReply(review_id="R1", text=sealed("thanks")), now=day(5), actor=SELLER)
follow_up = say(
    AppendFollowUp(
        review_id="R1",
        followup_id="U1",
        text=sealed("broke"),
        media=(sealed("photo"),),
        media_sha256=("0" * 64,),
    ),
    now=day(30),
    actor=BUYER,
)
grant = say(GrantRevision(cause="DISPUTE", cause_id="d1"), now=day(10), actor=SYSTEM)
ask = say(RequestRevision(review_id="R1"), now=day(11), actor=SELLER)
revise = say(
    ReviseReview(review_id="R1", quality=4, logistics=3, service=5),
    facts=FACTS,
    now=day(12),
    actor=BUYER,
)
withdraw = say(WithdrawReview(review_id="R1"), facts=FACTS, now=day(20), actor=BUYER)
hold = say(HoldReview(review_id="R1", ground="FAKE"), facts=FACTS, now=day(5), actor=SYSTEM)
release = say(ReleaseReview(review_id="R1"), facts=FACTS, now=day(6), actor=MODERATOR)
screen = say(
    RecordScreening(
        review_id="R1",
        factor_milli=50,
        campaign=False,
        terms=(Term(name="BURST", value_milli=900),),
        calibration="C1",
    ),
    facts=FACTS,
    now=day(4),
    actor=SYSTEM,
)
campaign = change(screen, campaign=True)
lift = say(LiftCampaignWeight(review_id="R1"), facts=FACTS, now=day(18), actor=SYSTEM)
reattribute = say(
    ReattributeDimension(to="CARRIER", cause_id="i1"), facts=FACTS, now=day(8), actor=SYSTEM
)
reweigh = say(ReweighReview(review_id="R1"), facts=FACTS, now=day(9), actor=SYSTEM)

replied = ReplyPublished(**OF_BUYER, reply_id="P1", text=sealed("ta"), editable_until=day(6))
reply_edited = ReplyEdited(**OF_BUYER, reply_id="P1", version=2, text=sealed("thanks"))
followed_up = FollowUpAppended(
    **OF_BUYER,
    followup_id="U1",
    text=sealed("broke"),
    media=[sealed("photo")],
    media_sha256=["0" * 64],
)
granted = RevisionGranted(**OF_BUYER, cause="DISPUTE", cause_id="d1", until=day(24))
requested = RevisionRequested(**OF_BUYER, requested_at=day(11))
revised = ReviewRevised(
    **OF_BUYER, quality=4, logistics=3, service=5, was_quality=5, was_logistics=5, was_service=5
)
screened = ReviewScreened(
    **OF_BUYER,
    factor_milli=50,
    campaign=False,
    terms=[ScreeningTerm(name="BURST", value_milli=900)],
    calibration="C1",
)
reattributed = DimensionReattributed(
    **OF_BUYER, dimension="LOGISTICS", from_="SELLER", to="CARRIER", cause_id="i1"
)


type History = Given[Evaluation, EvaluationCommand, EvaluationEvent]


def revealed(*commands: EvaluationCommand, content: BuyerReview = FIVES) -> History:
    """An evaluation that both sides have written in, and what was done then."""
    first = change(by_buyer, content=content)
    played = evaluation.when(start, first, by_seller, *commands)
    assert played.refused is None
    return evaluation.given(*played.events)


def weights(
    played: Played[Evaluation, EvaluationEvent], side: str = "BUYER"
) -> list[tuple[int, list[tuple[str, int]]]]:
    return [
        (event.weight_milli, [(reason.code, reason.effect_milli) for reason in event.reasons])
        for event in played.events
        if isinstance(event, ReviewWeighted) and event.side == side
    ]


FULL = (1000, [("FULL", 1000)])


# Who may say what.


def test_every_fact_about_a_review_changes_what_is_known_of_it() -> None:
    facts = {
        event
        for event in EvaluationEvent.__value__.__args__
        if issubclass(event, ReviewFact) and event is not ReviewSubmitted
    }
    assert set(CHANGES) == facts


PERSONS: list[EvaluationCommand] = [
    reply,
    edit,
    follow_up,
    ask,
    revise,
    withdraw,
    screen,
    lift,
    reweigh,
    grant,
    reattribute,
    hold,
    release,
]
EVERYBODY: list[Role] = [
    "BUYER",
    "SELLER",
    "AGENT",
    "SENIOR",
    "MODERATOR",
    "ANALYST",
    "AUDITOR",
    "SYSTEM",
    "PRIVACY",
]


@pytest.mark.parametrize("command", PERSONS, ids=lambda command: type(command.said).__name__)
def test_other_roles_are_refused(command: EvaluationCommand) -> None:
    allowed = RULES[type(command.said)].roles
    for role in EVERYBODY:
        if role not in allowed:
            asked = change(command, actor=Actor(role=role, id="B1", org_id="S1"))
            revealed().when(asked).then_refused(RoleNotAllowed, allowed_roles=[*allowed])


@pytest.mark.parametrize(
    ("command", "actor"),
    [
        (reply, RIVAL),
        (reply, BUYER),
        (edit, RIVAL),
        (follow_up, STRANGER),
        (ask, RIVAL),
        (revise, STRANGER),
        (withdraw, STRANGER),
        (withdraw, SELLER),
        (change(ask, review_id="R2"), SELLER),
        (change(follow_up, review_id="R2"), BUYER),
    ],
)
def test_strangers_are_refused(command: EvaluationCommand, actor: Actor) -> None:
    revealed().when(change(command, actor=actor)).then_refused(NotAParty)


@pytest.mark.parametrize(
    "command", [by_buyer, reply, edit, follow_up, ask, revise, withdraw, by_seller]
)
def test_who_was_erased_does_nothing_more(command: EvaluationCommand) -> None:
    revealed().when(change(command, erased=True)).then_refused(SubjectErased)


def test_an_erased_author_amends_nothing() -> None:
    """Corner case 44, as far as reviews go."""
    amend = say(AmendReview(review_id="R1", **in_words(ONES)), now=day(2), actor=BUYER, erased=True)
    evaluation.when(start, by_buyer, amend).then_refused(SubjectErased)


@pytest.mark.parametrize("command", [reply, edit, follow_up, ask, revise, withdraw])
def test_a_hidden_review_is_as_if_it_were_not_there(command: EvaluationCommand) -> None:
    other = by_seller if command.actor == BUYER else by_buyer
    hidden = evaluation.when(start, other).events
    for review_id in (other.said.review_id, "R9"):
        asked = change(command, review_id=review_id)
        evaluation.given(*hidden).when(asked).then_refused(NotFound)
    evaluation.when(command).then_refused(NotFound)


@pytest.mark.parametrize(
    "command",
    [
        change(reply, reply_id=""),
        change(reply, text=""),
        change(edit, text=""),
        change(follow_up, followup_id="x" * 65),
        change(follow_up, text=""),
        change(follow_up, media=()),
        change(follow_up, media=(sealed("p"),) * 11, media_sha256=("0" * 64,) * 11),
        change(grant, cause_id=""),
        change(revise, quality=0),
        change(revise, logistics=6),
        change(revise, service=-1),
        change(revise, text=""),
        change(withdraw, review_id=""),
        change(screen, factor_milli=49),
        change(screen, factor_milli=1001),
        change(screen, calibration=""),
        *(
            change(screen, terms=(Term(name=name, value_milli=value),))
            for name, value in (
                ("", 1),
                ("A" * 65, 1),
                ("burst", 1),
                ("SAYS: FAKE!", 1),
                ("BURST", 2**53),
                ("BURST", -(2**53)),
            )
        ),
        change(reattribute, cause_id=""),
        change(reweigh, add=("LOW_VALUE",)),
        change(reweigh, remove=("FULL",)),
        change(by_buyer, content=change(FIVES, text="")),
        change(by_buyer, content=change(FIVES, media=(sealed("p"),))),
        change(hold, now=COMPLETED.replace(tzinfo=None)),
    ],
)
def test_a_field_out_of_range_is_refused(command: EvaluationCommand) -> None:
    revealed().when(command).then_refused(InvalidValue)


# Texts are compared by what they say, not by how they were sealed.


def test_a_review_with_the_same_text_is_the_same_review() -> None:
    again = change(by_buyer, content=change(FIVES, text=sealed("fine", "e2")))
    revealed().when(again).then_nothing()
    other = change(by_buyer, content=change(FIVES, text=sealed("bad")))
    revealed().when(other).then_refused(AlreadySubmitted, existing_id="R1")


def test_another_text_alone_is_an_amendment() -> None:
    amend = say(
        AmendReview(review_id="R1", **in_words(change(FIVES, text=sealed("fine", "e2")))),
        now=day(2),
        actor=BUYER,
    )
    opened = evaluation.when(start, by_buyer).events
    evaluation.given(*opened).when(amend).then_nothing()
    photo = change(FIVES, media=(sealed("p"),), media_sha256=("1" * 64,))
    for content in (change(FIVES, text=sealed("bad")), change(FIVES, text=None), photo):
        played = evaluation.given(*opened).when(change(amend, content=content))
        assert [type(event) for event in played.events] == [ReviewAmended]


# Replies.


def test_the_reviewed_party_replies_once() -> None:
    revealed().when(reply).then(replied)
    again = change(reply, text=sealed("ta", "e2"), now=day(50))
    revealed(reply).when(again).then_nothing()
    for other in (change(reply, reply_id="P2"), change(reply, text=sealed("no"))):
        revealed(reply).when(other).then_refused(AlreadySubmitted, existing_id="P1")


def test_a_buyer_replies_to_what_the_seller_says() -> None:
    of_seller = change(reply, review_id="R2", actor=BUYER)
    revealed().when(of_seller).then(change(replied, review_id="R2", side="SELLER"))


def test_a_reply_is_taken_for_thirty_days_from_the_reveal() -> None:
    last = REVEAL + 30 * DAY
    played = revealed().when(change(reply, now=last - TICK))
    assert [type(event) for event in played.events] == [ReplyPublished]
    revealed().when(change(reply, now=last)).then_refused(WindowClosed, closed_at=last)


def test_a_reply_is_edited_for_two_days() -> None:
    revealed(reply).when(change(edit, now=day(6) - TICK)).then(reply_edited)
    revealed(reply).when(change(edit, now=day(6))).then_refused(WindowClosed, closed_at=day(6))
    third = change(edit, text=sealed("ta"))
    revealed(reply, edit).when(third).then(change(reply_edited, version=3, text=sealed("ta")))
    revealed(reply, edit).when(change(edit, text=sealed("thanks", "e2"))).then_nothing()


def test_what_was_not_said_is_not_edited() -> None:
    revealed().when(edit).then_refused(WrongState, state="VISIBLE")


def test_a_reply_to_an_edited_reply_is_still_the_first() -> None:
    revealed(reply, edit).when(reply).then_nothing()


# Follow-ups.


def test_a_buyer_follows_up_once() -> None:
    revealed().when(follow_up).then(followed_up)
    revealed(follow_up).when(change(follow_up, text=sealed("broke", "e2"))).then_nothing()
    for other in (change(follow_up, followup_id="U2"), change(follow_up, text=sealed("ok"))):
        revealed(follow_up).when(other).then_refused(AlreadySubmitted, existing_id="U1")


def test_a_follow_up_is_taken_for_half_a_year_from_the_reveal() -> None:
    last = REVEAL + 180 * DAY
    revealed().when(change(follow_up, now=last - TICK)).then(followed_up)
    revealed().when(change(follow_up, now=last)).then_refused(WindowClosed, closed_at=last)


# The one revision.


def test_a_revision_is_granted_once_for_a_visible_review() -> None:
    revealed().when(grant).then(granted)
    revealed(grant).when(change(grant, cause="RETURN", cause_id="r1")).then_nothing()
    evaluation.when(grant).then_nothing()
    alone = evaluation.when(start, by_buyer).events
    evaluation.given(*alone).when(grant).then_nothing()
    revealed(hold).when(grant).then_nothing()
    seller_alone = evaluation.when(start, by_seller, close).events
    evaluation.given(*seller_alone).when(grant).then_nothing()


def test_a_seller_asks_for_a_revision_once() -> None:
    revealed().when(ask).then_refused(NotYetEligible, eligible_from=None)
    revealed(grant).when(ask).then(requested)
    revealed(grant, ask).when(ask).then_refused(LimitReached, limit=1)
    revealed(grant, revise).when(ask).then_refused(LimitReached, limit=1)
    last = change(ask, now=day(24) - TICK)
    revealed(grant).when(last).then(change(requested, requested_at=last.now))
    late = change(ask, now=day(24))
    revealed(grant).when(late).then_refused(WindowClosed, closed_at=day(24))


def test_a_buyer_revises_once_and_keeps_the_instant_of_counting() -> None:
    played = revealed(grant).when(revise)
    event, weight = played.events
    assert event == revised
    assert isinstance(weight, ReviewWeighted)
    assert (weight.quality, weight.logistics, weight.service) == (4, 3, 5)
    assert (weight.seq, weight.counted_at) == (2, REVEAL)
    revealed(grant, revise).when(revise).then_nothing()
    other = change(revise, quality=1)
    revealed(grant, revise).when(other).then_refused(LimitReached, limit=1)


def test_a_revision_has_its_window() -> None:
    revealed().when(revise).then_refused(NotYetEligible, eligible_from=None)
    played = revealed(grant).when(change(revise, now=day(24) - TICK))
    assert played.events[0] == revised
    late = change(revise, now=day(24))
    revealed(grant).when(late).then_refused(WindowClosed, closed_at=day(24))


def test_a_revision_that_changes_nothing_is_none() -> None:
    same = change(revise, quality=5, logistics=5, service=5, text=sealed("fine", "e2"))
    revealed(grant).when(same).then_nothing()


@pytest.mark.parametrize("command", [reply, follow_up, ask, revise])
def test_nothing_is_added_to_a_review_that_is_not_shown(command: EvaluationCommand) -> None:
    later = change(command, now=day(12))
    revealed(grant, change(hold, now=day(11))).when(later).then_refused(WrongState, state="HELD")
    gone = change(withdraw, now=day(11))
    revealed(grant, gone).when(later).then_refused(WrongState, state="WITHDRAWN")


def test_a_reply_to_a_hidden_review_is_not_edited() -> None:
    held = change(hold, now=day(4.5))
    revealed(reply, held).when(edit).then_refused(WrongState, state="HELD")


# Withdrawal.


def test_an_author_withdraws_before_the_reveal_and_may_write_again() -> None:
    gone = ReviewWithdrawn(**OF_BUYER, before_reveal=True)
    again = change(by_buyer, now=day(2))
    early = change(withdraw, now=day(1.5))
    played = evaluation.when(start, by_buyer, early, again)
    assert played.events[2] == gone
    assert [type(event) for event in played.events[3:]] == [ReviewSubmitted]
    other = change(again, review_id="R3", content=ONES)
    assert evaluation.when(start, by_buyer, early, other).refused is None


def test_a_side_that_withdrew_is_not_revealed() -> None:
    early = change(withdraw, now=day(2))
    played = evaluation.when(start, by_buyer, early, by_seller, close)
    reveal = [event for event in played.events if isinstance(event, ReviewsRevealed)]
    assert [event.sides for event in reveal] == [["SELLER"]]
    nobody = evaluation.when(start, by_buyer, early, close)
    assert isinstance(nobody.events[-1], EvaluationClosed)


def test_a_withdrawal_after_the_reveal_is_final() -> None:
    gone = ReviewWithdrawn(**OF_BUYER, before_reveal=False)
    played = revealed().when(withdraw)
    assert played.events[0] == gone
    assert weights(played) == [(0, [("WITHDRAWN", 0)])]
    revealed(withdraw).when(withdraw).then_nothing()
    revealed(withdraw).when(by_buyer).then_nothing()
    new = change(by_buyer, review_id="R3")
    revealed(withdraw).when(new).then_refused(AlreadySubmitted, existing_id="R1")


def test_a_held_review_may_be_withdrawn() -> None:
    played = revealed(hold).when(withdraw)
    assert weights(played) == [(0, [("WITHDRAWN", 0)])]


def test_a_review_of_a_cancelled_order_is_not_withdrawn() -> None:
    void = say(VoidEvaluation(), now=day(2), actor=SYSTEM)
    ended = evaluation.when(start, by_buyer, void).events
    evaluation.given(*ended).when(withdraw).then_refused(WrongState, state="CLOSED")


# Screening.


def test_a_suspicion_lowers_the_weight_until_a_later_screening_lifts_it() -> None:
    played = revealed().when(screen)
    assert played.events[0] == screened
    assert weights(played) == [(50, [("SUSPECT", 50)])]
    assert getattr(played.events[1], "calibration", None) == "C1"
    cleared = change(screen, factor_milli=1000, calibration="C2")
    assert weights(revealed(screen).when(cleared)) == [FULL]
    revealed(screen).when(screen).then_nothing()
    same_weight = change(screen, factor_milli=50, calibration="C2")
    revealed(screen).when(same_weight).then(change(screened, calibration="C2"))


def test_factors_apply_one_after_the_other_above_the_floor() -> None:
    """Corner case 12."""
    newcomer = change(
        FACTS,
        buyer_registered_at=FACTS.placed_at - timedelta(hours=3),
        pair=(PairReview(sign="BAD", counted_at=REVEAL - 60 * DAY),),
    )
    played = evaluation.when(start, by_buyer, change(by_seller, facts=newcomer), screen)
    codes = [("NEW_ACCOUNT", 400), ("REPEAT_180D", 500)]
    assert weights(played) == [(200, codes), (50, [*codes, ("SUSPECT", 50)])]
    assert [event.seq for event in played.events if isinstance(event, ReviewWeighted)] == [1, 1, 2]


def test_an_order_fact_beats_the_burst() -> None:
    """Corner case 13."""
    bad = change(by_buyer, content=ONES)
    early = change(campaign, now=day(2))
    played = evaluation.when(start, bad, early, change(by_seller, facts=LATE))
    assert weights(played) == [(1000, [("CORROBORATED", 1000)])]


def test_a_campaign_that_nobody_has_proven_is_forgotten() -> None:
    """Corner case 14."""
    played = evaluation.when(
        start, change(by_buyer, content=ONES), by_seller, campaign, change(lift, now=day(18))
    )
    assert getattr(played.events[6], "campaign_until", None) == day(18)
    assert weights(played) == [FULL, (50, [("SUSPECT", 50)]), (1000, [("CAMPAIGN_UNPROVEN", 1000)])]
    early = change(lift, now=day(18) - TICK)
    revealed(campaign).when(early).then_nothing()
    revealed(screen).when(lift).then_nothing()


def test_a_later_screening_of_a_campaign_that_is_over_changes_nothing() -> None:
    seen_again = change(campaign, factor_milli=100, now=day(20))
    played = revealed(campaign, lift).when(seen_again)
    assert [type(event) for event in played.events] == [ReviewScreened]
    assert getattr(played.events[0], "campaign_until", 0) is None
    other = change(screen, factor_milli=100, now=day(20))
    assert weights(revealed(campaign, lift).when(other)) == [
        (100, [("SUSPECT", 100), ("CAMPAIGN_UNPROVEN", 1000)])
    ]


def test_a_campaign_that_a_case_is_about_is_not_forgotten() -> None:
    pending = change(FACTS, open_cases=frozenset({"R1"}))
    revealed(campaign).when(change(lift, facts=pending)).then_nothing()
    fake = change(reweigh, add=("FAKE_CONFIRMED",))
    revealed(campaign, fake).when(lift).then_nothing()
    over = change(reweigh, now=day(30))
    held_on = revealed(campaign, change(lift, facts=pending))
    assert weights(held_on.when(over)) == [(1000, [("CAMPAIGN_UNPROVEN", 1000)])]


def test_a_campaign_that_ended_before_the_reveal_weighs_nothing() -> None:
    bad = change(by_buyer, content=ONES)
    early = change(campaign, now=day(1))
    played = evaluation.when(start, bad, early, change(lift, now=CLOSING), close)
    assert weights(played) == [(1000, [("CAMPAIGN_UNPROVEN", 1000)])]


def test_a_suspicion_is_not_shaken_off_by_writing_once_more() -> None:
    bad = change(by_buyer, content=ONES)
    found = change(campaign, now=day(1))
    taken_back = change(withdraw, now=day(1.5))
    again = change(bad, now=day(2))
    played = evaluation.when(start, bad, found, taken_back, again, by_seller)
    assert weights(played) == [(50, [("SUSPECT", 50)])]
    same = change(found, now=day(4))
    assert evaluation.given(*played.events).when(same).events == []
    in_time = change(lift, now=day(15))
    assert weights(evaluation.given(*played.events).when(in_time)) == [
        (1000, [("CAMPAIGN_UNPROVEN", 1000)])
    ]


def test_screenings_are_recorded_for_ninety_days() -> None:
    last = REVEAL + 90 * DAY
    assert weights(revealed().when(change(screen, now=last - TICK))) == [(50, [("SUSPECT", 50)])]
    revealed().when(change(screen, now=last)).then_nothing()
    revealed(withdraw).when(change(screen, now=day(21))).then_refused(WrongState, state="WITHDRAWN")
    unread = evaluation.when(start, by_buyer, change(screen, now=day(2)))
    assert [type(event) for event in unread.events[2:]] == [ReviewScreened]


# Codes of other streams.


@pytest.mark.parametrize("code", ["BUYER_ABUSE", "RATING_RIGHT_LOST", "FAKE_CONFIRMED"])
def test_a_code_of_another_stream_comes_and_goes(code: WeightCode) -> None:
    add, remove = change(reweigh, add=(code,)), change(reweigh, remove=(code,))
    hold_on, let_go = change(hold, now=day(10)), change(release, now=day(11))
    played = revealed().when(add, add, hold_on, let_go, remove)
    zero = (0, [(code, 0)])
    assert weights(played) == [zero, (0, [("HELD", 0), (code, 0)]), zero, FULL]
    revealed().when(remove).then_nothing()


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (change(FACTS, buyer_abuse=True), "BUYER_ABUSE"),
        (change(FACTS, rating_right_lost=frozenset({"BUYER"})), "RATING_RIGHT_LOST"),
        (change(FACTS, fake_confirmed=frozenset({"R1"})), "FAKE_CONFIRMED"),
    ],
)
def test_facts_give_the_codes_too(facts: WeightFacts, code: str) -> None:
    zero = [(0, [(code, 0)])]
    assert weights(revealed().when(change(reweigh, facts=facts))) == zero
    at_once = evaluation.when(start, by_buyer, change(by_seller, facts=facts))
    assert weights(at_once) == zero


def test_a_seller_loses_the_right_to_rate_too() -> None:
    lost = change(FACTS, rating_right_lost=frozenset({"SELLER"}), buyer_abuse=True)
    played = revealed().when(change(reweigh, review_id="R2", facts=lost))
    assert weights(played, "SELLER") == [(0, [("RATING_RIGHT_LOST", 0)])]
    abuse = change(reweigh, review_id="R2", add=("BUYER_ABUSE", "CORROBORATED"))
    revealed().when(abuse).then_nothing()
    fake = change(reweigh, review_id="R2", add=("FAKE_CONFIRMED",))
    assert weights(revealed().when(fake), "SELLER") == [(0, [("FAKE_CONFIRMED", 0)])]


def test_what_corroborates_a_review_does_so_for_ever_and_only_if_it_is_not_good() -> None:
    add = change(reweigh, add=("CORROBORATED",))
    revealed(screen).when(add).then_nothing()
    neutral = change(FIVES, quality=4, logistics=4, service=3)
    lifted = (1000, [("CORROBORATED", 1000)])
    assert weights(revealed(screen, content=neutral).when(add)) == [lifted]
    gone = change(reweigh, remove=("CORROBORATED",))
    revealed(screen, add, content=neutral).when(gone).then_nothing()
    better = change(revise, quality=5, logistics=5)
    assert weights(revealed(screen, add, grant, content=neutral).when(better)) == [lifted]


def test_a_review_that_becomes_worse_is_corroborated_by_what_is_known() -> None:
    worse = change(revise, quality=1, facts=LATE)
    assert weights(revealed(grant).when(worse)) == [(1000, [("CORROBORATED", 1000)])]


def test_nothing_is_reweighed_before_the_reveal() -> None:
    hidden = evaluation.when(start, by_buyer).events
    evaluation.given(*hidden).when(change(reweigh, add=("BUYER_ABUSE",))).then_nothing()
    evaluation.when(reweigh).then_nothing()


def test_what_was_judged_at_the_reveal_is_kept() -> None:
    small = change(FACTS, total_ref_minor=0)
    revealed().when(change(reweigh, facts=small)).then_nothing()


# A star that leaves the seller's account.


def test_a_late_delivery_that_was_the_carriers_fault_costs_the_seller_no_star() -> None:
    back = change(reattribute, to="SELLER", now=day(9))
    played = revealed().when(reattribute, reattribute, back, reattribute)
    assert [event for event in played.events if isinstance(event, DimensionReattributed)] == [
        reattributed,
        change(reattributed, from_="CARRIER", to="SELLER"),
    ]
    excluded = [
        event.excluded_dimensions for event in played.events if isinstance(event, ReviewWeighted)
    ]
    assert excluded == [["LOGISTICS"], []]


def test_a_star_leaves_once() -> None:
    other = change(reattribute, to="FORCE_MAJEURE", cause_id="i2")
    revealed(reattribute).when(other).then_nothing()
    revealed().when(change(reattribute, to="SELLER")).then_nothing()
    evaluation.when(reattribute).then_nothing()
    void = say(VoidEvaluation(), now=day(2), actor=SYSTEM)
    ended = evaluation.when(start, by_buyer, void).events
    evaluation.given(*ended).when(reattribute).then_nothing()


def test_a_star_that_left_before_the_reveal_is_never_counted() -> None:
    early = change(reattribute, now=day(2))
    played = evaluation.when(start, by_buyer, early, by_seller)
    excluded = [
        event.excluded_dimensions for event in played.events if isinstance(event, ReviewWeighted)
    ]
    assert excluded == [["LOGISTICS"], []]


def test_a_weight_tells_who_decided() -> None:
    by_person = change(hold, actor=MODERATOR)
    for command, decided_by in ((hold, "RULE"), (by_person, "HUMAN"), (withdraw, "RULE")):
        event = revealed().when(command).events[-1]
        assert isinstance(event, ReviewWeighted)
        assert event.decided_by == decided_by
    assert WeightReason(code="HELD", effect_milli=0) in getattr(
        revealed().when(hold).events[-1], "reasons", []
    )
