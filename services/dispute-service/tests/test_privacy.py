"""What nobody gets to know of what the other has not shown: on no route, by no answer, no time."""

import json
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest
from dispute_service.api.doors import OF_INQUIRIES, OF_PARTIES
from dispute_service.api.matters import DISPUTE, rehearsal
from dispute_service.domain.dispute_state import OTHER, SIDES, Dispute
from dispute_service.domain.readers import read_by
from dispute_service.domain.withdrawal import WithdrawDispute
from dispute_service.testing import AGENT, BUYER, SELLER, SENIOR, at, say
from dispute_service.testing.desk import DAY, DECISION, OPENING, Case, Desk, eur, partial
from dispute_service.testing.lives import Act, Life, after, attempts, lived
from dispute_service.testing.stories import OPEN, STORIES, Story, photo
from dispute_service.views import dispute_view
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from shared_events.dispute import (
    BlindOfferMade,
    DisputeClosed,
    DisputeEvent,
    EvidenceLodged,
    EvidenceRemoved,
    EvidenceSubmitted,
    RebuttalSubmitted,
)
from shared_events.fields import Party
from shared_runtime.decider import Actor, Refused
from shared_runtime.problems import encode_json
from shared_runtime.rule import Sent
from shared_runtime.testing_http import Client, Json, done, refusal, send

ACTORS: dict[Party, Actor] = {"BUYER": BUYER, "SELLER": SELLER}
IN_SECRET = (
    BlindOfferMade,
    EvidenceLodged,
    EvidenceRemoved,
    EvidenceSubmitted,
    RebuttalSubmitted,
)
"""Alone in their commit, these are their author's until all is shown."""

stories = st.sampled_from(list(STORIES.values()))
acts = st.lists(
    st.builds(
        Act,
        who=st.integers(0, 3),
        which=st.integers(0, 90),
        hours=st.sampled_from([0, 1, 24, 48, 72]),
    ),
    max_size=8,
)


def done_in_secret(life: Life, side: Party) -> Iterator[Life]:
    """The lives that follow from what a party can do now and nobody else is told."""
    assert isinstance(life.state, Dispute)
    for command in attempts(life, ACTORS[side], 50):
        then = after(life, command)
        new = then.events[len(life.events) :]
        if new and all(is_secret(event, life.state) for event in new):
            yield then


def is_secret(event: DisputeEvent, before: Dispute) -> bool:
    late = isinstance(event, EvidenceSubmitted) and before.status != "EVIDENCE"
    return isinstance(event, IN_SECRET) and not late


def got_by(actor: Actor, life: Life) -> list[Any]:
    """All that a dispute can answer somebody: its view and version, its history, and what he would
    be told if he tried whatever his role may send.
    """
    reading = read_by(actor, life.events)
    by = say(WithdrawDispute(), now=life.now, actor=actor).by
    view = encode_json(dispute_view(reading, by))
    tried = [answer_to(command, life) for command in attempts(life, actor, 99)]
    return [view, reading.version, reading.events, tried]


def answer_to(command: Sent[Any, Any], life: Life) -> Sequence[object]:
    try:
        return rehearsal(DISPUTE, command.said).decide(life.state, command)
    except Refused as refused:
        return [refused.slug(), refused.members()]


@given(stories, acts, st.sampled_from(SIDES))
def test_what_one_does_in_secret_changes_nothing_that_anybody_else_is_answered(
    story: Story, doing: list[Act], side: Party
) -> None:
    life = lived(story.commands, doing)
    assert isinstance(life.state, Dispute)
    if not life.state.seller_acted:
        return  # that a silent seller has acted shows, below
    others = (ACTORS[OTHER[side]], AGENT, SENIOR)
    for then in done_in_secret(life, side):
        for actor in others:
            assert got_by(actor, then) == got_by(actor, life)


def test_that_a_silent_seller_has_acted_shows_and_neither_what_nor_when() -> None:
    early, late = [
        replace(lived((*OPEN, say(photo("s1"), now=at(6, hour), actor=SELLER)), []), now=at(7))
        for hour in (8, 20)
    ]
    assert got_by(BUYER, early) == got_by(BUYER, late)
    *_, closed = answer_to(say(WithdrawDispute(), now=at(7)), early)
    assert isinstance(closed, DisputeClosed)
    assert closed.first_response_seconds is None


