"""Every refusal that a row of a command to a return names is earned, and no other; every example is
good, and what is offered is what is taken.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace
from returns_service.domain.approving import ApproveReturn
from returns_service.domain.declining import DeclineReturn
from returns_service.domain.inspecting import InspectedUnit, InspectUnits
from returns_service.domain.known import DeclinedRequest, Draft
from returns_service.domain.offering import AnswerOffer, OfferPartialRefund
from returns_service.domain.receiving import FoundUnit, ReceiveUnits
from returns_service.domain.return_readers import folded
from returns_service.domain.return_request import RequestReturn
from returns_service.domain.return_rules import RETURN_RULES, RETURNS, ReturnCommand
from returns_service.domain.shipping_back import ShipBack
from returns_service.domain.wanted import WantedLine
from returns_service.domain.withdrawing import ConfirmWithdrawal, DeclareWithdrawal
from returns_service.testing import BUYER, SELLER
from returns_service.testing.matrix import ACTORS
from returns_service.testing.return_matrix import places_of, tried
from returns_service.testing.return_stories import OFFERED, PLACES, Place
from returns_service.testing.returns import (
    FILE,
    IDS,
    A,
    at,
    authorized,
    pieces_of,
    requested,
    say,
    shipped,
    words,
)
from shared_events.returns import OfferDeclined, PartialOfferMade, ReturnEvent
from shared_runtime.decider import Actor, InvalidValue, NotFound, Refused, TimeGoesBack
from shared_runtime.rules import Row
from shared_runtime.shape import require_shape

ANYWHERE = {InvalidValue, NotFound}
ACME: dict[str, Any] = {"party_orgs": frozenset({"acme"})}
MEMBER = Actor(role="AGENT", id="agent-7", org_id="acme")
STRANGERS = (Actor(role="BUYER", id="B2"), Actor(role="SELLER", id="S2"))
LINE = (WantedLine(line_id="1", quantity=1),)
PHOTO: dict[str, Any] = {"media": (words("media"),), "media_sha256": (FILE,)}
ALL = ("1/1", "1/2", "1/3")


def asks(**told: Any) -> RequestReturn:  # noqa: ANN401 - any field
    said: dict[str, Any] = {
        "return_id": "RT-1",
        "kind": "RETURN",
        "lines": LINE,
        "reason": "CHANGE_OF_MIND",
        "wants": "REFUND",
    }
    return RequestReturn(**(said | told))


MONEY: dict[str, Any] = {"amount_minor": 6000, "currency": "EUR"}
DECLARE = DeclareWithdrawal(return_id="RT-1", lines=LINE)
DIGITAL = replace(A, lines=[replace(A.lines[0], category="DIGITAL")])
SHIPPED = replace(A, stage="SHIPPED", received_at=None, delivered_at=None, completed_at=None)
CANCELLED = replace(A, stage="CANCELLED")
DECLINED = DeclinedRequest("RETURN", "CHANGE_OF_MIND")
TAKEN = pieces_of(A, in_return=dict.fromkeys(ALL, "RT-9"))
FOUND = (FoundUnit(unit="1/1", reception="SHORT"),)
WORSE = (InspectedUnit(unit="1/1", verdict="ACCEPTED", grade="C", deduction_milli=501),)
THIRD: list[ReturnEvent] = [
    event
    for number in (1, 2, 3)
    for event in (
        PartialOfferMade(
            **IDS,
            offer_id=f"OF-{number}",
            currency="EUR",
            amount_minor=700 + number,
            answer_due=at(7),
        ),
        OfferDeclined(**IDS, offer_id=f"OF-{number}", lapsed=False),
    )
]
BEGUN, CLAIMED = PLACES["authorized"], PLACES["claimed"]
OFFER = OfferPartialRefund(offer_id="OF-9", amount_minor=800, currency="EUR")
NOW = at(4)
# What the table of places does not show: other facts, other words.
BESIDES: list[tuple[str | list[ReturnEvent], ReturnCommand]] = [
    ("none", say(asks(), at(16))),
    ("none", say(asks(), NOW, of=SHIPPED)),
    ("none", say(asks(), NOW, of=CANCELLED)),
    ("none", say(asks(), NOW, of=DIGITAL)),
    ("none", say(asks(), NOW, pieces=TAKEN)),
    ("none", say(asks(), NOW, pieces=pieces_of(A, declined=dict.fromkeys(ALL, DECLINED)))),
    ("none", say(asks(), NOW, pieces=pieces_of(A, kept_by=dict.fromkeys(ALL, "o-1")))),
    ("none", say(asks(kind="CLAIM", reason="DAMAGED", **MONEY), NOW)),
    ("none", say(asks(kind="CLAIM", reason="DAMAGED", **MONEY, **PHOTO), NOW)),
    ("none", say(DECLARE, at(30))),
    ("none", say(DECLARE, NOW, of=CANCELLED)),
    ("none", say(DECLARE, NOW, of=DIGITAL)),
    ("none", say(DECLARE, NOW, pieces=TAKEN)),
    ("none", say(DECLARE, NOW, draft=Draft(return_id="RT-8", confirm_by=at(5)))),
    ("draft", say(ConfirmWithdrawal(content=words(), content_sha256=FILE), NOW, pieces=TAKEN)),
    ("claimed", say(ApproveReturn(**MONEY), NOW, SELLER)),
    ("asked", say(replace(OFFER, amount_minor=5400), NOW, SELLER)),
    ("at the desk", say(DeclineReturn(code="OTHER"), NOW, ACTORS[2])),
    ([*PLACES["asked"].events, *THIRD], say(OFFER, NOW, SELLER)),
    (
        [*OFFERED, OfferDeclined(**IDS, offer_id="OF-1", lapsed=False), THIRD[2]],
        say(AnswerOffer(offer_id="OF-1", accept=True), at(5), BUYER),
    ),
    ("scanned", say(ReceiveUnits(units=FOUND), at(10), SELLER)),
    ("received", say(InspectUnits(units=WORSE), at(11), SELLER)),
    (
        "received",
        say(
            InspectUnits(units=WORSE, photos=(words("photo"),), photos_sha256=(FILE,)),
            at(11),
            SELLER,
        ),
    ),
    ("expired", say(ReceiveUnits(units=FOUND), at(30), SELLER, pieces=TAKEN)),
    (
        "received",
        say(
            ReceiveUnits(units=FOUND, photos=(words("photo"),), photos_sha256=(FILE,)),
            at(11),
            SELLER,
        ),
    ),
    (
        [requested("1/1", "1/2"), authorized("1/1", "1/2"), shipped("1/1")],
        say(ShipBack(units=("1/1",), tracking_id="T-1"), at(6)),
    ),
    ("ship by", say(ShipBack(units=("1/1",), tracking_id="T-1"), at(30))),
]


def place_of(where: str | list[ReturnEvent]) -> Place:
    if isinstance(where, str):
        return PLACES.get(where, Place((), NOW))
    return Place(where, NOW)


def asked_everywhere(row: Row[Any, Any, Any]) -> Iterator[tuple[Place, ReturnCommand]]:
    """By each role, in each place; by who is no party, has a stake, or was erased."""
    for place in places_of(row).values():
        for actor in ACTORS:
            yield place, tried(row, actor, place)
            yield place, tried(row, actor, place, erased=True)
        for actor in (MEMBER, *STRANGERS):
            yield place, tried(row, actor, place, **ACME)


def refusals_of(row: Row[Any, Any, Any]) -> set[type[Refused]]:
    earned: set[type[Refused]] = set()
    besides = [
        (place_of(each[0]), each[1]) for each in BESIDES if row.command is type(each[1].said)
    ]
    for place, command in (*asked_everywhere(row), *besides):
        try:
            RETURNS.decide(folded(place.events), command)
        except Refused as refused:
            earned.add(type(refused))
    return earned


@pytest.mark.parametrize("row", [*RETURN_RULES], ids=lambda row: row.name)
def test_every_refusal_that_a_command_names_is_earned_and_no_other(row: Row[Any, Any, Any]) -> None:
    earned, owed = refusals_of(row), set(row.all_refusals) - {TimeGoesBack}
    assert owed <= earned, f"never: {owed - earned}"
    assert earned <= owed | ANYWHERE, f"not named: {earned - owed - ANYWHERE}"


@pytest.mark.parametrize("row", [*RETURN_RULES], ids=lambda row: row.name)
def test_every_example_is_well_formed(row: Row[Any, Any, Any]) -> None:
    by = say(row.example, NOW, SELLER).by
    require_shape(row.example, NOW, row.shape(row.example, by) if row.shape else ())


@pytest.mark.parametrize("name", PLACES)
def test_what_is_offered_is_what_would_be_taken(name: str) -> None:
    place = PLACES[name]
    state = folded(place.events)
    for actor in ACTORS:
        by = say(RETURN_RULES[RequestReturn].example, place.now, actor, **place.known).by
        for action in RETURN_RULES.offered(state, by):
            row = next(each for each in RETURN_RULES if each.name == action.action)
            assert actor.acts_as in row.roles
            assert action.allowed == any(
                takes(said, place, actor)
                for matter in row.matters(state, by)
                for said in (row.tries(matter, by) if row.tries else [row.example])
            ), (action, name)


def takes(said: Struct, place: Place, actor: Actor) -> bool:
    try:
        command = say(said, place.now, actor, **place.known)
        return bool(RETURNS.decide(folded(place.events), command))
    except Refused:
        return False


def test_what_a_command_records_is_what_its_row_says() -> None:
    for row in RETURN_RULES:
        for place, command in asked_everywhere(row):
            try:
                events = RETURNS.decide(folded(place.events), command)
            except Refused:
                continue
            assert {type(event) for event in events} <= {*row.events}, row.name
