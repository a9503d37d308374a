"""Moderators are given the oldest case that nobody has, each another; stars play no role."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal, cast

import asyncpg
import httpx
import pytest
from local_stack.databases import Database
from review_service.testing.refs import review_ref
from shared_events.review import (
    EvaluationClosed,
    Flagger,
    FlagReason,
    ModerationAppealDecided,
    ModerationAppealed,
    Part,
    Restriction,
    ReviewFlagged,
    ReviewHeld,
    ReviewKept,
    ReviewReleased,
    ReviewRestricted,
    ReviewWithdrawn,
    Side,
)
from shared_runtime.clock import system_clock
from shared_runtime.testing import InMemoryKeyStore, ManualClock

type Caller = Callable[..., httpx.AsyncClient]
type Tell = Callable[..., Awaitable[None]]
type Work = Callable[[], Awaitable[None]]

CASES = "/v1/moderation/cases"
ASSIGNMENTS = "/v1/moderation/assignments"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MANY = 50_000
ROUNDS = 50
MILLISECONDS_MAX = 50
FILL = """
    INSERT INTO moderation_cases_g1.moderation_case
        (case_id, order_id, side, seller_id, review_id, flags, appeals, kept_by, restricted_by,
         reasons, kinds, decisions, opened_at, due_at, parties, barred)
    SELECT 'C' || n, 'O' || n, 'BUYER', 'S' || n % 500, 'R' || n,
           jsonb_build_array(jsonb_build_object('flag_id', 'F' || n, 'reason', 'FAKE',
               'flagger_role', 'BUYER', 'flagger_id', 'X' || n, 'text', NULL,
               'flagged_at', '2026-01-01T00:00:00Z', 'decide_by', '2026-01-06T00:00:00Z')),
           '[]', '{}', '{}', ARRAY['FAKE'], ARRAY['FLAG'], 0,
           timestamptz '2026-01-01Z' + n * interval '1 second',
           timestamptz '2026-01-06Z' + n * interval '1 second',
           ARRAY['B' || n, 'S' || n % 500], ARRAY['B' || n, 'S' || n % 500, 'X' || n]
    FROM generate_series(1, $1::int) AS n
"""


def flagged(
    clock: ManualClock,
    flag_id: str = "F1",
    side: Side = "BUYER",
    by: str = "BUYER B-9",
    *,
    part: Part | None = None,
    reason: FlagReason = "FAKE",
    text: str | None = None,
) -> partial[Any]:
    role, flagger_id = by.split()
    return partial(
        ReviewFlagged,
        flag_id=flag_id,
        flagger_role=cast("Flagger", role),
        flagger_id=flagger_id,
        part=part,
        reason=reason,
        text=text,
        side=side,
        decide_by=clock.at + 5 * DAY,
    )


def held(clock: ManualClock) -> partial[Any]:
    return partial(ReviewHeld, ground="CAMPAIGN", hold_until=clock.at + 3 * DAY)


def kept(clock: ManualClock, *flag_ids: str, by: str = "mod-1") -> partial[Any]:
    return partial(
        ReviewKept,
        flag_ids=[*flag_ids],
        rule_ids=["R-1"],
        decided_by=by,
        appeal_until=clock.at + 183 * DAY,
    )


def restricted(
    clock: ManualClock, by: str = "mod-1", measure: Restriction = "HIDE_REVIEW"
) -> partial[Any]:
    return partial(
        ReviewRestricted,
        ground="FAKE",
        rule_ids=["R-1"],
        measures=[measure],
        automated_detection=False,
        decided_by=by,
        appeal_until=clock.at + 183 * DAY,
        retain_until=clock.at + 365 * DAY,
    )


@pytest.fixture
async def words(key_store: InMemoryKeyStore) -> str:
    """What an appellant writes."""
    return (await key_store.key_of("buyer:B-5")).unsealed("I was there.")


def appealed(
    clock: ManualClock,
    words: str,
    against: Literal["RESTRICTED", "KEPT"] = "RESTRICTED",
    of: str = "B-5",
) -> partial[Any]:
    return partial(
        ModerationAppealed,
        appeal_id=f"A-{of}",
        appellant_id=of,
        against=against,
        text=words,
        decide_by=clock.at + 14 * DAY,
    )


async def queue(client: httpx.AsyncClient, **query: str) -> list[str]:
    page = (await client.get(CASES, params=query)).json()
    return [item["order_id"] for item in page["items"]]


async def next_case(client: httpx.AsyncClient, **body: str) -> str | None:
    answered = await client.post(ASSIGNMENTS, json=body)
    assert answered.status_code in (200, 201, 204)
    return None if answered.status_code == 204 else answered.json()["order_id"]


async def take(client: httpx.AsyncClient, order_id: str) -> httpx.Response:
    """The case about the buyer's review of this order."""
    return await client.post(ASSIGNMENTS, json={"case_id": review_ref(order_id, "BUYER")})