def test_every_kind_of_secret_act_is_among_those_that_are_compared() -> None:
    tried: set[type[DisputeEvent]] = set()
    for story in STORIES.values():
        life = lived(story.commands, [])
        for side in SIDES:
            for then in done_in_secret(life, side):
                tried |= {type(event) for event in then.events[len(life.events) :]}
    assert tried == set(IN_SECRET)


# --- Over HTTP

BODIES: dict[str, Json] = {
    "/v1/disputes/{dispute_id}/proposals": partial(700),
    "/v1/disputes/{dispute_id}/proposals/{proposal_id}/acceptance": {},
    "/v1/disputes/{dispute_id}/proposals/{proposal_id}/rejection": {},
    "/v1/disputes/{dispute_id}/blind-offers": {"amount": eur(700)},
    "/v1/disputes/{dispute_id}/escalation": {},
    "/v1/disputes/{dispute_id}/messages": {"text": "Hello?"},
    "/v1/disputes/{dispute_id}/evidence": {"kind": "PHOTO", "media": "file"},
    "/v1/disputes/{dispute_id}/evidence/sharing": {"evidence_ids": ["E"]},
    "/v1/disputes/{dispute_id}/evidence/{evidence_id}/removal": {},
    "/v1/disputes/{dispute_id}/evidence/extension": {},
    "/v1/disputes/{dispute_id}/evidence/submission": {"nothing": True},
    "/v1/disputes/{dispute_id}/rebuttal": {"text": "Hello?"},
    "/v1/disputes/{dispute_id}/information-requests/answer": {"text": "Hello?"},
    "/v1/disputes/{dispute_id}/appeals": {"ground": "PROCEDURE", "text": "Hello?"},
    "/v1/disputes/{dispute_id}/appeals/waiver": {},
    "/v1/disputes/{dispute_id}/appeals/{appeal_id}/answer": {"text": "Hello?"},
    "/v1/disputes/{dispute_id}/withdrawal": {},
    "/v1/inquiries/{inquiry_id}/answer": {"text": "Hello?"},
    "/v1/inquiries/{inquiry_id}/messages": {"text": "Hello?"},
    "/v1/inquiries/{inquiry_id}/closing": {},
}
"""What may be sent to each door of parties."""


def of(path: str, case: Case, inquiry_id: str) -> str:
    """Where a door is; what it names within a dispute is not there."""
    ids = {"dispute_id": case.dispute_id, "inquiry_id": inquiry_id}
    return path.format_map(defaultdict(lambda: "nothing", ids))


def test_every_door_of_parties_is_tried_on_strangers() -> None:
    assert set(BODIES) == {door.path for door in (*OF_PARTIES, *OF_INQUIRIES)}


async def test_to_strangers_nothing_is_there_on_any_route(
    desk: Desk, caller: Callable[..., Client]
) -> None:
    asking = {"order_id": desk.order_id, "topic": "OTHER", "text": "Is it leather?"}
    inquiry = done(await send(desk.buyer, "/v1/inquiries", asking))["inquiry_id"]
    case = await desk.opened()
    strangers = [
        caller("BUYER", "B-6"),
        caller("SELLER", "S-78"),
        caller("SELLER", "S-77", seller_id="S-78"),
        caller("BUYER", "S-77"),
        caller("SELLER", "B-5"),
    ]
    for stranger in strangers:
        for path, body in BODIES.items():
            told = await send(stranger, of(path, case, inquiry), body)
            assert told.status_code in (403, 404), path
            if told.status_code == 403:  # said of his role, whatever there is
                nowhere = await send(stranger, of(path, Case("x/nowhere"), "nowhere"), body)
                assert nowhere.json()["type"] == told.json()["type"]
                assert refusal(told) == "role-not-allowed"
        for read in (case.path, f"/v1/inquiries/{inquiry}"):
            assert (await stranger.get(read)).status_code == 404
            assert (await stranger.get(f"{read}/events")).status_code == 404
            assert (await stranger.get(f"{read}/deadlines")).status_code == 404
        assert (await stranger.get("/v1/disputes")).json()["items"] == []
    for path, body in [("disputes", OPENING), ("inquiries", asking)]:
        told = await send(strangers[0], f"/v1/{path}", {"order_id": desk.order_id} | body)
        assert told.status_code == 404


