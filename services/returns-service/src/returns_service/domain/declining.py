"""A request under review in, its refusal with the reason for it out."""

from typing import Annotated

from msgspec import Meta, Struct
from shared_casework import reasons
from shared_casework.parties import PARTY
from shared_casework.reasons import Recipient, Ruling, decision_id, require_reasons
from shared_casework.values import utc
from shared_events.common import MatterFact, StatementOfReasonsIssued
from shared_events.fields import NOTE_LENGTH_MAX, TEXT_LENGTH_MAX, Id
from shared_events.returns import DeclineCode, OfferDeclined, ReturnDeclined, ReturnEvent
from shared_runtime.decider import ReasonsMissing, Role, RoleNotAllowed
from shared_runtime.rule import Guard, Window
from shared_runtime.shape import ONCE, Words

from returns_service.domain.approving import reviewed_since, seconds_since
from returns_service.domain.known import PERSON, Known, Sender
from returns_service.domain.return_matter import OF_RETURN, STAFF, ReturnRule, lapsed_offer
from returns_service.domain.return_state import Return

CONTEST = "ContestReturn"


class DeclineReturn(Struct, frozen=True, kw_only=True):
    """The seller's has a note; the desk's has rules, facts and plain words besides."""

    code: DeclineCode
    note: Annotated[str | None, Words(NOTE_LENGTH_MAX)] = None
    note_for_buyer: Annotated[
        str | None, Words(NOTE_LENGTH_MAX, sealed_for="BUYER", said_as="note")
    ] = None
    note_for_seller: Annotated[
        str | None, Words(NOTE_LENGTH_MAX, sealed_for="SELLER", said_as="note")
    ] = None
    rule_ids: Annotated[tuple[Id, ...], Meta(max_length=20), ONCE] = ()
    facts_for_buyer: Annotated[
        str | None, Words(TEXT_LENGTH_MAX, sealed_for="BUYER", said_as="facts")
    ] = None
    explanation: Annotated[str | None, Words(NOTE_LENGTH_MAX, sealed_for=None)] = None


def decline_return(matter: Return, said: DeclineReturn, by: Sender) -> list[ReturnEvent]:
    """The buyer may contest it for `return_contest`; goods that are in go back after that."""
    policy = matter.policy(by)
    is_desks = by.actor.acts_as in STAFF
    contest_until = utc(by.now) + policy.return_contest
    declined = ReturnDeclined(
        **matter.ids,
        by="AGENT" if is_desks else "SELLER",
        code=said.code,
        note=None if is_desks else said.note,
        note_for_buyer=said.note_for_buyer if is_desks else None,
        note_for_seller=said.note_for_seller if is_desks else None,
        units=[piece.unit for piece in matter.live],
        decided_by=by.actor.id if is_desks else None,
        contest_until=contest_until,
        send_back_until=contest_until + policy.return_send_back if matter.goods_in else None,
        decision_seconds=seconds_since(reviewed_since(matter, by), by),
    )
    why = [told_why(matter, said, declined, by)] if is_desks else []
    return [*lapsed_offer(matter), declined, *why]


def told_why(
    matter: Return, said: DeclineReturn, declined: ReturnDeclined, by: Sender
) -> StatementOfReasonsIssued:
    ruling = Ruling(
        decision_id=decision_id(f"return/{matter.return_id}", "DeclineReturn", by.now),
        decided_at=by.now,
        subject_kind="RETURN",
        subject_id=matter.return_id,
        monetary="OTHER",
        rule_ids=said.rule_ids,
        explanation=said.explanation or "",
        source_type="COMPLAINT",
        appeal_until=declined.contest_until,
        appeal_command=CONTEST,
    )
    buyer = Recipient(role="BUYER", id=matter.ids["buyer_id"], facts=said.facts_for_buyer or "")
    return reasons.statement(MatterFact(**matter.ids), ruling, buyer)


def with_reasons_of_the_desk(_: Return, said: DeclineReturn, by: Sender) -> None:
    """the desk's with rules, facts and plain words"""
    if by.actor.acts_as in STAFF:
        require_reasons(
            rule_ids=said.rule_ids, facts=said.facts_for_buyer, explanation=said.explanation
        )


def by_who_reviews(matter: Return, _: DeclineReturn, by: Sender) -> None:
    """who reviews it"""
    assert matter.review
    if (by.actor.acts_as in STAFF) != (matter.review.by == "AGENT"):
        allowed: tuple[Role, ...] = STAFF if matter.review.by == "AGENT" else ("SELLER",)
        raise RoleNotAllowed(allowed_roles=[*allowed])


def until_answer_due(matter: Return, _: DeclineReturn, __: Sender) -> Window:
    return Window(latest=matter.review.answer_due if matter.review else None)


DECLINE_RETURN = ReturnRule(
    DeclineReturn,
    decline_return,
    roles=("SELLER", "AGENT", "SENIOR"),
    human=True,
    party=PARTY,
    impartial=OF_RETURN,
    barred=PERSON,
    reasons=Guard[Return, DeclineReturn, Known](with_reasons_of_the_desk, ReasonsMissing),
    states=("REVIEW",),
    stands=Guard[Return, DeclineReturn, Known](by_who_reviews, RoleNotAllowed),
    window=until_answer_due,
    events=(OfferDeclined, ReturnDeclined, StatementOfReasonsIssued),
    example=DeclineReturn(
        code="NOT_AS_CLAIMED",
        note="The picture shows another product.",
        note_for_buyer="The picture shows another product.",
        note_for_seller="The picture shows another product.",
        rule_ids=("R-4",),
        facts_for_buyer="The photo of 3 March shows a shoe with another pattern.",
        explanation="What was sent is what was offered.",
    ),
)