async def mine(client: httpx.AsyncClient) -> httpx.Response:
    return await client.get(f"{ASSIGNMENTS}/mine")


def refusal(answered: httpx.Response) -> tuple[int, str]:
    return answered.status_code, answered.json()["type"].removeprefix("/problems/")


async def test_the_oldest_open_matter_comes_first(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    start = clock.at
    for number, order_id in enumerate(("O3", "O1", "O2")):
        clock.at = start + number * HOUR
        await tell(order_id, flagged(clock))
    clock.advance(HOUR)
    await tell("O1", flagged(clock, "F2", by="SELLER S-77"))  # no later than it was
    await work()
    auditor = caller("AUDITOR", "aud-1")
    assert await queue(auditor) == ["O3", "O1", "O2"]
    first = (await auditor.get(CASES, params={"limit": 1})).json()
    assert first["counts"] == {"cases": 3, "flags": 3, "holds": 0, "appeals": 0, "overdue": 0}
    assert await queue(auditor, cursor=first["next_cursor"]) == ["O1", "O2"]
    await tell("O3", kept(clock, "F1"))
    await work()
    assert await queue(auditor) == ["O1", "O2"]


async def test_a_case_tells_its_matters_and_no_stars(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    await tell("O1", flagged(clock, by="SELLER S-77"))
    clock.advance(HOUR)
    await tell("O1", held(clock))
    await work()
    (case,) = (await caller("ANALYST", "ana-1").get(CASES)).json()["items"]
    assert case == {
        "case_id": review_ref("O1", "BUYER"),
        "order_id": "O1",
        "side": "BUYER",
        "seller_id": "S-77",
        "review_id": "R-O1-B",
        "opened_at": "2026-01-15T12:00:00Z",
        "due_at": "2026-01-18T13:00:00Z",
        "overdue": False,
        "flags": [
            {
                "flag_id": "F1",
                "part": None,
                "reason": "FAKE",
                "flagger_role": "SELLER",
                "flagger_id": "S-77",
                "text": None,
                "flagged_at": "2026-01-15T12:00:00Z",
                "decide_by": "2026-01-20T12:00:00Z",
            }
        ],
        "hold": {
            "ground": "CAMPAIGN",
            "held_at": "2026-01-15T13:00:00Z",
            "hold_until": "2026-01-18T13:00:00Z",
        },
        "appeals": [],
        "lease": None,
    }


async def test_both_sides_reviews_of_an_order_are_cases_of_their_own(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    await tell("O1", flagged(clock), flagged(clock, "F2", side="SELLER"))
    await work()
    assert await queue(caller("SENIOR", "sen-1")) == ["O1", "O1"]


@pytest.mark.parametrize("ending", ["kept", "restricted", "withdrawn", "expired"])
async def test_a_case_with_nothing_open_is_closed(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work, ending: str
) -> None:
    endings = {
        "kept": [
            flagged(clock),
            held(clock),
            kept(clock, "F1"),
            partial(ReviewReleased, how="HUMAN"),
        ],
        "restricted": [flagged(clock), held(clock), restricted(clock)],
        "withdrawn": [flagged(clock), held(clock), partial(ReviewWithdrawn, before_reveal=False)],
        "expired": [held(clock), partial(ReviewReleased, how="HOLD_EXPIRED")],
    }
    *opening, last = endings[ending]
    await tell("O1", *opening)
    await work()
    moderator = caller("MODERATOR", "mod-2")
    assert await queue(moderator) == ["O1"]
    await tell("O1", last)
    await work()
    assert await queue(moderator) == []
    assert await next_case(moderator) is None


async def open_flags(client: httpx.AsyncClient) -> dict[str, Part | None]:
    """What each open flag of the only case is about; none, if there is none."""
    items = (await client.get(CASES)).json()["items"]
    return {flag["flag_id"]: flag["part"] for item in items for flag in item["flags"]}


async def test_what_is_decided_of_a_part_leaves_the_rest_of_its_case_open(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    moderator = caller("MODERATOR", "mod-2")
    of_reply = flagged(clock, "F2", part="REPLY")
    of_follow_up = flagged(clock, "F3", part="FOLLOW_UP")
    await tell("O1", flagged(clock), of_reply, of_follow_up, held(clock))
    await work()
    assert await open_flags(moderator) == {"F1": None, "F2": "REPLY", "F3": "FOLLOW_UP"}
    await tell("O1", restricted(clock, measure="HIDE_REPLY"))
    await work()
    assert await open_flags(moderator) == {"F1": None, "F3": "FOLLOW_UP"}
    assert await queue(moderator, kind="HOLD") == ["O1"]
    await tell("O1", restricted(clock))
    await work()
    assert await open_flags(moderator) == {"F3": "FOLLOW_UP"}
    assert await queue(moderator, kind="HOLD") == []
    await tell("O1", kept(clock, "F3"))
    await work()
    assert await queue(moderator) == []


@pytest.mark.parametrize("against", ["RESTRICTED", "KEPT"])
async def test_an_appeal_about_a_part_is_kept_from_who_decided_about_that(  # noqa: PLR0917
    caller: Caller,
    clock: ManualClock,
    tell: Tell,
    work: Work,
    words: str,
    against: Literal["RESTRICTED", "KEPT"],
) -> None:
    """Of the review another has decided, and of the other part a third."""
    decisions = {
        "RESTRICTED": [
            restricted(clock, "mod-1", "HIDE_REPLY"),
            restricted(clock, "mod-2"),
            restricted(clock, "mod-3", "HIDE_FOLLOW_UP"),
        ],
        "KEPT": [
            flagged(clock, "F1", part="REPLY"),
            flagged(clock, "F2"),
            flagged(clock, "F3", part="FOLLOW_UP"),
            kept(clock, "F1", by="mod-1"),
            kept(clock, "F2", by="mod-2"),
            kept(clock, "F3", by="mod-3"),
        ],
    }
    appellant = "S-77" if against == "RESTRICTED" else "B-9"
    appeal = partial(appealed(clock, words, against, appellant), part="REPLY")
    await tell("O1", *decisions[against], appeal)
    await work()
    assert await next_case(caller("MODERATOR", "mod-1")) is None
    (case,) = (await caller("MODERATOR", "mod-2").get(CASES)).json()["items"]
    (told,) = case["appeals"]
    assert (told["part"], told["decided_by"]) == ("REPLY", "mod-1")


async def test_a_cancelled_order_leaves_appeals_alone_to_decide(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work, words: str
) -> None:
    cancelled = partial(EvaluationClosed, reason="ORDER_CANCELLED", closed_at=clock.at)
    await tell("O1", held(clock), flagged(clock, side="SELLER"), cancelled)
    await tell("O2", restricted(clock), appealed(clock, words), cancelled)
    await work()
    moderator = caller("MODERATOR", "mod-2")
    page = (await moderator.get(CASES)).json()
    assert [item["order_id"] for item in page["items"]] == ["O2"]
    assert page["counts"] == {"cases": 1, "flags": 0, "holds": 0, "appeals": 1, "overdue": 0}
    assert await next_case(moderator) == "O2"


async def test_an_appeal_is_kept_from_who_decided_what_it_is_against(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work, words: str
) -> None:
    await tell(
        "O1",
        flagged(clock, "F1", by="BUYER B-8"),
        flagged(clock, "F2", by="BUYER B-9"),
        kept(clock, "F1", by="mod-1"),
        kept(clock, "F2", by="mod-2"),
        appealed(clock, words, "KEPT", "B-8"),
    )
    await work()
    assert await next_case(caller("MODERATOR", "mod-1")) is None
    assert await next_case(caller("MODERATOR", "mod-2")) == "O1"


async def test_a_buyer_and_a_seller_of_the_same_name_appeal_each_his_own(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work, words: str
) -> None:
    appeal = appealed(clock, words, "KEPT", "X-1")
    await tell(
        "O1",
        flagged(clock, "F1", by="BUYER X-1"),
        flagged(clock, "F2", by="SELLER X-1"),
        kept(clock, "F1", by="mod-1"),
        kept(clock, "F2", by="mod-2"),
        partial(appeal, appellant_role="BUYER"),
    )
    await work()
    assert await next_case(caller("MODERATOR", "mod-1")) is None
    assert await next_case(caller("MODERATOR", "mod-2")) == "O1"


async def test_the_queue_can_be_narrowed(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work, words: str
) -> None:
    moderator = caller("MODERATOR", "mod-2")
    await tell("O1", flagged(clock))
    await tell("O2", held(clock))
    await tell("O3", restricted(clock), appealed(clock, words))
    await work()
    assert [await queue(moderator, kind=kind) for kind in ("FLAG", "HOLD", "APPEAL")] == [
        ["O1"],
        ["O2"],
        ["O3"],
    ]
    assert await next_case(moderator, kind="APPEAL") == "O3"
    clock.advance(3 * DAY - timedelta(microseconds=1))
    assert await queue(moderator, overdue="true") == []
    clock.advance(timedelta(microseconds=1))
    assert await queue(moderator, overdue="true") == ["O2"]
    assert await queue(moderator, overdue="true", kind="FLAG") == []
    clock.advance(timedelta(seconds=10))  # so old may the counts be
    page = (await moderator.get(CASES, params={"kind": "FLAG"})).json()
    assert page["counts"] == {"cases": 3, "flags": 1, "holds": 1, "appeals": 1, "overdue": 1}


async def test_a_case_is_one_moderators_for_fifteen_minutes(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    one, other = caller("MODERATOR", "mod-1"), caller("MODERATOR", "mod-2")
    await tell("O1", flagged(clock))
    clock.advance(HOUR)
    await tell("O2", flagged(clock))
    await work()
    given = await one.post(ASSIGNMENTS, json={})
    assert given.status_code == 201
    assert given.json()["lease"] == {"moderator_id": "mod-1", "until": "2026-01-15T13:15:00Z"}
    assert await next_case(other) == "O2"
    clock.advance(timedelta(minutes=15) - timedelta(microseconds=1))
    again = await one.post(ASSIGNMENTS)  # nothing that is wanted need not be said
    assert (again.status_code, again.json()) == (200, given.json())
    assert await next_case(caller("MODERATOR", "mod-3")) is None
    listed = (await one.get(CASES)).json()["items"]
    assert [item["lease"]["moderator_id"] for item in listed] == ["mod-1", "mod-2"]
    clock.advance(timedelta(microseconds=1))
    assert await next_case(caller("MODERATOR", "mod-3")) == "O1"
    assert await next_case(one) == "O2"


async def test_i14_a_process_whose_clock_is_a_day_ahead_gives_away_no_case_that_another_has(
    caller: Caller, caller_ahead: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    await tell("O1", flagged(clock))
    await work()
    clock.at = system_clock()
    assert await next_case(caller("MODERATOR", "mod-1")) == "O1"
    assert (await caller_ahead("MODERATOR", "mod-1").get(f"{ASSIGNMENTS}/mine")).is_success
    other = caller_ahead("MODERATOR", "mod-2")
    assert await next_case(other) is None
    assert (await take(other, "O1")).status_code == 409
    await tell("O2", flagged(clock))
    await work()
    assert await next_case(other) == "O2"
    for item in (await other.get(CASES)).json()["items"]:
        assert datetime.fromisoformat(item["lease"]["until"]) - system_clock() < HOUR


async def test_a_decision_ends_the_lease(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    one = caller("MODERATOR", "mod-1")
    await tell("O1", flagged(clock), flagged(clock, "F2"))
    clock.advance(HOUR)
    await tell("O2", flagged(clock))
    await work()
    assert await next_case(one) == "O1"
    await tell("O1", kept(clock, "F1"))
    await work()
    assert (await one.get(CASES)).json()["items"][0]["lease"] is None
    assert await next_case(caller("MODERATOR", "mod-2")) == "O1"
    assert await next_case(one) == "O2"


async def test_a_case_can_be_given_back_by_who_has_it(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    one, other = caller("MODERATOR", "mod-1"), caller("MODERATOR", "mod-2")
    await tell("O1", flagged(clock))
    await work()
    case_id = (await one.post(ASSIGNMENTS, json={})).json()["case_id"]
    assert (await other.delete(f"{ASSIGNMENTS}/{case_id}")).status_code == 404
    assert await next_case(other) is None
    assert (await one.delete(f"{ASSIGNMENTS}/{case_id}")).status_code == 204
    assert (await one.delete(f"{ASSIGNMENTS}/{case_id}")).status_code == 404
    assert await next_case(other) == "O1"


async def test_nobody_is_given_what_he_may_not_decide(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work, words: str
) -> None:
    await tell("O1", flagged(clock, by="MODERATOR mod-1"))
    await tell("O2", restricted(clock), appealed(clock, words))
    keeping = (flagged(clock), kept(clock, "F1"), appealed(clock, words, "KEPT", "B-9"))
    await tell("O3", *keeping)
    await tell("O4", flagged(clock), seller_id="mod-1")
    await tell("O5", flagged(clock), buyer_id="mod-1")
    await tell("O6", flagged(clock), seller_id="acme")
    await work()
    assert await next_case(caller("MODERATOR", "mod-1", seller_id="acme")) is None
    for _ in range(6):
        clock.advance(timedelta(minutes=16))
        assert await next_case(caller("MODERATOR", "mod-2")) is not None


async def test_a_senior_who_is_no_moderator_is_given_appeals_alone(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work, words: str
) -> None:
    senior = caller("SENIOR", "sen-1")
    await tell("O1", flagged(clock))
    clock.advance(HOUR)
    await tell("O2", restricted(clock), appealed(clock, words))
    await work()
    assert await next_case(senior) == "O2"
    decided = partial(
        ModerationAppealDecided,
        appeal_id="A-B-5",
        outcome="UPHELD",
        rule_ids=["R-1"],
        decided_by="sen-1",
    )
    await tell("O2", decided)
    await work()
    assert await next_case(senior) is None


async def test_a_case_can_be_taken_by_its_name_and_the_former_one_is_free_again(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    one, other = caller("MODERATOR", "mod-1"), caller("MODERATOR", "mod-2")
    for order_id in ("O1", "O2", "O3"):
        await tell(order_id, flagged(clock))
        clock.advance(HOUR)
    await work()
    taken = await take(one, "O2")
    assert (taken.status_code, taken.json()["order_id"]) == (201, "O2")
    assert taken.json()["lease"]["moderator_id"] == "mod-1"
    again = await take(one, "O2")
    assert (again.status_code, again.json()) == (200, taken.json())
    assert await next_case(one) == "O2"
    assert (await take(one, "O3")).status_code == 201
    assert await next_case(one) == "O3"
    assert [await next_case(other), (await take(other, "O2")).json()["order_id"]] == ["O1", "O2"]


async def test_a_case_that_somebody_else_has_cannot_be_taken(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    one, other = caller("MODERATOR", "mod-1"), caller("MODERATOR", "mod-2")
    await tell("O1", flagged(clock))
    await work()
    until = (await take(one, "O1")).json()["lease"]["until"]
    refused = await take(other, "O1")
    assert refusal(refused) == (409, "already-assigned")
    assert refused.json()["until"] == until
    clock.advance(timedelta(minutes=15) - timedelta(microseconds=1))
    assert refusal(await take(other, "O1")) == (409, "already-assigned")
    clock.advance(timedelta(microseconds=1))
    assert (await take(other, "O1")).status_code == 201


async def test_nobody_takes_a_case_that_he_may_not_decide(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    moderator = caller("MODERATOR", "mod-1", seller_id="acme")
    await tell("O1", flagged(clock, by="MODERATOR mod-1"))
    await tell("O2", flagged(clock), seller_id="acme")
    await tell("O3", flagged(clock), kept(clock, "F1", by="mod-2"))
    await tell("O4", flagged(clock))
    await work()
    assert refusal(await take(moderator, "O1")) == (403, "conflict-of-interest")
    for not_there in ("O2", "O3", "O9"):  # of a party's, one does not tell that it is there
        assert refusal(await take(moderator, not_there)) == (404, "not-found")
    assert refusal(await take(caller("SENIOR", "sen-1"), "O4")) == (409, "nothing-to-decide")
    both = await moderator.post(ASSIGNMENTS, json={"case_id": "C", "kind": "FLAG"})
    assert refusal(both) == (422, "invalid-value")


async def test_who_takes_one_case_at_the_same_time_as_others_has_it_or_is_told(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    await tell("O1", flagged(clock))
    await work()
    clients = [caller("MODERATOR", f"mod-{number}") for number in range(10)]
    taken = await asyncio.gather(*[take(client, "O1") for client in clients])
    assert sorted(answered.status_code for answered in taken) == [201, *[409] * 9]


async def test_ones_own_case_can_be_read_until_it_is_decided_or_the_time_is_over(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    one, other = caller("MODERATOR", "mod-1"), caller("SENIOR", "sen-1")
    await tell("O1", flagged(clock))
    await work()
    assert refusal(await mine(one)) == (404, "not-found")
    given = (await one.post(ASSIGNMENTS, json={})).json()
    read = await mine(one)
    assert (read.status_code, read.json()) == (200, given)
    assert (await mine(other)).status_code == 404
    clock.advance(timedelta(minutes=15))
    assert (await mine(one)).status_code == 404
    assert await next_case(one) == "O1"
    await tell("O1", kept(clock, "F1"))
    await work()
    assert (await mine(one)).status_code == 404


async def test_what_people_wrote_is_there_for_those_who_may_decide(  # noqa: PLR0917 - fixtures
    caller: Caller,
    clock: ManualClock,
    tell: Tell,
    work: Work,
    key_store: InMemoryKeyStore,
    pool: asyncpg.Pool,
) -> None:
    written = (await key_store.key_of("buyer:B-9")).unsealed("It names my street.")
    heard = (await key_store.key_of("buyer:B-5")).unsealed("It is the shop's street.")
    await tell("O1", flagged(clock, text=written))
    clock.advance(HOUR)
    flag = flagged(clock, text=written, by="MODERATOR mod-1")
    await tell("O2", restricted(clock, by="mod-2"), appealed(clock, heard), flag)
    await work()
    assert "street" not in str(await pool.fetch("SELECT * FROM read.moderation_case"))

    moderator = caller("MODERATOR", "mod-3")
    assert await texts(moderator) == [["It names my street."], [*texts_of_both()]]
    given = (await moderator.post(ASSIGNMENTS, json={})).json()
    assert given["flags"][0]["text"] == "It names my street."
    assert (await mine(moderator)).json() == given
    assert await texts(caller("SENIOR", "sen-1")) == [[None], [*texts_of_both()]]
    for client in (caller("ANALYST", "ana-1"), caller("AUDITOR", "aud-1")):
        assert await texts(client) == [[None], [None, None]]
    assert await texts(caller("MODERATOR", "mod-1")) == [["It names my street."], [None, None]]
    await key_store.destroy("buyer:B-9")
    assert await texts(moderator) == [[None], [None, "It is the shop's street."]]


def texts_of_both() -> tuple[str, str]:
    return "It names my street.", "It is the shop's street."


async def texts(client: httpx.AsyncClient) -> list[list[str | None]]:
    """What people wrote in each case of the queue: of flags, then of appeals."""
    items = (await client.get(CASES)).json()["items"]
    return [[each["text"] for each in (*item["flags"], *item["appeals"])] for item in items]


async def test_the_queue_can_be_of_what_has_waited_since_before_an_instant(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    moderator = caller("MODERATOR", "mod-2")
    for order_id in ("O1", "O2", "O3"):
        clock.advance(HOUR)
        await tell(order_id, flagged(clock))
    await tell("O1", flagged(clock, "F2", by="SELLER S-77"))  # no younger for that
    await work()
    second, third = (await moderator.get(CASES)).json()["items"][1:]
    at = second["opened_at"]
    assert await queue(moderator, until=at) == ["O1"]
    assert await queue(moderator, since=at) == ["O2", "O3"]
    assert await queue(moderator, since=at, until=third["opened_at"]) == ["O2"]
    first = (await moderator.get(CASES, params={"since": at, "limit": "1"})).json()
    assert await queue(moderator, since=at, cursor=first["next_cursor"]) == ["O3"]
    assert refusal(await moderator.get(CASES, params={"cursor": first["next_cursor"]})) == (
        422,
        "invalid-value",
    )
    backwards = {"since": at, "until": at}
    assert refusal(await moderator.get(CASES, params=backwards)) == (422, "invalid-value")


async def test_the_queue_and_the_next_case_can_be_of_a_reason_and_of_a_seller(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    moderator = caller("MODERATOR", "mod-2")
    await tell("O1", flagged(clock, reason="OFFENSIVE"))
    await tell("O2", flagged(clock, reason="ILLEGAL"), seller_id="S-78")
    await tell("O3", held(clock), flagged(clock, reason="OTHER"), seller_id="S-78")
    await work()
    assert await queue(moderator, reason="OFFENSIVE") == ["O1"]
    assert await queue(moderator, reason="CAMPAIGN") == ["O3"]
    assert await queue(moderator, seller_id="S-78", reason="OTHER", kind="HOLD") == ["O3"]
    assert await queue(moderator, seller_id="S-77", reason="ILLEGAL") == []
    assert sorted(await queue(moderator, seller_id="S-78")) == ["O2", "O3"]
    first = (await moderator.get(CASES, params={"seller_id": "S-78", "limit": "1"})).json()
    foreign = {"seller_id": "S-77", "cursor": first["next_cursor"]}
    assert refusal(await moderator.get(CASES, params=foreign)) == (422, "invalid-value")
    assert await next_case(moderator, reason="FAKE") is None
    assert await next_case(moderator, seller_id="S-78", reason="ILLEGAL") == "O2"
    await tell("O3", kept(clock, "F1"))
    await work()
    assert await queue(moderator, reason="OTHER") == []


async def test_others_than_moderators_and_seniors_are_given_none(caller: Caller) -> None:
    for role in ("ANALYST", "AUDITOR", "AGENT", "BUYER", "SYSTEM"):
        client = caller(role, "X")
        assert (await client.post(ASSIGNMENTS, json={})).status_code == 403
        assert (await client.delete(f"{ASSIGNMENTS}/C1")).status_code == 403
        assert (await mine(client)).status_code == 403
    for role in ("AGENT", "BUYER", "SELLER", "SYSTEM", "PRIVACY"):
        assert (await caller(role, "X").get(CASES)).status_code == 403


@pytest.mark.usefixtures("impatient")
async def test_a_token_waits_for_the_decision_it_stands_for(
    caller: Caller, clock: ManualClock, tell: Tell
) -> None:
    await tell("O1", flagged(clock))
    headers = {"Consistency-Token": "review.events/44:1"}
    moderator = caller("MODERATOR", "mod-1")
    for answered in (
        await moderator.get(CASES, headers=headers),
        await moderator.post(ASSIGNMENTS, json={}, headers=headers),
        await moderator.get(f"{ASSIGNMENTS}/mine", headers=headers),
    ):
        assert (answered.status_code, answered.json()["type"]) == (503, "/problems/not-yet-visible")


async def test_twenty_who_ask_at_once_are_given_twenty_cases(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    for number in range(20):
        await tell(f"O{number}", flagged(clock))
    await work()
    clients = [caller("MODERATOR", f"mod-{number}") for number in range(20)]
    for _ in range(3):
        given = await asyncio.gather(*[next_case(client) for client in clients])
        assert len(set(given)) == 20
        assert None not in given
        clock.advance(timedelta(minutes=15))


async def test_who_asks_twice_at_once_is_given_one_case(
    caller: Caller, clock: ManualClock, tell: Tell, work: Work
) -> None:
    for number in range(5):
        await tell(f"O{number}", flagged(clock))
    await work()
    client = caller("MODERATOR", "mod-1")
    assert len(set(await asyncio.gather(*[next_case(client) for _ in range(5)]))) == 1


async def test_a_queue_of_fifty_thousand_stays_usable(database: Database, caller: Caller) -> None:
    owner = await asyncpg.connect(database.owner_url)
    try:
        await owner.execute(FILL.replace("$1", str(MANY)))
        await owner.execute("VACUUM ANALYZE moderation_cases_g1.moderation_case")
    finally:
        await owner.close()
    clients = [caller("MODERATOR", f"mod-{number}") for number in range(ROUNDS)]

    async def median(ask: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]) -> float:
        """In ms. What else the machine does may slow some; the log tells each."""
        took: list[float] = []
        for client in clients:
            began = time.perf_counter()
            assert (await ask(client)).status_code in (200, 201)
            took.append(1000 * (time.perf_counter() - began))
        return statistics.median(took)

    narrowed: dict[str, str | bool] = {"kind": "FLAG", "overdue": True}
    of_seller = {"seller_id": "S499", "reason": "FAKE"}
    assert await median(lambda client: client.get(CASES, params={"limit": 50})) < MILLISECONDS_MAX
    assert await median(lambda client: client.get(CASES, params=narrowed)) < MILLISECONDS_MAX
    assert await median(lambda client: client.get(CASES, params=of_seller)) < MILLISECONDS_MAX
    assert await median(lambda client: client.post(ASSIGNMENTS, json={})) < MILLISECONDS_MAX
    page = (await clients[0].get(CASES, params={"limit": ROUNDS})).json()
    assert page["counts"]["cases"] == MANY
    given = [item["lease"]["moderator_id"] for item in page["items"]]
    assert given == [f"mod-{number}" for number in range(len(given))]


async def test_built_again_it_is_the_same(
    clock: ManualClock,
    tell: Tell,
    work: Work,
    words: str,
    rebuilt: Callable[[], Awaitable[bool]],
) -> None:
    await tell("O1", flagged(clock), held(clock))
    await tell("O2", flagged(clock), kept(clock, "F1"), appealed(clock, words, "KEPT", "B-9"))
    await work()
    assert await rebuilt()