async def test_staff_who_belong_to_a_party_read_nothing_and_judge_nothing(
    desk: Desk, caller: Callable[..., Client]
) -> None:
    await desk.on_duty("agent-1")
    case = await desk.in_review()
    version = (await desk.agent.get(case.path)).headers["ETag"]
    evidence = (await case.seen_by(desk.agent))["evidence"][0]["evidence_id"]
    for role in ("AGENT", "SENIOR", "AUDITOR"):
        for insider in (
            caller(role, "somebody", seller_id="S-77"),
            caller(role, "somebody", org_id="S-77"),
            caller(role, "B-5"),
        ):
            for read in ("", "/events", "/deadlines", "/case-file", "/outcomes", "/similar"):
                assert (await insider.get(f"{case.path}{read}")).status_code == 404
            if role != "AUDITOR":
                await insider.put("/v1/adjudication/duty", json={})
            listed = await insider.get("/v1/adjudication/cases")
            assert listed.json()["items"] == []
            if role == "AUDITOR":
                continue
            decision = DECISION | {"evidence_ids": [evidence]}
            for dry in (True, False):
                told = await case.tried(insider, "decision", decision, version=version, dry=dry)
                assert (refusal(told), told.json()["ground"]) == ("conflict-of-interest", "PARTY")
    named = {"adjudicator_id": "agent-2", "level": "AGENT"}
    insider = caller("SENIOR", "somebody", org_id="S-77")
    told = await case.tried(insider, "assignment", named, version=version)
    assert (refusal(told), told.json()["ground"]) == ("conflict-of-interest", "PARTY")


NAMES = re.compile(
    r'"(media_id|url)":"[^"]+"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|s1(\.[\w/-]+){5}|O-\d'
)
"""What differs between two disputes that are the same: ids, seals and links."""


async def got_over_http(client: Client, case: Case, before: str) -> list[object]:
    """All that somebody is answered about a dispute: what he reads, and what he would be told of
    whatever he tried. `before`: the version that he saw some time ago.
    """
    reads = ("", "/events?limit=100", "/deadlines")
    read = [await client.get(f"{case.path}{each}") for each in reads]
    listed = [
        NAMES.sub("..", json.dumps(each))
        for each in (await client.get("/v1/disputes")).json()["items"]
        if each["dispute_id"] == case.dispute_id
    ]
    tries = [
        await send(client, of(path, case, "x"), body, version=version, dry=True)
        for path, body in BODIES.items()
        if path.startswith("/v1/disputes")
        for version in (None, before)
    ]
    told = [
        (each.status_code, each.headers.get("ETag"), NAMES.sub("..", each.text))
        for each in (*read, *tries)
    ]
    return [listed, *told]


async def offers_in_secret(desk: Desk, case: Case) -> None:
    await case.do(desk.seller, "blind-offers", {"amount": eur(700)})


async def lodges_in_secret(desk: Desk, case: Case) -> None:
    await case.shows(desk.seller)


async def takes_back_in_secret(desk: Desk, case: Case) -> None:
    await case.do(desk.seller, f"evidence/{await case.shows(desk.seller)}/removal")


async def submits_in_secret(desk: Desk, case: Case) -> None:
    await case.shows(desk.seller)
    await case.do(desk.seller, "evidence/submission")


async def rebuts_in_secret(desk: Desk, case: Case) -> None:
    await case.do(desk.seller, "rebuttal", {"text": "That is another box."})


async def rejected(desk: Desk) -> Case:
    case = await desk.opened()
    await case.do(
        desk.seller, f"proposals/{await case.proposal_of('BUYER', desk.seller)}/rejection"
    )
    return case


@pytest.mark.parametrize(
    ("place", "secret"),
    [
        (rejected, offers_in_secret),
        (rejected, lodges_in_secret),
        (rejected, takes_back_in_secret),
        (Desk.in_evidence, lodges_in_secret),
        (Desk.in_evidence, submits_in_secret),
        (Desk.in_rebuttal, rebuts_in_secret),
        (Desk.in_rebuttal, lodges_in_secret),
    ],
)
async def test_i18_the_buyer_is_answered_the_same_whether_the_seller_acts_in_secret_or_not(
    desk: Desk,
    delivered: Callable[..., Awaitable[str]],
    place: Callable[[Desk], Awaitable[Case]],
    secret: Callable[[Desk, Case], Awaitable[None]],
) -> None:
    now = desk.clock()
    got: list[object] = []
    for order_id, acts in (("O-2", True), ("O-3", False)):
        desk.clock.at = now
        there = desk.of_order(await delivered(order_id))
        case = await place(there)
        before = (await desk.buyer.get(case.path)).headers["ETag"]
        if acts:
            await secret(there, case)
        await desk.work()
        got.append(await got_over_http(desk.buyer, case, before))
    assert got[0] == got[1]


