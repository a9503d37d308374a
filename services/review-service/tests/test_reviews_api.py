"""A review's whole life by HTTP: who may do what to it, and what everybody else is told."""

import asyncio
import io
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from local_stack.databases import Database
from PIL import Image
from review_service.api.bulk import NDJSON
from review_service.api.examples import LINE, line_of
from review_service.app import workload
from review_service.domain.streams import review_id_of
from review_service.facts import flagged_lately, lock_flaggers
from review_service.settings import ReviewSettings
from review_service.testing.refs import review_ref
from shared_events.envelope import Recorded
from shared_events.review import RevisionGranted
from shared_runtime.log import VersionConflict
from shared_runtime.service import Parts
from shared_runtime.testing import InMemoryKeyStore, ManualClock, take_all_at_once
from shared_runtime.timers import fire_due

type Caller = Callable[..., httpx.AsyncClient]
type Work = Callable[[], Awaitable[None]]
type Json = dict[str, Any]

DAY = timedelta(days=1)
ORDERS, REVIEWS = "/v1/orders", "/v1/reviews"
COMPLETED = datetime(2026, 1, 15, 18, tzinfo=UTC)
FIVE: Json = {"quality": 5, "logistics": 4, "service": 5, "incentive": "NONE"}
STARS: Json = {"quality": 5, "logistics": 4, "service": 5}
RB, RS = review_id_of("O1", "BUYER"), review_id_of("O1", "SELLER")
BUYERS, SELLERS = review_ref("O1", "BUYER"), review_ref("O1", "SELLER")
RESTRICTION: Json = {
    "ground": "PERSONAL_DATA",
    "rule_ids": ["R-3"],
    "facts": "It names a street.",
    "explanation": "Reviews may not give addresses.",
    "measures": ["HIDE_TEXT"],
}
NO_RULES: Json = {"rule_ids": []}
WAITING = """
    WITH waiting AS (
        SELECT pid, pg_blocking_pids(pid) AS behind FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
    )
    SELECT count(*) FROM waiting WHERE $1 = ANY (behind) OR EXISTS (
        SELECT FROM waiting AS next
        WHERE next.pid = ANY (waiting.behind) AND $1 = ANY (next.behind))
"""
"""How many wait for the transaction of a session, or behind one who does. (For a moment one may
wait for something else.)"""
DECISION: Json = {
    "outcome": "UPHELD",
    "rule_ids": ["R-3"],
    "facts": "It is a private address.",
    "explanation": "The address is not public.",
}


