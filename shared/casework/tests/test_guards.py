"""What casework checks, in a row of a command: whose it is, who judges it, which reasons it has."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from msgspec import Struct
from msgspec.structs import replace
from shared_casework.impartial import Stakes, impartial
from shared_casework.parties import PARTY, Account, parties_of
from shared_casework.reasons import REASONS
from shared_runtime.decider import Actor, ConflictOfInterest, NotAParty, ReasonsMissing, Refused
from shared_runtime.rule import By, Rule, Sent
from shared_runtime.rules import Rules

NOW = datetime(2025, 3, 10, tzinfo=UTC)


class Known(Struct, frozen=True, kw_only=True):
    party_orgs: frozenset[str] = frozenset({"acme"})


class Complaint(Struct, frozen=True, kw_only=True):
    status: Literal["OPEN"] = "OPEN"
    parties: frozenset[Account] = parties_of(buyer_id="B1", seller_id="S1")


class Decided(Struct, frozen=True):
    by: str


class Settle(Struct, frozen=True):
    pass


class Decide(Struct, frozen=True, kw_only=True):
    rule_ids: tuple[str, ...] = ("RU-7",)
    facts: str = "sealed"
    explanation: str = "Because."


class ComplaintRule[C: Struct](Rule[Complaint, Complaint, Literal["OPEN"], C, Known, Decided]):
    def find(self, state: Complaint, said: C, by: By[Known]) -> Complaint:  # noqa: ARG002
        return state

    def matters(self, state: Complaint, by: By[Known]) -> Iterable[Complaint]:  # noqa: ARG002
        return [state]


def decided(_: Complaint, __: object, by: By[Known]) -> list[Decided]:
    return [Decided(by.actor.id)]


def stakes_in(complaint: Complaint, _: object, by: By[Known]) -> Stakes:
    return Stakes(parties=complaint.parties, organisations=by.known.party_orgs)


SETTLE = ComplaintRule(
    Settle, decided, roles=("BUYER", "SELLER"), party=PARTY, events=(Decided,), example=Settle()
)
DECIDE = ComplaintRule(
    Decide,
    decided,
    roles=("AGENT",),
    impartial=impartial(stakes_in),
    reasons=REASONS,
    events=(Decided,),
    example=Decide(),
)
RULES = Rules(SETTLE, DECIDE)


def decide(said: Struct, actor: Actor) -> list[Decided]:
    sent: Sent[Any, Known] = Sent(said, By(actor=actor, now=NOW, known=Known()))
    return RULES.decide(Complaint(), sent)


def refusal(said: Struct, actor: Actor) -> Refused:
    with pytest.raises(Refused) as refused:
        decide(said, actor)
    return refused.value


def test_a_party_does_what_is_his_and_a_stranger_does_not() -> None:
    assert decide(Settle(), Actor(role="BUYER", id="B1")) == [Decided("B1")]
    member = Actor(role="SELLER", id="clerk", org_id="S1", seller_id="S1")
    assert decide(Settle(), member) == [Decided("clerk")]
    assert isinstance(refusal(Settle(), Actor(role="BUYER", id="S1")), NotAParty)
    assert NotAParty in SETTLE.all_refusals


def test_nobody_with_a_stake_decides() -> None:
    assert decide(Decide(), Actor(role="AGENT", id="AG1", org_id="desk")) == [Decided("AG1")]
    own = refusal(Decide(), Actor(role="AGENT", id="S1"))
    assert isinstance(own, ConflictOfInterest)
    assert own.ground == "PARTY"
    colleague = refusal(Decide(), Actor(role="AGENT", id="AG1", org_id="acme"))
    assert isinstance(colleague, ConflictOfInterest)
    assert colleague.ground == "ORGANISATION"
    assert ConflictOfInterest in DECIDE.all_refusals


def test_a_decision_without_its_reasons_is_told_what_lacks() -> None:
    bare = refusal(replace(Decide(), rule_ids=(), facts=""), Actor(role="AGENT", id="AG1"))
    assert isinstance(bare, ReasonsMissing)
    assert bare.missing == ["rule_ids", "facts"]
    assert ReasonsMissing in DECIDE.all_refusals


def test_who_may_not_decide_is_not_told_what_his_reasons_lack() -> None:
    assert isinstance(
        refusal(Decide(explanation=""), Actor(role="AGENT", id="S1")), ConflictOfInterest
    )