@pytest.mark.parametrize("middle", [True, False], ids=["meets", "does not"])
async def test_i18_a_rehearsed_offer_never_tells_whether_it_would_meet_the_others(
    desk: Desk, middle: bool
) -> None:
    case = await rejected(desk)
    await case.do(desk.seller, "blind-offers", {"amount": eur(700 if middle else 699)})
    tried = await case.tried(desk.buyer, "blind-offers", {"amount": eur(700)}, dry=True)
    assert [each["type"] for each in tried.json()["events"]] == ["BlindOfferMade.v1"]


async def test_i18_a_rehearsed_submission_and_rebuttal_never_tell_whether_they_were_the_second(
    desk: Desk,
) -> None:
    case = await desk.in_evidence()
    await submits_in_secret(desk, case)
    tried = await case.tried(desk.buyer, "evidence/submission", {"nothing": True}, dry=True)
    assert [each["type"] for each in tried.json()["events"]] == ["EvidenceSubmitted.v1"]
    await case.do(desk.buyer, "evidence/submission", {"nothing": True})
    await rebuts_in_secret(desk, case)
    tried = await case.tried(desk.buyer, "rebuttal", {"text": "That is none."}, dry=True)
    assert [each["type"] for each in tried.json()["events"]] == ["RebuttalSubmitted.v1"]


async def test_a_repeat_tells_what_may_be_known_by_then_and_not_more(desk: Desk) -> None:
    case = await rejected(desk)
    first = await case.tried(desk.buyer, "messages", {"text": "Hello?"}, key="once")
    await offers_in_secret(desk, case)
    await lodges_in_secret(desk, case)
    again = await case.tried(desk.buyer, "messages", {"text": "Hello?"}, key="once")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (again.text, again.headers["ETag"]) == (first.text, first.headers["ETag"])
    shared = (await case.seen_by(desk.seller))["evidence"][0]["evidence_id"]
    await case.do(desk.seller, "evidence/sharing", {"evidence_ids": [shared]})
    again = await case.tried(desk.buyer, "messages", {"text": "Hello?"}, key="once")
    assert [each["evidence_id"] for each in again.json()["evidence"]] == [shared]
    assert again.headers["ETag"] == (await desk.buyer.get(case.path)).headers["ETag"]


async def test_the_version_that_a_party_saw_stays_good_while_the_other_acts_in_secret(
    desk: Desk,
) -> None:
    case = await rejected(desk)
    seen = (await desk.buyer.get(case.path)).headers["ETag"]
    await offers_in_secret(desk, case)
    await lodges_in_secret(desk, case)
    done(await case.tried(desk.buyer, "messages", {"text": "Hello?"}, version=seen))
    told = await case.tried(desk.buyer, "messages", {"text": "Hello?"}, version=seen)
    assert (refusal(told), told.json()["actual"]) == ("stale-version", int(seen.strip('"')) + 1)


@pytest.mark.usefixtures("judges")
async def test_the_parties_never_read_a_name_of_whoever_decides(desk: Desk) -> None:
    case = await desk.decided()
    await case.do(desk.buyer, "appeals", {"ground": "PROCEDURE", "text": "I was not asked."})
    await desk.after(8 * DAY)
    evidence = (await case.seen_by(desk.senior))["evidence"][0]["evidence_id"]
    upheld = DECISION | {"result": "UPHELD", "evidence_ids": [evidence]}
    await case.judged(desk.senior, "appeals/decision", upheld)
    for client, named in [(desk.buyer, False), (desk.seller, False), (desk.auditor, True)]:
        told = [await client.get(case.path), await client.get(f"{case.path}/events?limit=100")]
        for name in ("agent-1", "senior-1"):
            assert any(name in each.text for each in told) is named
    staff = (await desk.senior.get(f"{case.path}/events?limit=100")).json()["items"]
    assert "AdjudicatorAssigned.v1" in [each["type"] for each in staff]