async def post(client: httpx.AsyncClient, path: str, body: Json, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(path, json=body, headers={"Idempotency-Key": str(uuid4())} | named)


async def write(
    client: httpx.AsyncClient, body: Json, path: str = "", *, order: str = "O1"
) -> httpx.Response:
    return await post(client, f"{ORDERS}/{order}/evaluation/reviews{path}", body)


async def judge(client: httpx.AsyncClient, path: str, body: Json) -> httpx.Response:
    """As a moderator does: on the version that he has just read."""
    read = await client.get(f"{REVIEWS}/{path.partition('/')[0]}")
    return await post(client, f"{REVIEWS}/{path}", body, If_Match=read.headers.get("ETag", '"0"'))


def slug(answered: httpx.Response) -> tuple[int, str]:
    assert answered.headers["Content-Type"] == "application/problem+json", answered.text
    return answered.status_code, answered.json()["type"].removeprefix("/problems/")


def recorded(answered: httpx.Response) -> Json:
    assert answered.status_code == 201, answered.text
    told: Json = answered.json()
    return told


def review_by(side: str, told: Json) -> Json:
    return next(review for review in told["reviews"] if review["by"] == side)


async def look(client: httpx.AsyncClient, order: str = "O1") -> Json:
    answered = await client.get(f"{ORDERS}/{order}/evaluation")
    assert answered.status_code == 200, answered.text
    told: Json = answered.json()
    return told


@pytest.fixture
def reader(caller: Caller) -> httpx.AsyncClient:
    """Somebody with an account, and no part in the order."""
    return caller("BUYER", "B-9")


@pytest.fixture
def moderator(caller: Caller) -> httpx.AsyncClient:
    return caller("MODERATOR", "mod-1")


@pytest.fixture
def another(caller: Caller) -> httpx.AsyncClient:
    return caller("MODERATOR", "mod-2")


async def bring(caller: Caller, line: Json, *orders: str) -> None:
    """Completed orders, with the reviews of `LINE` if the line says nothing else."""
    lines = [LINE | line | {"order": LINE["order"] | {"order_id": each}} for each in orders]
    answered = await caller("IMPORTER", "history").post(
        f"{ORDERS}/bulk", content="".join(map(line_of, lines)), headers={"Content-Type": NDJSON}
    )
    assert answered.text.count('"order":"accepted"') == len(orders)


@pytest.fixture
async def opened(caller: Caller, clock: ManualClock, work: Work) -> None:
    """An order that has just been completed."""
    clock.at = COMPLETED
    await bring(caller, {"reviews": []}, "O1")
    await work()


@pytest.fixture
async def revealed(
    opened: None,  # noqa: ARG001 - comes first
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    work: Work,
) -> None:
    """Both have written."""
    recorded(await write(buyer, FIVE | {"text": "Too bright."}))
    recorded(await write(seller, {"rating": 4, "text": "Paid late."}))
    await work()


@pytest.mark.usefixtures("revealed")
async def test_what_a_party_writes_is_read_by_both_after_the_reveal(
    buyer: httpx.AsyncClient, seller: httpx.AsyncClient
) -> None:
    for client in (buyer, seller):
        told = await look(client)
        assert review_by("BUYER", told)["text"] == "Too bright."
        assert review_by("SELLER", told)["text"] == "Paid late."


@pytest.mark.usefixtures("opened")
async def test_before_the_reveal_only_its_author_reads_it(
    buyer: httpx.AsyncClient, seller: httpx.AsyncClient
) -> None:
    written = recorded(await write(buyer, FIVE | {"text": "Too bright."}))
    assert review_by("BUYER", written)["text"] == "Too bright."
    assert (await look(seller))["reviews"] == []


@pytest.mark.usefixtures("revealed")
async def test_no_text_is_stored_that_can_be_read_without_its_key(pool: asyncpg.Pool) -> None:
    for table in ("es.event", "es.reply"):
        rows = await pool.fetch(f"SELECT body FROM {table}")  # noqa: S608 - names of the test's own
        assert rows
        assert not any(b"bright" in row["body"] for row in rows)


@pytest.mark.usefixtures("opened")
async def test_an_amendment_of_the_text_alone_is_one(buyer: httpx.AsyncClient) -> None:
    recorded(await write(buyer, FIVE | {"text": "Too bright."}))
    amended = recorded(await write(buyer, FIVE | {"text": "Just right."}, f"/{RB}/amendments"))
    assert review_by("BUYER", amended)["text"] == "Just right."
    same = await write(buyer, FIVE | {"text": "Just right."}, f"/{RB}/amendments")
    assert same.status_code == 200, same.text


@pytest.mark.usefixtures("opened")
async def test_a_repeated_request_gets_its_text_back(buyer: httpx.AsyncClient) -> None:
    key = str(uuid4())
    path = f"{ORDERS}/O1/evaluation/reviews"
    first = await post(buyer, path, FIVE | {"text": "Too bright."}, Idempotency_Key=key)
    again = await post(buyer, path, FIVE | {"text": "Too bright."}, Idempotency_Key=key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()


@pytest.mark.usefixtures("revealed")
async def test_each_side_replies_once_and_may_mend_its_words(
    buyer: httpx.AsyncClient, seller: httpx.AsyncClient, clock: ManualClock
) -> None:
    reply = recorded(await write(seller, {"text": "Try the dimmer."}, f"/{RB}/reply"))
    assert review_by("BUYER", reply)["reply"]["text"] == "Try the dimmer."
    assert slug(await write(seller, {"text": "And?"}, f"/{RB}/reply")) == (409, "already-submitted")
    edited = recorded(await write(seller, {"text": "It has a dimmer."}, f"/{RB}/reply/edits"))
    assert review_by("BUYER", edited)["reply"] == {
        **review_by("BUYER", edited)["reply"],
        "text": "It has a dimmer.",
        "edited": True,
    }
    recorded(await write(buyer, {"text": "The bank was slow."}, f"/{RS}/reply"))
    clock.advance(timedelta(hours=48))
    assert slug(await write(seller, {"text": "No."}, f"/{RB}/reply/edits")) == (
        409,
        "window-closed",
    )
    clock.advance(timedelta(days=28))
    assert slug(await write(buyer, {"text": "Late."}, f"/{RS}/reply/edits")) == (
        409,
        "window-closed",
    )


@pytest.mark.usefixtures("revealed")
async def test_nobody_replies_to_his_own_review(buyer: httpx.AsyncClient) -> None:
    answered = await write(buyer, {"text": "I meant it."}, f"/{RB}/reply")
    assert slug(answered) == (404, "not-found")


@pytest.mark.usefixtures("revealed")
async def test_a_buyer_adds_to_his_review_once(
    buyer: httpx.AsyncClient, seller: httpx.AsyncClient
) -> None:
    added = recorded(await write(buyer, {"text": "Still works."}, f"/{RB}/follow-up"))
    assert review_by("BUYER", added)["follow_up"]["text"] == "Still works."
    again = await write(buyer, {"text": "Still does."}, f"/{RB}/follow-up")
    assert slug(again) == (409, "already-submitted")
    refused = await write(seller, {"text": "Mine."}, f"/{RS}/follow-up")
    assert slug(refused) == (403, "role-not-allowed")


@pytest.mark.usefixtures("revealed")
async def test_there_is_no_revision_before_the_matter_is_made_good(
    buyer: httpx.AsyncClient, seller: httpx.AsyncClient
) -> None:
    assert slug(await write(buyer, STARS | {"quality": 1}, f"/{RB}/revision")) == (
        409,
        "not-yet-eligible",
    )
    assert slug(await write(seller, {}, f"/{RB}/revision-request")) == (409, "not-yet-eligible")


@pytest.fixture
async def revised(
    revealed: None,  # noqa: ARG001 - comes first
    buyer: httpx.AsyncClient,
    tell: Callable[..., Awaitable[None]],
    clock: ManualClock,
) -> None:
    """The seller has made the matter good, and the buyer says so."""
    grant = partial(
        RevisionGranted, cause="RETURN", cause_id="r1", until=clock() + timedelta(days=14)
    )
    await tell("O1", partial(grant, review_id=RB))
    stars = {"quality": 5, "logistics": 5, "service": 5}
    recorded(await write(buyer, stars | {"text": "They sent another."}, f"/{RB}/revision"))


def versions(told: Json) -> tuple[object, ...]:
    """The text and the stars for quality, logistics and service: of now, and of before."""
    review = review_by("BUYER", told)
    was = review["revision"]
    names = ("text", "quality", "logistics", "service")
    return tuple(review[name] for name in names), tuple(was[f"was_{name}"] for name in names)


@pytest.mark.usefixtures("revised")
async def test_whoever_may_read_a_revised_review_reads_what_it_said_before(
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    moderator: httpx.AsyncClient,
    key_store: InMemoryKeyStore,
) -> None:
    now, before = ("They sent another.", 5, 5, 5), ("Too bright.", 5, 4, 5)
    for client in (buyer, seller, moderator):
        assert versions(await look(client)) == (now, before)
    recorded(await judge(moderator, f"{BUYERS}/restrictions", RESTRICTION))
    assert versions(await look(seller)) == ((None, 5, 5, 5), (None, 5, 4, 5))
    assert versions(await look(buyer)) == (now, before)
    await key_store.destroy("buyer:B-5")
    assert versions(await look(buyer)) == ((None, 5, 5, 5), (None, 5, 4, 5))


@pytest.mark.usefixtures("revised")
async def test_a_review_that_is_hidden_shows_nothing_of_before(
    seller: httpx.AsyncClient, moderator: httpx.AsyncClient
) -> None:
    hidden = RESTRICTION | {"measures": ["HIDE_REVIEW"]}
    recorded(await judge(moderator, f"{BUYERS}/restrictions", hidden))
    assert versions(await look(seller)) == ((None,) * 4, (None,) * 4)


@pytest.mark.usefixtures("revealed")
async def test_of_a_hidden_review_the_other_side_sees_its_own_reply_and_no_reason_of_its_weight(
    buyer: httpx.AsyncClient, seller: httpx.AsyncClient, moderator: httpx.AsyncClient
) -> None:
    recorded(await write(seller, {"text": "Dim it."}, f"/{RB}/reply"))
    hidden = RESTRICTION | {"measures": ["HIDE_REVIEW", "EXCLUDE_SCORE"]}
    recorded(await judge(moderator, f"{BUYERS}/restrictions", hidden))
    seen = review_by("BUYER", await look(seller))
    assert (seen["quality"], seen["weight_milli"], seen["reasons"]) == (None, 0, None)
    assert seen["reply"]["text"] == "Dim it."
    assert review_by("BUYER", await look(buyer))["reasons"][0]["code"] == "RESTRICTED"


@pytest.mark.usefixtures("revealed")
async def test_who_flagged_a_review_that_was_restored_is_told_so(
    reader: httpx.AsyncClient,
    buyer: httpx.AsyncClient,
    moderator: httpx.AsyncClient,
    another: httpx.AsyncClient,
    caller: Caller,
) -> None:
    async def outcome(client: httpx.AsyncClient, flag: Json) -> str | None:
        told = await client.get(f"{REVIEWS}/{BUYERS}/flags/{flag['flag_id']}")
        became: str | None = told.json()["outcome"]
        return became

    flags = f"{REVIEWS}/{BUYERS}/flags"
    flag = recorded(await post(reader, flags, {"reason": "PERSONAL_DATA"}))
    recorded(await judge(moderator, f"{BUYERS}/restrictions", RESTRICTION))
    assert await outcome(reader, flag) == "RESTRICTED"
    appeal = recorded(await post(buyer, f"{REVIEWS}/{BUYERS}/appeals", {"text": "It is public."}))
    path = f"{BUYERS}/appeals/{appeal['appeal_id']}/decision"
    recorded(await judge(another, path, DECISION | {"outcome": "REVERSED"}))
    late = caller("BUYER", "B-10")
    new = recorded(await post(late, flags, {"reason": "FAKE"}))
    assert (await outcome(reader, flag), await outcome(late, new)) == ("RESTORED", None)
    recorded(await write(buyer, {}, f"/{RB}/withdrawal"))
    assert (await outcome(reader, flag), await outcome(late, new)) == ("RESTORED", "WITHDRAWN")


@pytest.mark.usefixtures("revealed")
async def test_a_review_is_withdrawn_for_good_after_the_reveal(
    buyer: httpx.AsyncClient, seller: httpx.AsyncClient
) -> None:
    withdrawn = review_by("BUYER", recorded(await write(buyer, {}, f"/{RB}/withdrawal")))
    assert (withdrawn["status"], withdrawn["weight_milli"]) == ("WITHDRAWN", 0)
    seen = review_by("BUYER", await look(seller))
    assert (seen["status"], seen["quality"], seen["text"]) == ("WITHDRAWN", None, None)
    assert slug(await write(buyer, FIVE)) == (409, "already-submitted")


@pytest.mark.usefixtures("opened")
async def test_before_the_reveal_another_one_may_take_its_place(buyer: httpx.AsyncClient) -> None:
    recorded(await write(buyer, FIVE))
    assert recorded(await write(buyer, {}, f"/{RB}/withdrawal"))["reviews"] == []
    recorded(await write(buyer, FIVE))


@pytest.mark.usefixtures("revealed")
async def test_anybody_flags_a_review_and_learns_nothing_of_its_order(
    reader: httpx.AsyncClient,
) -> None:
    rehearsed = await post(
        reader, f"{REVIEWS}/{BUYERS}/flags?validate_only=true", {"reason": "FAKE"}
    )
    assert "O1" not in rehearsed.text
    assert "B-5" not in rehearsed.text
    flagged = await post(reader, f"{REVIEWS}/{BUYERS}/flags", {"reason": "FAKE", "text": "A bot."})
    told = recorded(flagged)
    assert (told["ref"], told["reason"], told["text"]) == (BUYERS, "FAKE", "A bot.")
    assert told["decide_by"] == "2026-01-20T18:00:00Z"
    assert "O1" not in flagged.text
    again = await post(reader, f"{REVIEWS}/{BUYERS}/flags", {"reason": "OFFENSIVE"})
    assert slug(again) == (409, "already-submitted")


@pytest.mark.usefixtures("revealed")
async def test_who_flags_too_much_waits(
    caller: Caller, pool: asyncpg.Pool, clock: ManualClock
) -> None:
    eager = caller("BUYER", "B-9")
    await pool.executemany(
        "INSERT INTO facts.flag (flag_id, flagger, flagged_at) VALUES ($1, 'buyer:B-9', $2)",
        [(str(n), clock() - timedelta(hours=1)) for n in range(20)],
    )
    flagged = await post(eager, f"{REVIEWS}/{BUYERS}/flags", {"reason": "FAKE"})
    assert slug(flagged) == (429, "rate-limited")
    assert flagged.json()["retry_at"] == "2026-01-16T17:00:00Z"
    clock.advance(timedelta(hours=23))
    recorded(await post(eager, f"{REVIEWS}/{BUYERS}/flags", {"reason": "FAKE"}))


@pytest.mark.usefixtures("revealed")
async def test_how_much_somebody_flags_is_asked_once_for_each_flag(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody can flag beside it; not before as well."""
    asked = list[str]()

    async def counted(who: str, now: datetime, db: Any) -> tuple[datetime, ...]:  # noqa: ANN401
        asked.append(who)
        return await flagged_lately(who, now, db)

    monkeypatch.setattr("review_service.api.evaluations.flagged_lately", counted)
    flagged = await post(caller("BUYER", "B-9"), f"{REVIEWS}/{BUYERS}/flags", {"reason": "FAKE"})
    recorded(flagged)
    assert asked == ["buyer:B-9"]


@pytest.fixture
async def listed(caller: Caller, clock: ManualClock, work: Work) -> list[str]:
    """Thirty orders of which both sides have written: the `ref` of every review."""
    clock.at = COMPLETED + timedelta(days=3)
    orders = [f"O{n}" for n in range(1, 31)]
    await bring(caller, {}, *orders)
    await work()
    return [review_ref(order_id, side) for order_id in orders for side in ("BUYER", "SELLER")]


async def test_locks_of_those_who_flag_are_taken_in_one_order(pool: asyncpg.Pool) -> None:
    await take_all_at_once(lock_flaggers, [f"buyer:B-{n}" for n in range(16)], pool)


async def test_i17_of_sixty_flags_at_once_twenty_are_taken(
    reader: httpx.AsyncClient, caller: Caller, listed: list[str]
) -> None:
    answers = await asyncio.gather(
        *(post(reader, f"{REVIEWS}/{ref}/flags", {"reason": "FAKE"}) for ref in listed)
    )
    told = Counter(answered.status_code for answered in answers)
    assert told == {201: 20, 429: 40}
    other = caller("BUYER", "B-10")
    recorded(await post(other, f"{REVIEWS}/{listed[0]}/flags", {"reason": "FAKE"}))


async def test_the_members_of_a_seller_flag_as_one(caller: Caller, listed: list[str]) -> None:
    members = [caller("SELLER", f"employee-{n}", seller_id="S-9") for n in range(21)]
    answers = [
        await post(member, f"{REVIEWS}/{ref}/flags", {"reason": "FAKE"})
        for member, ref in zip(members, listed, strict=False)
    ]
    assert [answered.status_code for answered in answers] == [201] * 20 + [429]


@pytest.mark.usefixtures("opened")
async def test_before_the_reveal_a_guessed_ref_is_answered_as_if_there_were_none(
    caller: Caller, buyer: httpx.AsyncClient, seller: httpx.AsyncClient, work: Work
) -> None:
    """Whoever knows the order's id can make the `ref`."""
    recorded(await write(buyer, FIVE))
    await work()
    for client in (seller, caller("BUYER", "B-9"), caller("SENIOR", "sen-1")):
        for path, (body, _) in OF_REVIEWS.items():
            hidden = await judge(client, f"{BUYERS}/{path}", body)
            none = await judge(client, f"{review_ref('O2', 'BUYER')}/{path}", body)
            assert slug(hidden) == slug(none), path
            assert slug(hidden) in ((404, "not-found"), (403, "role-not-allowed")), path


@pytest.mark.usefixtures("opened")
async def test_a_review_that_is_not_there_takes_the_work_of_one_that_is_hidden(
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    parts: Parts[ReviewSettings],
    monkeypatch: pytest.MonkeyPatch,
    work: Work,
) -> None:
    recorded(await write(buyer, FIVE))
    await work()
    read, streams = parts.log.read, list[str]()

    async def counted(names: Sequence[str]) -> Mapping[str, list[Recorded[Any]]]:
        streams.extend(names)
        return await read(names)

    monkeypatch.setattr(parts.log, "read", counted)
    work_done: list[int] = []
    for ref in (BUYERS, SELLERS, review_ref("O2", "BUYER")):
        streams.clear()
        flagged = await post(seller, f"{REVIEWS}/{ref}/flags", {"reason": "FAKE"})
        assert slug(flagged) == (404, "not-found")
        work_done.append(len(streams))
    assert work_done == [2, 2, 2]


@pytest.mark.usefixtures("revealed")
async def test_a_moderator_restricts_with_reasons_and_another_decides_the_appeal(
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    moderator: httpx.AsyncClient,
    another: httpx.AsyncClient,
) -> None:
    restricted = recorded(await judge(moderator, f"{BUYERS}/restrictions", RESTRICTION))
    assert review_by("BUYER", restricted)["status"] == "RESTRICTED"
    own = review_by("BUYER", await look(buyer))
    assert own["text"] == "Too bright."
    assert own["restriction"]["explanation"] == "Reviews may not give addresses."
    assert own["restriction"]["facts"] == "It names a street."
    other = review_by("BUYER", await look(seller))
    assert (other["quality"], other["text"], other["restriction"]) == (5, None, None)

    appealed = recorded(await post(buyer, f"{REVIEWS}/{BUYERS}/appeals", {"text": "It is public."}))
    assert appealed["text"] == "It is public."
    path = f"{BUYERS}/appeals/{appealed['appeal_id']}/decision"
    assert slug(await judge(moderator, path, DECISION)) == (403, "conflict-of-interest")
    restored = recorded(await judge(another, path, DECISION | {"outcome": "REVERSED"}))
    assert review_by("BUYER", restored)["status"] == "VISIBLE"
    assert review_by("BUYER", await look(seller))["text"] == "Too bright."


@pytest.mark.usefixtures("revealed")
async def test_who_flagged_a_review_that_is_kept_may_appeal(
    reader: httpx.AsyncClient,
    moderator: httpx.AsyncClient,
    another: httpx.AsyncClient,
    seller: httpx.AsyncClient,
) -> None:
    flag = recorded(await post(reader, f"{REVIEWS}/{BUYERS}/flags", {"reason": "FAKE"}))
    keep = {"flag_ids": [flag["flag_id"]], "rule_ids": ["R-1"]}
    recorded(await judge(moderator, f"{BUYERS}/keeps", keep))
    appeal = recorded(await post(reader, f"{REVIEWS}/{BUYERS}/appeals", {"text": "It is a bot."}))
    again = await post(reader, f"{REVIEWS}/{BUYERS}/appeals", {"text": "Really."})
    assert slug(again) == (409, "already-appealed")
    path = f"{BUYERS}/appeals/{appeal['appeal_id']}/decision"
    decided = await judge(another, path, DECISION | {"outcome": "REVERSED"})
    assert review_by("BUYER", recorded(decided))["status"] == "RESTRICTED"
    assert review_by("BUYER", await look(seller))["quality"] is None


@pytest.mark.usefixtures("revealed")
async def test_a_decision_names_the_version_it_is_about_and_gives_its_reasons(
    moderator: httpx.AsyncClient,
) -> None:
    blind = await post(moderator, f"{REVIEWS}/{BUYERS}/restrictions", RESTRICTION)
    assert slug(blind) == (428, "precondition-required")
    stale = await post(moderator, f"{REVIEWS}/{BUYERS}/restrictions", RESTRICTION, If_Match='"1"')
    assert slug(stale) == (412, "stale-version")
    for missing in ("rule_ids", "facts"):
        body = {name: value for name, value in RESTRICTION.items() if name != missing}
        answered = await judge(moderator, f"{BUYERS}/restrictions", NO_RULES | body)
        assert slug(answered) == (422, "reasons-missing"), answered.text
        assert set(answered.json()["missing"]) == {missing}


@pytest.mark.usefixtures("revealed")
async def test_a_held_review_comes_back_by_itself(
    caller: Caller,
    seller: httpx.AsyncClient,
    buyer: httpx.AsyncClient,
    clock: ManualClock,
    work: Work,
) -> None:
    analyst = caller("ANALYST", "ana-1")
    recorded(await post(analyst, f"{REVIEWS}/{BUYERS}/holds", {"ground": "FAKE"}))
    held = review_by("BUYER", await look(seller))
    assert (held["status"], held["quality"], held["hold"]) == ("HELD", None, None)
    assert review_by("BUYER", await look(buyer))["hold"]["ground"] == "FAKE"
    await work()
    clock.advance(timedelta(hours=72))
    await work()
    shown = review_by("BUYER", await look(seller))
    assert (shown["status"], shown["quality"], shown["weight_milli"]) == ("VISIBLE", 5, 1000)
    again = await post(analyst, f"{REVIEWS}/{BUYERS}/holds", {"ground": "FAKE"})
    assert slug(again) == (409, "limit-reached")


@pytest.mark.usefixtures("revealed")
async def test_a_detector_lowers_the_weight(caller: Caller) -> None:
    found = {
        "factor_milli": 400,
        "campaign": True,
        "terms": [{"name": "BURST", "value_milli": 850}],
        "calibration": "burst-1",
    }
    detector = caller("SYSTEM", "detector")
    recorded(await post(detector, f"{REVIEWS}/{BUYERS}/screenings", found))
    told = await caller("AUDITOR", "aud").get(f"{REVIEWS}/{BUYERS}")
    assert review_by("BUYER", told.json())["weight_milli"] == 400


ROLES = (
    "BUYER",
    "SELLER",
    "AGENT",
    "SENIOR",
    "MODERATOR",
    "ANALYST",
    "AUDITOR",
    "SYSTEM",
    "PRIVACY",
)
OF_PARTIES: dict[str, tuple[Json, set[str]]] = {
    f"{RB}/amendments": (FIVE, {"BUYER", "SELLER"}),
    f"{RB}/withdrawal": ({}, {"BUYER", "SELLER"}),
    f"{RB}/reply": ({"text": "x"}, {"BUYER", "SELLER"}),
    f"{RB}/reply/edits": ({"text": "x"}, {"BUYER", "SELLER"}),
    f"{RB}/follow-up": ({"text": "x"}, {"BUYER"}),
    f"{RB}/revision": (STARS, {"BUYER"}),
    f"{RB}/revision-request": ({}, {"SELLER"}),
}
OF_REVIEWS: dict[str, tuple[Json, set[str]]] = {
    "flags": ({"reason": "FAKE"}, {"BUYER", "SELLER", "MODERATOR", "ANALYST", "SYSTEM"}),
    "appeals": ({"text": "x"}, {"BUYER", "SELLER", "MODERATOR", "ANALYST"}),
    "screenings": (
        {"factor_milli": 500, "campaign": False, "terms": [], "calibration": "c"},
        {"SYSTEM"},
    ),
    "holds": ({"ground": "FAKE"}, {"MODERATOR", "ANALYST", "SYSTEM"}),
    "releases": ({}, {"MODERATOR"}),
    "keeps": ({"flag_ids": [], "rule_ids": []}, {"MODERATOR"}),
    "restrictions": (RESTRICTION, {"MODERATOR"}),
    "appeals/A1/decision": (DECISION, {"MODERATOR", "SENIOR"}),
}


@pytest.mark.usefixtures("revealed")
async def test_a_role_has_its_commands_and_no_others(caller: Caller) -> None:
    for role in ROLES:
        client = caller(role, "somebody")
        for path, (body, allowed) in OF_PARTIES.items():
            answered = await write(client, body, f"/{path}")
            # A party of another order does not learn that this one is there.
            told = (404, "not-found") if role in allowed else (403, "role-not-allowed")
            assert slug(answered) == told, (role, path)
        for path, (body, allowed) in OF_REVIEWS.items():
            if role not in allowed:
                answered = await judge(client, f"{BUYERS}/{path}", body)
                assert slug(answered) == (403, "role-not-allowed"), (role, path)


BAD: list[tuple[Json, str]] = [
    ({"quality": 0}, "quality"),
    ({"quality": 6}, "quality"),
    ({"quality": 4.5}, "quality"),
    ({"quality": "5"}, "quality"),
    ({"quality": True}, "quality"),
    ({"text": ""}, "text"),
    ({"text": " \n "}, "text"),
    ({"text": "x" * 5_001}, "text"),
    ({"text": "x" * 100_000}, "text"),
    ({"text": "a\u0000b"}, "text"),
    ({"text": "a\u202eb"}, "text"),
    ({"media": ["none"]}, "media[0]"),
    ({"media": ["x"] * 11}, "media"),
    ({"incentive": "MAYBE"}, "incentive"),
    ({"rating": 5}, "quality"),
    ({"review_id": "mine"}, "review_id"),
    ({"incentive": None}, "incentive"),
    ({"colour": "red"}, "colour"),
]


@pytest.mark.parametrize(("changes", "field"), BAD)
@pytest.mark.usefixtures("opened")
async def test_what_is_no_review_is_refused_with_the_field_named(
    buyer: httpx.AsyncClient, pool: asyncpg.Pool, changes: Json, field: str
) -> None:
    before = await pool.fetchval("SELECT count(*) FROM es.event")
    answered = await write(buyer, FIVE | changes)
    assert slug(answered) == (422, "invalid-value"), answered.text
    assert field in {error["field"] for error in answered.json()["errors"]}
    assert await pool.fetchval("SELECT count(*) FROM es.event") == before


@pytest.mark.usefixtures("opened")
async def test_a_text_that_is_no_unicode_is_refused(buyer: httpx.AsyncClient) -> None:
    body = json.dumps(FIVE)[:-1] + ', "text": "\\ud800"}'
    answered = await buyer.post(
        f"{ORDERS}/O1/evaluation/reviews",
        content=body,
        headers={"Content-Type": "application/json", "Idempotency-Key": str(uuid4())},
    )
    assert answered.status_code in (400, 422), answered.text


@pytest.mark.usefixtures("opened")
async def test_a_text_of_five_thousand_characters_of_any_script_is_taken(
    buyer: httpx.AsyncClient,
) -> None:
    text = "🙂" * 5_000
    written = recorded(await write(buyer, FIVE | {"text": text}))
    assert review_by("BUYER", written)["text"] == text


@pytest.mark.usefixtures("revealed")
async def test_a_repeat_shows_what_may_be_seen_by_then(
    seller: httpx.AsyncClient, moderator: httpx.AsyncClient
) -> None:
    """What was kept for a retry is no way around a restriction."""
    path, key = f"{ORDERS}/O1/evaluation/reviews/{RB}/reply", str(uuid4())
    first = recorded(await post(seller, path, {"text": "Dim it."}, Idempotency_Key=key))
    assert review_by("BUYER", first)["text"] == "Too bright."
    hidden = RESTRICTION | {"measures": ["HIDE_REVIEW"]}
    recorded(await judge(moderator, f"{BUYERS}/restrictions", hidden))
    again = await post(seller, path, {"text": "Dim it."}, Idempotency_Key=key)
    assert again.headers["Idempotent-Replayed"] == "true"
    review = review_by("BUYER", again.json())
    assert (review["status"], review["quality"], review["text"]) == ("RESTRICTED", None, None)
    read = await seller.get(f"{ORDERS}/O1/evaluation")
    assert again.headers["ETag"] == read.headers["ETag"]


def sendings(told: Json, side: str, flag_ids: list[str]) -> dict[str, list[tuple[str, Json]]]:
    """How each action may be sent, by one of this side or by staff. The flags are of RB."""
    own, other = (RB, RS) if side == "BUYER" else (RS, RB)
    path = f"{ORDERS}/O1/evaluation/reviews"
    review: Json = {"rating": 2} if side == "SELLER" else FIVE | {"quality": 2}
    reviews = [(BUYERS, "BUYER"), (SELLERS, "SELLER")]
    appeals = {
        each["by"]: [one["appeal_id"] for one in each["appeals"]] for each in told["reviews"]
    }
    parts = [(BUYERS, "REPLY"), (BUYERS, "FOLLOW_UP"), (SELLERS, "REPLY")]
    whole: list[tuple[str, Json]] = [(ref, {}) for ref, _ in reviews]
    flagged = [*whole, *((ref, {"part": part}) for ref, part in parts)]
    restricted = [*whole, *((ref, {"measures": [f"HIDE_{part}"]}) for ref, part in parts)]
    return {
        "SubmitReview": [(path, review)],
        "AmendReview": [(f"{path}/{own}/amendments", review)],
        "WithdrawReview": [(f"{path}/{own}/withdrawal", {})],
        "PublishReply": [(f"{path}/{other}/reply", {"text": "New."})],
        "EditReply": [(f"{path}/{other}/reply/edits", {"text": "New."})],
        "AppendFollowUp": [(f"{path}/{RB}/follow-up", {"text": "New."})],
        "RequestRevision": [(f"{path}/{RB}/revision-request", {})],
        "ReviseReview": [(f"{path}/{RB}/revision", STARS | {"quality": 3})],
        "FlagReview": [
            (f"{REVIEWS}/{ref}/flags", {"reason": "OTHER"} | part) for ref, part in flagged
        ],
        "HoldReview": [(f"{REVIEWS}/{ref}/holds", {"ground": "OTHER"}) for ref, _ in reviews],
        "ReleaseReview": [(f"{REVIEWS}/{ref}/releases", {}) for ref, _ in reviews],
        "KeepReview": [
            (f"{REVIEWS}/{ref}/keeps", NO_RULES | {"flag_ids": flags})
            for ref, flags in ((BUYERS, flag_ids), (SELLERS, []))
        ],
        "RestrictReview": [
            (f"{REVIEWS}/{ref}/restrictions", RESTRICTION | measures)
            for ref, measures in restricted
        ],
        "AppealModeration": [
            (f"{REVIEWS}/{ref}/appeals", {"text": "New."} | part) for ref, part in flagged
        ],
        "DecideModerationAppeal": [
            (f"{REVIEWS}/{ref}/appeals/{one}/decision", DECISION)
            for ref, by in reviews
            for one in appeals.get(by, ())
        ],
    }


async def would_be_taken(client: httpx.AsyncClient, version: str, path: str, body: Json) -> bool:
    """Whether anything would be recorded of it."""
    tried = await post(client, f"{path}?validate_only=true", body, If_Match=version)
    return tried.status_code == 200 and bool(tried.json()["events"])


FLAGS_OF_TODAY = """
    INSERT INTO facts.flag (flag_id, flagger, flagged_at)
    SELECT who || n, who, $2 FROM unnest($1::text[]) AS who, generate_series(1, 20) AS n
"""


@pytest.mark.usefixtures("opened")
async def test_what_is_offered_is_taken_if_sent_at_once_and_nothing_else_is(
    caller: Caller, pool: asyncpg.Pool, clock: ManualClock, work: Work
) -> None:
    buyer, seller = caller("BUYER", "B-5"), caller("SELLER", "employee", seller_id="S-77")
    moderator = caller("MODERATOR", "mod-1")
    callers = {
        buyer: "BUYER",
        seller: "SELLER",
        moderator: "",
        caller("MODERATOR", "mod-2"): "",
        caller("MODERATOR", "mod-3", seller_id="S-77"): "",
        caller("SENIOR", "sen-1"): "",
        caller("ANALYST", "ana-1"): "",
    }
    flag_ids: list[str] = []

    async def compare(when: str) -> None:
        await work()
        for client, side in callers.items():
            read = await client.get(f"{ORDERS}/O1/evaluation")
            told, version = read.json(), read.headers["ETag"]
            paths = sendings(told, side, flag_ids)
            for action in told["available_actions"]:
                name = action["action"]
                taken = [await would_be_taken(client, version, *each) for each in paths[name]]
                assert action["allowed"] == any(taken), (when, side, name, action)

    await compare("nothing is written")
    recorded(await write(buyer, FIVE | {"text": "Too bright."}))
    await compare("one side has written")
    recorded(await write(seller, {"rating": 4}))
    await compare("both are revealed")
    recorded(await write(seller, {"text": "Dim it."}, f"/{RB}/reply"))
    reader = caller("BUYER", "B-9")
    flag = recorded(await post(reader, f"{REVIEWS}/{BUYERS}/flags", {"reason": "FAKE"}))
    flag_ids.append(flag["flag_id"])
    recorded(await post(moderator, f"{REVIEWS}/{SELLERS}/holds", {"ground": "FAKE"}))
    await compare("one is flagged, the other held")
    recorded(await judge(moderator, f"{BUYERS}/restrictions", RESTRICTION))
    recorded(await post(buyer, f"{REVIEWS}/{BUYERS}/appeals", {"text": "It is public."}))
    await compare("one is restricted and appealed")
    busy = ["buyer:B-5", "seller:S-77", "moderator:mod-2"]
    recorded(await judge(moderator, f"{SELLERS}/releases", {}))
    await compare("the other is released")
    hidden = RESTRICTION | {"measures": ["HIDE_REPLY"]}
    recorded(await judge(moderator, f"{BUYERS}/restrictions", hidden))
    await compare("a reply is hidden")
    of_reply = {"part": "REPLY", "text": "It is the shop's."}
    recorded(await post(seller, f"{REVIEWS}/{BUYERS}/appeals", of_reply))
    await compare("a reply is hidden and appealed")
    await pool.execute(FLAGS_OF_TODAY, busy, clock())
    await compare("some have flagged enough")


@pytest.mark.usefixtures("revealed")
async def test_who_was_erased_does_nothing_any_more(
    buyer: httpx.AsyncClient, pool: asyncpg.Pool, clock: ManualClock
) -> None:
    await pool.execute("INSERT INTO facts.erased VALUES ('buyer:B-5', $1)", clock())
    told = await look(buyer)
    sent = sendings(told, "BUYER", [])
    for action in told["available_actions"]:
        assert action["reason_if_not"] == "subject-erased", action
        path, body = sent[action["action"]][0]
        assert slug(await post(buyer, path, body)) == (410, "subject-erased"), action


@pytest.mark.usefixtures("revealed")
async def test_a_reader_who_was_erased_flags_nothing_any_more(
    reader: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    recorded(await post(reader, f"{REVIEWS}/{SELLERS}/flags", {"reason": "FAKE"}))
    await pool.execute("INSERT INTO facts.erased VALUES ('buyer:B-9', now())")
    flagged = await post(reader, f"{REVIEWS}/{BUYERS}/flags", {"reason": "FAKE"})
    assert slug(flagged) == (410, "subject-erased")


@pytest.mark.usefixtures("revealed")
async def test_who_has_no_key_any_more_writes_no_words(
    buyer: httpx.AsyncClient, key_store: InMemoryKeyStore
) -> None:
    """That the key is gone comes by another subscription than the fact: either may be first."""
    await key_store.destroy("buyer:B-5")
    sent = sendings(await look(buyer), "BUYER", [])
    worded = [(path, body) for each in sent.values() for path, body in each if "text" in body]
    worded.append((f"{REVIEWS}/{BUYERS}/flags", {"reason": "FAKE", "text": "A bot."}))
    worded.append((f"{ORDERS}/O1/evaluation/reviews", FIVE | {"text": "Again."}))
    for path, body in worded:
        assert slug(await post(buyer, path, body)) == (410, "subject-erased"), path


@pytest.mark.usefixtures("revealed")
async def test_the_others_go_on_about_the_review_of_who_was_erased(  # noqa: PLR0917 - fixtures
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    reader: httpx.AsyncClient,
    moderator: httpx.AsyncClient,
    key_store: InMemoryKeyStore,
    pool: asyncpg.Pool,
) -> None:
    await key_store.destroy("buyer:B-5")
    await pool.execute("INSERT INTO facts.erased VALUES ('buyer:B-5', now())")
    recorded(await write(seller, {"text": "Dim it."}, f"/{RB}/reply"))
    recorded(await post(reader, f"{REVIEWS}/{BUYERS}/flags", {"reason": "FAKE"}))
    recorded(await judge(moderator, f"{BUYERS}/restrictions", RESTRICTION))
    own = review_by("BUYER", await look(buyer))
    assert (own["quality"], own["text"], own["status"]) == (5, None, "RESTRICTED")
    assert (own["restriction"]["facts"], own["reply"]["text"]) == (None, "Dim it.")


@pytest.mark.usefixtures("opened")
async def test_a_file_is_a_link_to_it_and_null_once_its_owner_is_erased(
    buyer: httpx.AsyncClient, key_store: InMemoryKeyStore
) -> None:
    review = await with_photo(buyer)
    (shown,) = review_by("BUYER", recorded(await write(buyer, review)))["media"]
    assert [shown["media_id"]] == review["media"]
    photo = await buyer.get(shown["url"])
    assert photo.headers["Content-Type"] == "image/png"
    await key_store.destroy("buyer:B-5")
    assert review_by("BUYER", await look(buyer))["media"] == [None]


async def history(client: httpx.AsyncClient) -> list[Json]:
    answered = await client.get(f"{ORDERS}/O1/evaluation/events?limit=100")
    events: list[Json] = answered.json()["items"]
    return events


@pytest.mark.usefixtures("revealed")
async def test_the_history_shows_no_more_than_the_review_and_names_no_moderator(
    seller: httpx.AsyncClient, buyer: httpx.AsyncClient, moderator: httpx.AsyncClient
) -> None:
    recorded(await write(seller, {"text": "Dim it."}, f"/{RB}/reply"))
    hidden = RESTRICTION | {"measures": ["HIDE_REVIEW"]}
    recorded(await judge(moderator, f"{BUYERS}/restrictions", hidden))
    for event in await history(seller):
        data = event["data"]
        if event["type"].startswith("Reply"):
            assert data["text"] == "Dim it."
            continue
        if data.get("side") == "BUYER":
            assert not {"quality", "logistics", "service"} & data.keys() or data["quality"] is None
            assert data.get("text") is None
            assert not data.get("reasons")
    for client in (seller, buyer):
        assert "mod-1" not in json.dumps(await history(client))
    assert "mod-1" in json.dumps(await history(moderator))
    assert "employee" in json.dumps(await history(seller))
    assert "employee" not in json.dumps(await history(buyer))


@pytest.mark.usefixtures("revealed")
async def test_who_flagged_sees_what_became_of_it_and_the_author_nothing_of_his_reasons(
    reader: httpx.AsyncClient,
    buyer: httpx.AsyncClient,
    moderator: httpx.AsyncClient,
    another: httpx.AsyncClient,
    caller: Caller,
) -> None:
    flag = recorded(await post(reader, f"{REVIEWS}/{BUYERS}/flags", {"reason": "FAKE"}))
    path = f"{REVIEWS}/{BUYERS}/flags/{flag['flag_id']}"
    assert (await reader.get(path)).json()["outcome"] is None
    keep = {"flag_ids": [flag["flag_id"]], "rule_ids": ["R-1"]}
    recorded(await judge(moderator, f"{BUYERS}/keeps", keep))
    told = (await reader.get(path)).json()
    assert (told["outcome"], told["appeal_until"]) == ("KEPT", "2026-07-17T18:00:00Z")
    appeal = recorded(await post(reader, f"{REVIEWS}/{BUYERS}/appeals", {"text": "A bot."}))
    decision = DECISION | {"facts": "For the flagger alone."}
    of_appeal = f"{BUYERS}/appeals/{appeal['appeal_id']}"
    recorded(await judge(another, f"{of_appeal}/decision", decision))
    decided = (await reader.get(f"{REVIEWS}/{of_appeal}")).json()
    assert (decided["outcome"], decided["facts"]) == ("UPHELD", "For the flagger alone.")
    for stranger in (buyer, caller("BUYER", "B-10")):
        assert slug(await stranger.get(path)) == (404, "not-found")
        assert slug(await stranger.get(f"{REVIEWS}/{of_appeal}")) == (404, "not-found")
    assert "For the flagger alone." not in (await buyer.get(f"{ORDERS}/O1/evaluation")).text


@pytest.mark.usefixtures("revealed")
async def test_an_appeal_is_not_read_by_somebody_of_the_same_id_in_another_role(
    caller: Caller,
    seller: httpx.AsyncClient,
    moderator: httpx.AsyncClient,
    another: httpx.AsyncClient,
) -> None:
    namesake = caller("BUYER", "S-77")
    flag = recorded(await post(namesake, f"{REVIEWS}/{BUYERS}/flags", {"reason": "FAKE"}))
    keep = {"flag_ids": [flag["flag_id"]], "rule_ids": ["R-1"]}
    recorded(await judge(moderator, f"{BUYERS}/keeps", keep))
    path = f"{BUYERS}/appeals"
    appeal = recorded(await post(namesake, f"{REVIEWS}/{path}", {"text": "A secret."}))
    of_appeal = f"{path}/{appeal['appeal_id']}"
    decision = DECISION | {"facts": "For the flagger alone."}
    recorded(await judge(another, f"{of_appeal}/decision", decision))
    decided = (await namesake.get(f"{REVIEWS}/{of_appeal}")).json()
    assert (decided["text"], decided["facts"]) == ("A secret.", "For the flagger alone.")
    assert slug(await seller.get(f"{REVIEWS}/{of_appeal}")) == (404, "not-found")
    assert review_by("BUYER", await look(seller))["appeals"] == []
    told = {event["type"].partition(".")[0] for event in await history(seller)}
    assert told.isdisjoint({"ModerationAppealed", "StatementOfReasonsIssued"})


@pytest.mark.usefixtures("revealed")
async def test_each_decision_shows_the_reasons_that_were_given_for_it(
    caller: Caller,
    buyer: httpx.AsyncClient,
    moderator: httpx.AsyncClient,
    another: httpx.AsyncClient,
) -> None:
    first, second, third = (
        {"facts": f"Fact {n}.", "explanation": f"Explanation {n}."} for n in range(3)
    )

    async def shown() -> tuple[Json, Json | None]:
        review = review_by("BUYER", await look(buyer))
        (appeal,) = review["appeals"]
        return appeal, review["restriction"]

    recorded(await judge(moderator, f"{BUYERS}/restrictions", RESTRICTION | first))
    appeal = recorded(await post(buyer, f"{REVIEWS}/{BUYERS}/appeals", {"text": "It is public."}))
    open_appeal, restriction = await shown()
    assert open_appeal["facts"] is None
    assert restriction == {**(restriction or {}), **first}
    path = f"{BUYERS}/appeals/{appeal['appeal_id']}/decision"
    recorded(await judge(another, path, DECISION | second | {"outcome": "REVERSED"}))
    decided, restriction = await shown()
    assert (decided, restriction) == ({**decided, **second}, None)
    anew = caller("MODERATOR", "mod-3")
    recorded(await judge(anew, f"{BUYERS}/restrictions", RESTRICTION | third))
    decided, restriction = await shown()
    assert decided == {**decided, **second}
    assert restriction == {**(restriction or {}), **third}


@pytest.mark.usefixtures("revealed")
async def test_the_sellers_own_people_do_not_moderate_his_reviews(caller: Caller) -> None:
    for of_his in (
        caller("MODERATOR", "mod-3", seller_id="S-77"),
        caller("MODERATOR", "S-77"),
    ):
        held = await post(of_his, f"{REVIEWS}/{BUYERS}/holds", {"ground": "FAKE"})
        assert slug(held) == (403, "conflict-of-interest")
        restricted = await judge(of_his, f"{BUYERS}/restrictions", RESTRICTION)
        assert slug(restricted) == (403, "conflict-of-interest")


@pytest.mark.usefixtures("revealed")
async def test_the_people_of_who_flags_or_appeals_do_not_decide_on_it(
    caller: Caller, moderator: httpx.AsyncClient, another: httpx.AsyncClient
) -> None:
    rival = caller("SELLER", "clerk", seller_id="S-9")
    of_rivals = (
        caller("MODERATOR", "mod-3", seller_id="S-9"),
        caller("MODERATOR", "mod-4", org_id="S-9"),
    )
    flag = recorded(await post(rival, f"{REVIEWS}/{BUYERS}/flags", {"reason": "FAKE"}))
    keep = {"flag_ids": [flag["flag_id"]], "rule_ids": ["R-1"]}
    for path, body in (("restrictions", RESTRICTION), ("keeps", keep)):
        for of_rival in of_rivals:
            refused = await judge(of_rival, f"{BUYERS}/{path}", body)
            assert slug(refused) == (403, "conflict-of-interest")
    recorded(await judge(moderator, f"{BUYERS}/keeps", keep))
    appeal = recorded(await post(rival, f"{REVIEWS}/{BUYERS}/appeals", {"text": "It is a bot."}))
    path = f"{BUYERS}/appeals/{appeal['appeal_id']}/decision"
    for of_rival in of_rivals:
        assert slug(await judge(of_rival, path, DECISION)) == (403, "conflict-of-interest")
    recorded(await judge(another, path, DECISION))


@pytest.mark.usefixtures("opened")
async def test_a_review_held_before_the_reveal_is_there_for_who_decides_on_it_alone(
    caller: Caller,
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    moderator: httpx.AsyncClient,
    work: Work,
) -> None:
    recorded(await write(buyer, FIVE | {"text": "Too bright."}))
    await work()
    others = (
        seller,
        caller("SELLER", "employee", "MODERATOR", seller_id="S-77"),
        caller("MODERATOR", "mod-3", seller_id="S-77"),
        caller("MODERATOR", "mod-4", org_id="S-77"),
        caller("MODERATOR", "S-77"),
        caller("SENIOR", "sen-1"),
        caller("AUDITOR", "aud"),
    )
    for client in others:
        assert (await client.get(f"{REVIEWS}/{BUYERS}")).status_code in (403, 404)
    recorded(await post(moderator, f"{REVIEWS}/{BUYERS}/holds", {"ground": "FAKE"}))
    await work()
    seen = (await moderator.get(f"{REVIEWS}/{BUYERS}")).json()
    assert review_by("BUYER", seen)["text"] == "Too bright."
    for client in others:
        assert (await client.get(f"{REVIEWS}/{BUYERS}")).status_code in (403, 404)
        assert (await look(client))["reviews"] == []


@pytest.mark.usefixtures("opened")
async def test_a_buyer_who_moderates_does_not_read_the_sellers_review_before_the_reveal(
    caller: Caller, seller: httpx.AsyncClient, moderator: httpx.AsyncClient, work: Work
) -> None:
    recorded(await write(seller, {"rating": 1, "text": "Paid late."}))
    await work()
    recorded(await post(moderator, f"{REVIEWS}/{SELLERS}/holds", {"ground": "OFFENSIVE"}))
    await work()
    for himself in (caller("MODERATOR", "B-5"), caller("BUYER", "B-5", "MODERATOR")):
        assert slug(await himself.get(f"{REVIEWS}/{SELLERS}")) == (404, "not-found")
        assert (await look(himself))["reviews"] == []
        assert (await himself.get("/v1/moderation/cases")).json()["items"] == []
        held = await post(himself, f"{REVIEWS}/{SELLERS}/holds", {"ground": "FAKE"})
        assert slug(held) == (404, "not-found")


@pytest.mark.usefixtures("opened")
async def test_staff_decide_before_the_reveal_on_the_version_that_they_have_read(
    buyer: httpx.AsyncClient, moderator: httpx.AsyncClient, caller: Caller, work: Work
) -> None:
    recorded(await write(buyer, FIVE | {"text": "Call 555-0101."}))
    await work()
    held = await post(moderator, f"{REVIEWS}/{BUYERS}/holds", {"ground": "PERSONAL_DATA"})
    read = await moderator.get(f"{REVIEWS}/{BUYERS}")
    of_order = await moderator.get(f"{ORDERS}/O1/evaluation")
    assert [each.headers["ETag"] for each in (held, read, of_order)] == ['"3"'] * 3
    several = caller("AGENT", "mod-5", "MODERATOR")
    assert (await several.get(f"{ORDERS}/O1/evaluation")).headers["ETag"] == '"3"'
    assert (await caller("AGENT", "A").get(f"{ORDERS}/O1/evaluation")).headers["ETag"] == '"1"'
    recorded(await write(buyer, {}, f"/{RB}/withdrawal"))
    recorded(await write(buyer, FIVE | {"text": "Too bright."}))
    path = f"{REVIEWS}/{BUYERS}/restrictions"
    stale = await post(moderator, path, RESTRICTION, If_Match='"3"')
    assert (slug(stale), stale.json()["actual"]) == ((412, "stale-version"), 6)
    recorded(await post(moderator, path, RESTRICTION, If_Match='"6"'))


@pytest.mark.usefixtures("opened")
async def test_a_senior_decides_an_appeal_before_the_reveal(
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    moderator: httpx.AsyncClient,
    caller: Caller,
    work: Work,
) -> None:
    senior, of_his = caller("SENIOR", "sen-1"), caller("SENIOR", "sen-2", seller_id="S-77")
    recorded(await write(buyer, FIVE | {"text": "Too bright."}))
    await work()
    recorded(await judge(moderator, f"{BUYERS}/restrictions", RESTRICTION))
    assert slug(await senior.get(f"{REVIEWS}/{BUYERS}")) == (404, "not-found")
    appeal = recorded(await post(buyer, f"{REVIEWS}/{BUYERS}/appeals", {"text": "It is public."}))
    await work()
    case = recorded(await senior.post("/v1/moderation/assignments", json={}))
    seen = (await senior.get(f"{REVIEWS}/{case['case_id']}")).json()
    assert review_by("BUYER", seen)["text"] == "Too bright."
    path = f"{BUYERS}/appeals/{appeal['appeal_id']}/decision"
    assert slug(await judge(of_his, path, DECISION)) == (404, "not-found")
    decided = await judge(senior, path, DECISION | {"outcome": "REVERSED"})
    assert review_by("BUYER", recorded(decided))["status"] == "SUBMITTED"
    assert (await look(seller))["reviews"] == []


@pytest.mark.usefixtures("opened")
async def test_a_hold_that_the_author_tried_to_shake_off_ends_when_it_would_have(
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    moderator: httpx.AsyncClient,
    clock: ManualClock,
    work: Work,
) -> None:
    words = FIVE | {"text": "A crook."}
    recorded(await write(buyer, words))
    await work()
    recorded(await post(moderator, f"{REVIEWS}/{BUYERS}/holds", {"ground": "OFFENSIVE"}))
    unseen = (await look(seller)), (await seller.get(f"{ORDERS}/O1/evaluation")).headers["ETag"]
    recorded(await write(buyer, {}, f"/{RB}/withdrawal"))
    clock.advance(timedelta(hours=1))
    assert review_by("BUYER", recorded(await write(buyer, words)))["status"] == "HELD"
    await work()
    assert unseen == (
        await look(seller),
        (await seller.get(f"{ORDERS}/O1/evaluation")).headers["ETag"],
    )
    (case,) = (await moderator.get("/v1/moderation/cases")).json()["items"]
    assert case["hold"]["ground"] == "OFFENSIVE"
    recorded(await write(seller, {"rating": 4}))
    assert review_by("BUYER", await look(seller))["status"] == "HELD"
    await work()
    clock.advance(timedelta(hours=71) - timedelta(microseconds=1))
    await work()
    assert review_by("BUYER", await look(seller))["status"] == "HELD"
    clock.advance(timedelta(microseconds=1))
    await work()
    assert review_by("BUYER", await look(seller))["status"] == "VISIBLE"


REFERRED = "SELECT referenced_at IS NOT NULL FROM media.file"


async def with_photo(client: httpx.AsyncClient, purpose: str = "REVIEW") -> Json:
    """A review with the only file that there is."""
    picture = io.BytesIO()
    Image.new("RGB", (20, 10)).save(picture, "PNG")
    uploaded = await client.post(
        f"/v1/media?purpose={purpose}",
        content=picture.getvalue(),
        headers={"Content-Type": "image/png", "Idempotency-Key": str(uuid4())},
    )
    return FIVE | {"media": [recorded(uploaded)["media_id"]]}


@pytest.mark.usefixtures("opened")
async def test_a_review_shows_each_file_once_and_none_that_was_sent_as_evidence(
    buyer: httpx.AsyncClient,
) -> None:
    review = await with_photo(buyer)
    twice = await write(buyer, review | {"media": 2 * review["media"]})
    assert (slug(twice), twice.json()["errors"]) == (
        (422, "invalid-value"),
        [{"field": "media", "bound": "each one once"}],
    )
    of_evidence = await write(buyer, await with_photo(buyer, "EVIDENCE"))
    assert slug(of_evidence) == (422, "invalid-value")
    recorded(await write(buyer, review))


@pytest.mark.usefixtures("opened")
async def test_a_dry_run_keeps_no_file(buyer: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    review = await with_photo(buyer)
    path = f"{ORDERS}/O1/evaluation/reviews"
    tried = await post(buyer, f"{path}?validate_only=true", review)
    assert tried.status_code == 200, tried.text
    assert await pool.fetchval(REFERRED) is False
    written = review_by("BUYER", recorded(await post(buyer, path, review)))
    assert await pool.fetchval(REFERRED) is True
    assert [each["media_id"] for each in written["media"]] == review["media"]


@pytest.mark.usefixtures("opened")
async def test_what_is_refused_keeps_no_file(buyer: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    review = await with_photo(buyer)
    assert slug(await write(buyer, review, f"/{RB}/amendments")) == (404, "not-found")
    recorded(await write(buyer, FIVE))
    assert slug(await write(buyer, review)) == (409, "already-submitted")
    recorded(await write(buyer, {}, f"/{RB}/withdrawal"))
    assert await pool.fetchval(REFERRED) is False
    recorded(await write(buyer, review))
    assert await pool.fetchval(REFERRED) is True


@pytest.mark.usefixtures("opened")
async def test_a_file_that_is_deleted_before_the_review_is_recorded_takes_it_along(
    buyer: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    review = await with_photo(buyer)
    async with pool.acquire() as db, db.transaction():
        await db.execute("UPDATE media.file SET dropped_at = uploaded_at")
        writing = asyncio.create_task(write(buyer, review))
        while not await pool.fetchval(WAITING, db.get_server_pid()):
            pass
    assert slug(await writing) == (422, "invalid-value")
    assert (await look(buyer))["reviews"] == []


async def kinds_of(client: httpx.AsyncClient) -> list[str]:
    told = (await client.get(f"{ORDERS}/O1/evaluation/events?limit=100")).json()["items"]
    return [each["type"].partition(".")[0] for each in told]


AT_ONCE = ("the first", "the second", "both at once")
"""Who is first: each of them, in turn; and whoever comes first."""


async def in_order(
    order: str, one: Awaitable[httpx.Response], other: Awaitable[httpx.Response]
) -> tuple[httpx.Response, httpx.Response]:
    """Both answers, whichever was asked for first."""
    match order:
        case "the first":
            return await one, await other
        case "the second":
            later = await other
            return await one, later
        case _:
            both = await asyncio.gather(one, other)
            return both[0], both[1]


@pytest.mark.usefixtures("revealed")
@pytest.mark.parametrize("order", AT_ONCE)
async def test_of_two_who_withdraw_and_reply_at_once_the_first_in_the_stream_wins(
    buyer: httpx.AsyncClient, seller: httpx.AsyncClient, order: str
) -> None:
    replied, withdrawn = await in_order(
        order,
        write(seller, {"text": "Dim it."}, f"/{RB}/reply"),
        write(buyer, {}, f"/{RB}/withdrawal"),
    )
    recorded(withdrawn)
    happened = await kinds_of(buyer)
    if "ReplyPublished" in happened:
        recorded(replied)
        assert happened.index("ReplyPublished") < happened.index("ReviewWithdrawn")
        assert order != "the second"
    else:
        assert slug(replied) == (409, "wrong-state")
        assert order != "the first"


@pytest.mark.usefixtures("revealed")
async def test_of_two_moderators_who_decide_at_once_one_is_told_that_it_has_changed(
    moderator: httpx.AsyncClient, another: httpx.AsyncClient
) -> None:
    path = f"{REVIEWS}/{BUYERS}"
    seen = (await moderator.get(path)).headers["ETag"]
    other = RESTRICTION | {"measures": ["HIDE_REVIEW"]}
    answers = await asyncio.gather(
        post(moderator, f"{path}/restrictions", RESTRICTION, If_Match=seen),
        post(another, f"{path}/restrictions", RESTRICTION, If_Match=seen),
        post(moderator, f"{path}/restrictions", other, If_Match=seen),
    )
    done = [answered for answered in answers if answered.status_code == 201]
    lost = [slug(answered) for answered in answers if answered.status_code != 201]
    assert len(done) == 1
    assert {rule for _, rule in lost} <= {"stale-version", "concurrent-change"}
    assert (await kinds_of(moderator)).count("ReviewRestricted") == 1


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("order", AT_ONCE)
async def test_of_an_amendment_and_a_reveal_at_once_either_is_first(
    buyer: httpx.AsyncClient, seller: httpx.AsyncClient, order: str
) -> None:
    recorded(await write(buyer, FIVE))
    amended, revealing = await in_order(
        order,
        write(buyer, FIVE | {"quality": 1}, f"/{RB}/amendments"),
        write(seller, {"rating": 5}),
    )
    assert recorded(revealing)["state"] == "REVEALED"
    quality = review_by("BUYER", await look(seller))["quality"]
    if amended.status_code == 201:
        assert quality == 1
        assert order != "the second"
    else:
        assert (slug(amended), quality) == ((409, "evidence-sealed"), 5)
        assert order != "the first"


async def in_turn[A, B](
    database: Database, pool: asyncpg.Pool, first: Awaitable[A], second: Awaitable[B]
) -> tuple[A, B]:
    """Two who have both decided on the same history before either appends: the first does first."""
    owner = await asyncpg.connect(database.owner_url)
    holder = owner.get_server_pid()
    async with owner.transaction():
        await owner.execute("SELECT FROM es.head WHERE topic = 'review.events' FOR UPDATE")
        one = asyncio.ensure_future(first)
        while not one.done() and await pool.fetchval(WAITING, holder) < 1:
            pass
        other = asyncio.ensure_future(second)
        while not other.done() and await pool.fetchval(WAITING, holder) < 2:
            pass
        assert not one.done()
        assert not other.done()
    await owner.close()
    return await one, await other


ROUNDS = ("O1", "O2", "O3")
CLOSES = COMPLETED + timedelta(days=15)


async def close_due(parts: Parts[ReviewSettings]) -> None:
    """As the worker does when the window of an evaluation ends; decided again if others wrote."""
    fire = workload(parts).fire
    assert fire
    try:
        await fire_due(parts.pool, parts.log, fire, lambda: CLOSES)
    except VersionConflict:
        await fire_due(parts.pool, parts.log, fire, lambda: CLOSES)


@pytest.mark.parametrize("first", ["submit", "close"])
@pytest.mark.parametrize("other_has_written", [False, True])
async def test_of_a_review_at_the_last_moment_and_the_close_the_first_in_the_stream_wins(
    caller: Caller,
    parts: Parts[ReviewSettings],
    database: Database,
    work: Work,
    *,
    other_has_written: bool,
    first: str,
) -> None:
    clock = parts.now
    assert isinstance(clock, ManualClock)
    buyer, seller = caller("BUYER", "B-5"), caller("SELLER", "employee", seller_id="S-77")
    for order in ROUNDS:
        clock.at = COMPLETED
        await bring(caller, {"reviews": []}, order)
        await work()
        if other_has_written:
            recorded(await write(seller, {"rating": 4}, order=order))
        clock.at = CLOSES - timedelta(microseconds=1)
        submit, close = write(buyer, FIVE, order=order), close_due(parts)
        if first == "submit":
            submitted, _ = await in_turn(database, parts.pool, submit, close)
        else:
            _, submitted = await in_turn(database, parts.pool, close, submit)
        told = await look(buyer, order)
        sides = {review["by"] for review in told["reviews"]}
        others = {"SELLER"} if other_has_written else set[str]()
        if first == "submit":
            recorded(submitted)
            assert (told["state"], sides) == ("REVEALED", others | {"BUYER"})
            # Both in: at once. Else by the close, which found a review when it decided again.
            revealed_at = clock.at if other_has_written else CLOSES
            assert datetime.fromisoformat(told["revealed_at"]) == revealed_at
        else:
            assert slug(submitted) == (409, "window-closed")
            assert datetime.fromisoformat(submitted.json()["closed_at"]) == CLOSES
            assert sides == others
            assert told["state"] == ("REVEALED" if other_has_written else "CLOSED")


@pytest.mark.parametrize("first", ["flag", "withdraw"])
async def test_of_a_flag_and_a_withdrawal_at_once_the_first_in_the_stream_wins(
    caller: Caller, pool: asyncpg.Pool, database: Database, listed: list[str], first: str
) -> None:
    reader, buyer = caller("BUYER", "B-9"), caller("BUYER", "B-5")
    flags = 0
    for order in ROUNDS:
        ref, review_id = review_ref(order, "BUYER"), review_id_of(order, "BUYER")
        assert ref in listed
        flag = post(reader, f"{REVIEWS}/{ref}/flags", {"reason": "FAKE"})
        withdraw = write(buyer, {}, f"/{review_id}/withdrawal", order=order)
        if first == "flag":
            flagged, withdrawn = await in_turn(database, pool, flag, withdraw)
            path = f"{REVIEWS}/{ref}/flags/{recorded(flagged)['flag_id']}"
            assert (await reader.get(path)).json()["outcome"] == "WITHDRAWN"
            flags += 1
        else:
            withdrawn, flagged = await in_turn(database, pool, withdraw, flag)
            assert slug(flagged) == (409, "wrong-state")
            assert flagged.json()["state"] == "WITHDRAWN"
        assert review_by("BUYER", recorded(withdrawn))["status"] == "WITHDRAWN"
        # What is counted of him is what was recorded.
        assert await pool.fetchval("SELECT count(*) FROM facts.flag") == flags


@pytest.mark.usefixtures("revealed")
async def test_a_detector_that_comes_too_late_is_told_so(
    caller: Caller, buyer: httpx.AsyncClient
) -> None:
    """A timer that comes too late has nothing to do; whoever sends a command is answered."""
    detector, path = caller("SYSTEM", "detector"), f"{REVIEWS}/{BUYERS}"
    recorded(await write(buyer, {}, f"/{RB}/withdrawal"))
    found: Json = {"factor_milli": 400, "campaign": False, "terms": [], "calibration": "c"}
    for what, body in (
        ("flags", {"reason": "FAKE"}),
        ("holds", {"ground": "FAKE"}),
        ("screenings", found),
    ):
        late = await post(detector, f"{path}/{what}", body)
        assert (slug(late), late.json()["state"]) == ((409, "wrong-state"), "WITHDRAWN")


@pytest.mark.usefixtures("revealed")
async def test_a_refusal_for_the_state_tells_what_can_be_done_in_it(
    buyer: httpx.AsyncClient, seller: httpx.AsyncClient
) -> None:
    recorded(await write(buyer, {}, f"/{RB}/withdrawal"))
    refused = await write(seller, {"text": "Dim it."}, f"/{RB}/reply")
    assert slug(refused) == (409, "wrong-state")
    offered = (await look(seller))["available_actions"]
    taken = [action["action"] for action in offered if action["allowed"]]
    assert refused.json()["allowed_actions"] == taken == ["WithdrawReview", "FlagReview"]


@pytest.mark.usefixtures("revealed")
async def test_what_says_nothing_needs_no_body(
    buyer: httpx.AsyncClient, moderator: httpx.AsyncClient
) -> None:
    recorded(await post(moderator, f"{REVIEWS}/{BUYERS}/holds", {"ground": "FAKE"}))
    read = await moderator.get(f"{REVIEWS}/{BUYERS}")
    for client, path in (
        (moderator, f"{REVIEWS}/{BUYERS}/releases"),
        (buyer, f"{ORDERS}/O1/evaluation/reviews/{RB}/withdrawal"),
    ):
        named = {"Idempotency-Key": str(uuid4())}
        if client is moderator:
            named["If-Match"] = read.headers["ETag"]
        recorded(await client.post(path, headers=named))


@pytest.mark.usefixtures("revealed")
async def test_a_review_shows_its_flags_to_their_senders_and_to_staff(
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    reader: httpx.AsyncClient,
    caller: Caller,
) -> None:
    own = recorded(await post(seller, f"{REVIEWS}/{BUYERS}/flags", {"reason": "FAKE"}))
    others = recorded(await post(reader, f"{REVIEWS}/{BUYERS}/flags", {"reason": "OTHER"}))
    for client, flags in (
        (buyer, []),
        (seller, [own]),
        (caller("AUDITOR", "aud"), [own, others]),
    ):
        assert review_by("BUYER", await look(client))["flags"] == flags


@pytest.mark.usefixtures("opened")
async def test_a_review_is_found_by_its_ref_from_the_answer_on(
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    reader: httpx.AsyncClient,
    moderator: httpx.AsyncClient,
) -> None:
    """No worker has done anything yet."""
    written = review_by("BUYER", recorded(await write(buyer, FIVE)))
    recorded(await post(moderator, f"{REVIEWS}/{written['ref']}/holds", {"ground": "FAKE"}))
    answered = review_by("SELLER", recorded(await write(seller, {"rating": 4})))
    recorded(await post(reader, f"{REVIEWS}/{answered['ref']}/flags", {"reason": "FAKE"}))


@pytest.mark.usefixtures("revealed")
async def test_a_flag_makes_a_decision_stale_and_moves_nothing_of_a_party(
    seller: httpx.AsyncClient, reader: httpx.AsyncClient, moderator: httpx.AsyncClient
) -> None:
    """A moderator decides on the flags that he has read; a party knows nothing of them."""
    path = f"{REVIEWS}/{BUYERS}"
    read = (await moderator.get(path)).headers["ETag"]
    known = (await seller.get(f"{ORDERS}/O1/evaluation")).headers["ETag"]
    recorded(await post(reader, f"{path}/flags", {"reason": "FAKE"}))
    stale = await post(moderator, f"{path}/restrictions", RESTRICTION, If_Match=read)
    assert slug(stale) == (412, "stale-version")
    assert (await seller.get(f"{ORDERS}/O1/evaluation")).headers["ETag"] == known
    reply = f"{ORDERS}/O1/evaluation/reviews/{RB}/reply"
    recorded(await post(seller, reply, {"text": "Dim it."}, If_Match=known))
    recorded(await judge(moderator, f"{BUYERS}/restrictions", RESTRICTION))


async def known_to(client: httpx.AsyncClient) -> tuple[Json, str, list[Json]]:
    """All that somebody is told of the evaluation, and of which version it is for him."""
    read = await client.get(f"{ORDERS}/O1/evaluation")
    return read.json(), read.headers["ETag"], await history(client)


@pytest.mark.usefixtures("revealed")
async def test_i18_what_goes_on_between_staff_and_others_moves_nothing_of_a_party(
    caller: Caller,
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    moderator: httpx.AsyncClient,
) -> None:
    """A detector's finding, and somebody's report with all that comes of it."""
    reader, auditor = caller("BUYER", "B-9"), caller("AUDITOR", "aud")
    before = [await known_to(client) for client in (buyer, seller)]
    seen = int((await known_to(auditor))[1].strip('"'))

    async def nothing_is_told(staff_know: int) -> None:
        assert [await known_to(client) for client in (buyer, seller)] == before
        assert (await known_to(auditor))[1] == f'"{seen + staff_know}"'

    found: Json = {"factor_milli": 1000, "campaign": False, "terms": [], "calibration": "c"}
    path = f"{REVIEWS}/{BUYERS}"
    recorded(await post(caller("SYSTEM", "detector"), f"{path}/screenings", found))
    await nothing_is_told(1)
    flag = recorded(await post(reader, f"{path}/flags", {"reason": "FAKE", "text": "A bot."}))
    await nothing_is_told(2)
    keep = {"flag_ids": [flag["flag_id"]], "rule_ids": ["R-1"]}
    recorded(await judge(moderator, f"{BUYERS}/keeps", keep))
    await nothing_is_told(3)
    appeal = recorded(await post(reader, f"{path}/appeals", {"text": "Look again."}))
    await nothing_is_told(4)
    of_appeal = f"{BUYERS}/appeals/{appeal['appeal_id']}/decision"
    recorded(await judge(caller("MODERATOR", "mod-2"), of_appeal, DECISION))
    await nothing_is_told(6)  # and a statement of reasons, to who appealed


HIDDEN_REPLY = RESTRICTION | {"measures": ["HIDE_REPLY"]}
HIDDEN_FOLLOW_UP = RESTRICTION | {"measures": ["HIDE_FOLLOW_UP"]}


@pytest.fixture
async def replied(
    revealed: None,  # noqa: ARG001 - comes first
    seller: httpx.AsyncClient,
) -> None:
    """The seller has answered what the buyer wrote."""
    recorded(await write(seller, {"text": "Call 555-0101."}, f"/{RB}/reply"))


async def listed_by(client: httpx.AsyncClient, work: Work) -> Json:
    """The review as it is in the seller's list by now."""
    await work()
    (item,) = (await client.get("/v1/sellers/S-77/reviews")).json()["items"]
    told: Json = item
    return told


@pytest.mark.usefixtures("replied")
async def test_a_reply_that_is_reported_is_hidden_alone(
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    reader: httpx.AsyncClient,
    moderator: httpx.AsyncClient,
    work: Work,
) -> None:
    before = await listed_by(reader, work)
    assert before["reply"]["text"] == "Call 555-0101."
    report = {"part": "REPLY", "reason": "PERSONAL_DATA", "text": "My number."}
    flag = recorded(await post(buyer, f"{REVIEWS}/{BUYERS}/flags", report))
    assert (flag["part"], flag["outcome"]) == ("REPLY", None)
    decided = recorded(await judge(moderator, f"{BUYERS}/restrictions", HIDDEN_REPLY))
    review = review_by("BUYER", decided)
    assert (review["status"], review["weight_milli"]) == ("VISIBLE", 1000)
    assert await listed_by(reader, work) == before | {"reply": None}

    seen = review_by("BUYER", await look(buyer))
    assert (seen["text"], seen["status"]) == ("Too bright.", "VISIBLE")
    assert (seen["reply"]["text"], seen["reply"]["hidden"]) == (None, True)
    assert seen["reply"]["restriction"] is None
    told = await buyer.get(f"{REVIEWS}/{BUYERS}/flags/{flag['flag_id']}")
    assert told.json()["outcome"] == "RESTRICTED"
    assert "555-0101" not in json.dumps(await history(buyer))

    own = review_by("BUYER", await look(seller))["reply"]
    assert (own["text"], own["hidden"]) == ("Call 555-0101.", True)
    assert own["restriction"]["explanation"] == RESTRICTION["explanation"]
    assert own["restriction"]["facts"] == RESTRICTION["facts"]
    edited = await write(seller, {"text": "Call."}, f"/{RB}/reply/edits")
    assert (slug(edited), edited.json()["state"]) == ((409, "wrong-state"), "HIDDEN")


@pytest.mark.usefixtures("replied")
async def test_a_reply_is_shown_again_when_its_writer_was_right(
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    moderator: httpx.AsyncClient,
    another: httpx.AsyncClient,
    work: Work,
) -> None:
    before = await listed_by(buyer, work)
    recorded(await judge(moderator, f"{BUYERS}/restrictions", HIDDEN_REPLY))
    appeals = f"{REVIEWS}/{BUYERS}/appeals"
    reasons = {"part": "REPLY", "text": "It is the shop's own."}
    assert slug(await post(buyer, appeals, reasons)) == (404, "not-found")
    assert slug(await post(seller, appeals, {"text": "All of it."})) == (404, "not-found")
    appeal = recorded(await post(seller, appeals, reasons))
    assert appeal["part"] == "REPLY"
    path = f"{BUYERS}/appeals/{appeal['appeal_id']}/decision"
    assert slug(await judge(moderator, path, DECISION)) == (403, "conflict-of-interest")
    recorded(await judge(another, path, DECISION | {"outcome": "REVERSED"}))
    assert review_by("BUYER", await look(buyer))["reply"]["text"] == "Call 555-0101."
    assert await listed_by(buyer, work) == before


@pytest.mark.usefixtures("replied")
async def test_a_follow_up_is_hidden_alone_and_counts_as_nothing_to_read(
    buyer: httpx.AsyncClient,
    seller: httpx.AsyncClient,
    moderator: httpx.AsyncClient,
    rebuilt: Callable[[], Awaitable[bool]],
    work: Work,
) -> None:
    before = await listed_by(seller, work)
    recorded(await write(buyer, {"text": "He lives next door."}, f"/{RB}/follow-up"))
    assert (await listed_by(seller, work))["usefulness"] == before["usefulness"] + 200
    recorded(await judge(moderator, f"{BUYERS}/restrictions", HIDDEN_FOLLOW_UP))
    assert await listed_by(seller, work) == before
    seen = review_by("BUYER", await look(seller))["follow_up"]
    assert (seen["text"], seen["hidden"], seen["restriction"]) == (None, True, None)
    own = review_by("BUYER", await look(buyer))["follow_up"]
    assert (own["text"], own["restriction"]["facts"]) == (
        "He lives next door.",
        RESTRICTION["facts"],
    )
    assert await rebuilt()


DOCS = Path(__file__).parents[3] / "docs" / "reviews.md"
SHOWN = re.compile(r"`POST [^`]*/([a-z-]+)` `({.*?})`")


def bodies_told() -> dict[str, list[Json]]:
    """The bodies that the docs show, by the last part of their paths."""
    found: dict[str, list[Json]] = {}
    for name, body in SHOWN.findall(DOCS.read_text()):
        found.setdefault(name, []).append(json.loads(body))
    return found


@pytest.mark.usefixtures("opened")
async def test_the_bodies_in_the_docs_are_taken_as_they_stand(
    caller: Caller,
    tell: Callable[..., Awaitable[None]],
    clock: ManualClock,
    work: Work,
) -> None:
    buyer, reader = caller("BUYER", "B-5"), caller("BUYER", "B-9")
    seller = caller("SELLER", "employee", seller_id="S-77")
    moderator, another = caller("MODERATOR", "mod-1"), caller("MODERATOR", "mod-2")
    told = bodies_told()
    assert sum(map(len, told.values())) == DOCS.read_text().count("`{")
    buyers, sellers = told.pop("reviews")

    async def of_party(client: httpx.AsyncClient, name: str, review_id: str = RB) -> None:
        (body,) = told.pop(name)
        recorded(await write(client, body, f"/{review_id}/{name}"))

    async def of_staff(client: httpx.AsyncClient, path: str, **known: str) -> Json:
        (body,) = told.pop(path.rpartition("/")[2])
        named = json.loads(json.dumps(body).replace("FLAG", known.get("flag_id", "")))
        return recorded(await judge(client, f"{BUYERS}/{path}", named))

    recorded(await write(buyer, buyers))
    recorded(await write(seller, sellers))
    await work()
    await of_party(seller, "reply")
    await of_party(buyer, "follow-up")
    grant = partial(RevisionGranted, cause="RETURN", cause_id="r1", until=clock.at + 14 * DAY)
    await tell("O1", partial(grant, review_id=RB))
    await of_party(seller, "revision-request")
    await of_party(buyer, "revision")
    (vote,) = told.pop("votes")
    assert (await reader.post(f"{REVIEWS}/{BUYERS}/votes", json=vote)).status_code == 201
    (flag,) = told.pop("flags")
    flagged = recorded(await post(reader, f"{REVIEWS}/{BUYERS}/flags", flag))
    await work()
    assert (await moderator.post("/v1/moderation/assignments")).status_code == 201
    await of_staff(moderator, "keeps", flag_id=flagged["flag_id"])
    await of_staff(moderator, "holds")
    await of_staff(moderator, "releases")
    await of_staff(another, "restrictions")
    (appeal,) = told.pop("appeals")
    appealed = recorded(await post(buyer, f"{REVIEWS}/{BUYERS}/appeals", appeal))
    await of_staff(moderator, f"appeals/{appealed['appeal_id']}/decision")
    await of_party(seller, "withdrawal", RS)
    assert told == {}
