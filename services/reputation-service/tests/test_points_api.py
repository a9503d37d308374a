"""Points and cases over HTTP: what the accused, staff and the privacy desk can do and see."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from importlib import import_module
from typing import Any

import asyncpg
import httpx
import pytest
from reputation_service.matters import lock_people
from reputation_service.testing import told
from shared_runtime.sealing import person
from shared_runtime.testing import ManualClock, waits_for
from shared_runtime.testing_http import Client, Json, done, refusal, send, types_at

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
SELLER_PATH = f"/v1/sellers/{told.SELLER_ID}"
BUYER_PATH = f"/v1/buyers/{told.BUYER_ID}"
SUSPICION: Json = {
    "account_kind": "SELLER",
    "account_id": told.SELLER_ID,
    "rule": "FAKE_TRANSACTION",
    "cause_key": "ring-7",
    "evidence_event_ids": ["01956f2e-7c00-7000-8000-00000000002a"],
    "detection": "ANALYST",
}
CONFIRMATION: Json = {
    "points": 24,
    "rule_ids": ["P-3"],
    "facts": "Eleven of fourteen orders were paid from one account.",
    "explanation": "Orders were made up so that they could be rated.",
}
UPHELD: Json = {
    "outcome": "UPHELD",
    "rule_ids": ["P-3"],
    "facts": "The scans are of other parcels.",
    "explanation": "What was decided stands.",
}

type Tell = Callable[..., Awaitable[None]]
type Work = Callable[[], Awaitable[None]]
type Caller = Callable[..., Client]


@pytest.fixture(autouse=True)
async def at_work(tell: Tell, clock: ManualClock) -> None:
    """Both have an account, by an order."""
    await tell("order-O-1", told.placed("O-1", clock()))


@pytest.fixture
def seller(caller: Caller) -> Client:
    return caller("SELLER", "employee", seller_id=told.SELLER_ID)


@pytest.fixture
def buyer(caller: Caller) -> Client:
    return caller("BUYER", told.BUYER_ID)


@pytest.fixture
def analyst(caller: Caller) -> Client:
    return caller("ANALYST", "AN1")


@pytest.fixture
def another(caller: Caller) -> Client:
    return caller("ANALYST", "AN2")


@pytest.fixture
def senior(caller: Caller) -> Client:
    return caller("SENIOR", "SE1")


async def opened(analyst: Client, **changes: object) -> str:
    case: Json = done(await send(analyst, "/v1/cases", SUSPICION | changes))
    return f"/v1/cases/{case['case_id']}"


async def seen(who: Client, path: str) -> Json:
    answered = await who.get(path)
    assert answered.status_code == 200, answered.text
    shown: Json = answered.json()
    return shown


async def judged(who: Client, path: str, door: str, body: Json) -> httpx.Response:
    """A command of staff, about the version that they see."""
    version = (await who.get(path)).headers["ETag"]
    base = path.removesuffix("/points")
    return await send(who, f"{base}/{door}", body, version=version)


# --- Cases


async def test_i17_cases_of_one_person_are_opened_one_at_a_time(
    analyst: Client, caller: Caller, pool: asyncpg.Pool
) -> None:
    """Nor is somebody forgotten meanwhile."""

    async def forgotten() -> None:
        privacy = caller("PRIVACY", "PR1")
        done(
            await send(
                privacy, "/v1/erasures", {"account_kind": "SELLER", "account_id": told.SELLER_ID}
            )
        )

    async def accused() -> None:
        await opened(analyst)

    for doing in (accused, forgotten):
        who = person("seller", told.SELLER_ID)
        assert await waits_for(partial(lock_people, [who]), doing(), pool)


async def test_a_case_goes_from_suspicion_to_an_appeal_that_is_upheld(  # noqa: PLR0917 - what pytest gives
    analyst: Client,
    another: Client,
    senior: Client,
    seller: Client,
    clock: ManualClock,
    work: Work,
) -> None:
    path = await opened(analyst)
    case = await seen(seller, path)
    assert (case["status"], case["opened_by"]) == ("STATEMENT", None)
    assert refusal(await judged(another, path, "confirmation", CONFIRMATION)) == "not-yet-eligible"
    spoken = done(await send(seller, f"{path}/statement", {"text": "They are customers."}))
    assert spoken["statement"]["text"] == "They are customers."
    assert (await seen(another, path))["statement"]["text"] == "They are customers."
    assert refusal(await judged(analyst, path, "confirmation", CONFIRMATION)) == (
        "conflict-of-interest"
    )
    confirmed = done(await judged(another, path, "confirmation", CONFIRMATION))
    assert confirmed["points"] == 24
    await work()
    standing = await seen(seller, f"{SELLER_PATH}/points")
    assert (standing["balance"], standing["level"]) == (76, "REDUCED")
    assert [each["measure"] for each in standing["measures"]] == ["WARNING", "REDUCED_EXPOSURE"]
    (why,) = (await seen(seller, path))["statements"]
    assert why["facts"] == CONFIRMATION["facts"]
    assert why["redress"] == ["INTERNAL_APPEAL", "OUT_OF_COURT", "COURT"]
    appealed = done(await send(seller, f"{path}/appeals", {"text": "See the scans."}))
    assert appealed["appeal"]["text"] == "See the scans."
    await work()
    assert (await seen(seller, f"{SELLER_PATH}/points"))["penalties"][0]["stayed"]
    clock.advance(DAY)
    upheld = done(await judged(senior, path, "appeals/decision", UPHELD))
    assert (upheld["status"], upheld["appeal"]["outcome"]) == ("CONFIRMED", "UPHELD")
    await work()
    assert not (await seen(seller, f"{SELLER_PATH}/points"))["penalties"][0]["stayed"]
    assert await types_at(seller, path) == [
        "CaseOpened",
        "StatementSubmitted",
        "ViolationConfirmed",
        "StatementOfReasonsIssued",
        "ViolationAppealed",
        "ViolationAppealDecided",
        "StatementOfReasonsIssued",
    ]


async def test_an_appeal_that_is_won_gives_points_and_level_back(
    analyst: Client, another: Client, senior: Client, seller: Client, work: Work
) -> None:
    path = await opened(analyst)
    done(await send(seller, f"{path}/statement", {"text": "It was so."}))
    done(await judged(another, path, "confirmation", CONFIRMATION))
    done(await send(seller, f"{path}/appeals", {"text": "See the scans."}))
    reversed_ = UPHELD | {"outcome": "REVERSED"}
    done(await judged(senior, path, "appeals/decision", reversed_))
    await work()
    standing = await seen(seller, f"{SELLER_PATH}/points")
    assert (standing["balance"], standing["level"], standing["measures"]) == (100, "NORMAL", [])
    (penalty,) = standing["penalties"]
    assert not penalty["counts"]
    assert penalty["reversed_at"]


async def test_a_case_is_nothing_to_others(analyst: Client, buyer: Client, caller: Caller) -> None:
    path = await opened(analyst)
    for stranger in (buyer, caller("SELLER", "S-78"), caller("ANALYST", "AN9", org_id="S-77")):
        assert (await stranger.get(path)).status_code == 404
        assert (await stranger.get(f"{path}/events")).status_code == 404
    assert (await send(buyer, f"{path}/statement", {"text": "I know."})).status_code == 404
    assert refusal(await send(buyer, "/v1/cases", SUSPICION)) == "role-not-allowed"


async def test_of_one_cause_there_is_one_case(analyst: Client, another: Client) -> None:
    path = await opened(analyst)
    again = await send(another, "/v1/cases", SUSPICION)
    assert refusal(again) == "duplicate-open"
    assert again.json()["existing_id"] == path.rpartition("/")[2]
    nobody = SUSPICION | {"account_id": "S-nobody"}
    assert (await send(analyst, "/v1/cases", nobody)).status_code == 404


async def test_a_repeat_of_a_request_is_answered_alike(analyst: Client) -> None:
    first = await send(analyst, "/v1/cases", SUSPICION, key="K-1")
    again = await send(analyst, "/v1/cases", SUSPICION, key="K-1")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["case_id"] == first.json()["case_id"]


async def test_a_dry_run_of_a_decision_records_nothing(
    analyst: Client, another: Client, clock: ManualClock
) -> None:
    path = await opened(analyst)
    clock.advance(7 * DAY)
    version = (await another.get(path)).headers["ETag"]
    door = f"{path}/confirmation"
    told_of = await send(another, door, CONFIRMATION, version=version, dry=True)
    assert told_of.status_code == 200, told_of.text
    assert (await seen(another, path))["status"] == "STATEMENT"


# --- Accounts


async def test_a_safety_suspension_needs_its_case_and_falls_with_it(
    analyst: Client, senior: Client, seller: Client, clock: ManualClock, work: Work
) -> None:
    points = f"{SELLER_PATH}/points"
    path = await opened(analyst, rule="COUNTERFEIT", cause_key="charger", safety=True)
    body: Json = {
        "case_id": path.rpartition("/")[2],
        "ends_at": (clock() + 20 * DAY).isoformat().replace("+00:00", "Z"),
        "rule_ids": ["SAFE-1"],
        "facts": "Three buyers were hurt.",
        "explanation": "It is not safe.",
    }
    other = body | {"case_id": "C-other"}
    assert refusal(await judged(senior, points, "suspensions", other)) == "wrong-state"
    suspended = done(await judged(senior, points, "suspensions", body))
    (measure,) = suspended["measures"]
    assert measure["measure"] == "SUSPENSION"
    assert (await seen(seller, points))["statements"][0]["facts"] == "Three buyers were hurt."
    done(await judged(senior, path, "dismissal", {"reason": "UNFOUNDED"}))
    await work()
    assert (await seen(seller, f"{SELLER_PATH}/measures"))["measures"] == []


async def test_a_protection_keeps_the_public_level(  # noqa: PLR0917 - what pytest gives
    analyst: Client, another: Client, senior: Client, seller: Client, clock: ManualClock, work: Work
) -> None:
    points = f"{SELLER_PATH}/points"
    until = (clock() + 30 * DAY).isoformat().replace("+00:00", "Z")
    done(await judged(senior, points, "protections", {"until": until, "reason": "FLOOD"}))
    path = await opened(analyst)
    done(await send(seller, f"{path}/statement", {"text": "It was so."}))
    done(await judged(another, path, "confirmation", CONFIRMATION))
    await work()
    standing = await seen(seller, points)
    assert (standing["level"], standing["public_level"]) == ("REDUCED", "NORMAL")
    clock.advance(30 * DAY)
    await work()
    assert (await seen(seller, points))["public_level"] == "REDUCED"


async def test_points_are_for_their_holder_and_for_staff(
    seller: Client, buyer: Client, caller: Caller
) -> None:
    for who in (seller, caller("AUDITOR", "A1"), caller("SYSTEM", "checkout")):
        assert (await seen(who, f"{SELLER_PATH}/measures"))["measures"] == []
    for stranger in (buyer, caller("SELLER", "S-78")):
        assert (await stranger.get(f"{SELLER_PATH}/points")).status_code == 404
    assert (await seen(buyer, f"{BUYER_PATH}/points"))["balance"] == 100
    assert (await seller.get(f"{BUYER_PATH}/points")).status_code == 404
    assert await types_at(seller, f"{SELLER_PATH}/points") == ["AccountOpened"]


async def test_an_auditor_reads_the_points_of_all_as_of_any_instant(  # noqa: PLR0917 - what pytest gives
    analyst: Client,
    another: Client,
    seller: Client,
    caller: Caller,
    clock: ManualClock,
    work: Work,
) -> None:
    auditor = caller("AUDITOR", "AU1")
    before = clock()
    clock.advance(DAY)
    path = await opened(analyst)
    done(await send(seller, f"{path}/statement", {"text": "It was so."}))
    done(await judged(another, path, "confirmation", CONFIRMATION))
    await work()
    accounts = (await seen(auditor, "/v1/accounts"))["items"]
    assert [each["account"] for each in accounts] == [
        f"buyer-{told.BUYER_ID}",
        f"seller-{told.SELLER_ID}",
    ]
    for account, shown in zip(accounts, (BUYER_PATH, SELLER_PATH), strict=True):
        standing = await seen(auditor, f"{shown}/points")
        names = ("status", "balance", "level", "public_level")
        assert [account[name] for name in names] == [standing[name] for name in names]
        in_force = (await seen(auditor, f"{shown}/measures"))["measures"]
        assert account["measures"] == sorted(each["measure"] for each in in_force)
    assert accounts[1]["balance"] == 76
    then = before.isoformat().replace("+00:00", "Z")
    early = (await seen(auditor, f"/v1/accounts?as_of={then}"))["items"]
    assert [(each["balance"], each["measures"]) for each in early] == [(100, []), (100, [])]
    first = await seen(auditor, "/v1/accounts?limit=1")
    clock.advance(400 * DAY)
    rest = await seen(auditor, f"/v1/accounts?limit=9&cursor={first['next_cursor']}")
    assert [*first["items"], *rest["items"]] == accounts  # as of the instant of the first page
    assert (rest["as_of"], rest["next_cursor"]) == (first["as_of"], None)
    never = (before - 2 * DAY).isoformat().replace("+00:00", "Z")
    assert (await seen(auditor, f"/v1/accounts?as_of={never}"))["items"] == []
    for other in (analyst, seller):
        assert refusal(await other.get("/v1/accounts")) == "role-not-allowed"


# --- Erasures


async def test_an_erasure_is_deferred_while_a_case_is_open(
    analyst: Client, buyer: Client, caller: Caller, clock: ManualClock, work: Work
) -> None:
    privacy = caller("PRIVACY", "PR1")
    against: Json = {
        "account_kind": "BUYER",
        "account_id": told.BUYER_ID,
        "rule": "EXTORTION",
        "cause_key": "K1",
    }
    path = await opened(analyst, **against)
    who: Json = {"account_kind": "BUYER", "account_id": told.BUYER_ID}
    deferred = done(await send(privacy, "/v1/erasures", who))
    assert deferred["waits_for"] == [path.rpartition("/")[2]]
    assert deferred["status"] == "ACTIVE"
    forgotten = f"/v1/erasures/BUYER/{told.BUYER_ID}"
    assert (await seen(privacy, forgotten))["forgotten_at"] is None
    done(await judged(analyst, path, "dismissal", {"reason": "UNFOUNDED"}))
    await work()
    assert (await seen(privacy, f"{BUYER_PATH}/points"))["status"] == "ERASED"
    assert (await seen(caller("AUDITOR", "AU1"), forgotten))["forgotten_at"] is not None
    assert (await buyer.get(forgotten)).status_code == 403
    assert (await privacy.get("/v1/erasures/CLERK/B1")).status_code == 422
    assert refusal(await send(privacy, "/v1/erasures", who)) == "subject-erased"
    clock.advance(DAY)
    assert (await seen(buyer, f"{BUYER_PATH}/points"))["balance"] == 100


BUYER_SUSPICION: Json = {
    "account_kind": "BUYER",
    "account_id": told.BUYER_ID,
    "rule": "EXTORTION",
    "cause_key": "K1",
}
FORGOTTEN: Json = {"account_kind": "BUYER", "account_id": told.BUYER_ID}


async def confirmed_case(
    analyst: Client, another: Client, buyer: Client, work: Work, **changes: object
) -> str:
    """Against the buyer, who has spoken."""
    path = await opened(analyst, **(BUYER_SUSPICION | changes))
    done(await send(buyer, f"{path}/statement", {"text": "It was so."}))
    done(await judged(another, path, "confirmation", CONFIRMATION | {"points": 12}))
    await work()
    return path


async def test_an_erasure_waits_until_nobody_can_appeal_any_more(  # noqa: PLR0917 - what pytest gives
    analyst: Client,
    another: Client,
    buyer: Client,
    caller: Caller,
    clock: ManualClock,
    work: Work,
) -> None:
    privacy = caller("PRIVACY", "PR1")
    path = await confirmed_case(analyst, another, buyer, work)
    window = (await seen(buyer, path))["decision"]["appeal_until"]
    deferred = done(await send(privacy, "/v1/erasures", FORGOTTEN))
    assert (deferred["waits_for"], deferred["waits_until"]) == ([path.rpartition("/")[2]], window)
    clock.at = datetime.fromisoformat(window) - TICK
    await work()
    assert (await seen(privacy, f"{BUYER_PATH}/points"))["status"] == "ACTIVE"
    clock.advance(TICK)
    await work()
    assert (await seen(privacy, f"{BUYER_PATH}/points"))["status"] == "ERASED"


async def test_an_erasure_that_waits_for_a_case_goes_on_waiting_for_its_appeal(  # noqa: PLR0917 - what pytest gives
    analyst: Client,
    another: Client,
    senior: Client,
    buyer: Client,
    caller: Caller,
    clock: ManualClock,
    work: Work,
) -> None:
    privacy = caller("PRIVACY", "PR1")
    path = await opened(analyst, **BUYER_SUSPICION)
    done(await send(privacy, "/v1/erasures", FORGOTTEN))
    done(await send(buyer, f"{path}/statement", {"text": "It was so."}))
    done(await judged(another, path, "confirmation", CONFIRMATION | {"points": 12}))
    await work()
    waiting = await seen(privacy, f"{BUYER_PATH}/points")
    assert waiting["waits_for"] == [path.rpartition("/")[2]]
    assert waiting["waits_until"] is not None
    clock.advance(20 * DAY)
    done(await send(buyer, f"{path}/appeals", {"text": "It was not so."}))
    clock.advance(20 * DAY)  # the window is over, the appeal is not decided
    await work()
    assert (await seen(privacy, f"{BUYER_PATH}/points"))["waits_until"] is None
    done(await judged(senior, path, "appeals/decision", UPHELD))
    await work()
    assert (await seen(privacy, f"{BUYER_PATH}/points"))["status"] == "ERASED"


async def test_of_two_windows_an_erasure_waits_for_both(  # noqa: PLR0917 - what pytest gives
    analyst: Client,
    another: Client,
    buyer: Client,
    caller: Caller,
    clock: ManualClock,
    work: Work,
) -> None:
    privacy = caller("PRIVACY", "PR1")
    await confirmed_case(analyst, another, buyer, work)
    clock.advance(5 * DAY)
    later = await confirmed_case(analyst, another, buyer, work, cause_key="K2")
    assert len(done(await send(privacy, "/v1/erasures", FORGOTTEN))["waits_for"]) == 2
    clock.advance(25 * DAY)
    await work()
    assert (await seen(privacy, f"{BUYER_PATH}/points"))["waits_for"] == [later.rpartition("/")[2]]
    clock.advance(5 * DAY)
    await work()
    assert (await seen(privacy, f"{BUYER_PATH}/points"))["status"] == "ERASED"


async def test_the_privacy_desk_sees_what_erasures_wait_for_and_what_is_done(  # noqa: PLR0917 - what pytest gives
    analyst: Client,
    senior: Client,
    seller: Client,
    caller: Caller,
    clock: ManualClock,
    work: Work,
) -> None:
    privacy, auditor = caller("PRIVACY", "PR1"), caller("AUDITOR", "AU1")
    path = await opened(analyst, **BUYER_SUSPICION)
    asked_at = clock()
    done(await send(privacy, "/v1/erasures", FORGOTTEN))
    clock.advance(DAY)
    other: Json = {"account_kind": "SELLER", "account_id": told.SELLER_ID}
    done(await send(privacy, "/v1/erasures", other))
    await work()
    for who in (privacy, auditor):
        (waiting,) = (await seen(who, "/v1/erasures"))["items"]
        assert waiting == {
            "account_kind": "BUYER",
            "account_id": told.BUYER_ID,
            "status": "DEFERRED",
            "asked_at": asked_at.isoformat().replace("+00:00", "Z"),
            "waits_for": [path.rpartition("/")[2]],
            "waits_until": None,
            "erased_at": None,
        }
        (forgotten,) = (await seen(who, "/v1/erasures?status=ERASED"))["items"]
        assert (forgotten["account_id"], forgotten["waits_for"]) == (told.SELLER_ID, [])
        assert forgotten["erased_at"] == forgotten["asked_at"]
    done(await judged(analyst, path, "dismissal", {"reason": "UNFOUNDED"}))
    await work()
    assert (await seen(privacy, "/v1/erasures"))["items"] == []
    first = await seen(privacy, "/v1/erasures?status=ERASED&limit=1")
    rest = await seen(privacy, f"/v1/erasures?status=ERASED&cursor={first['next_cursor']}")
    accounts = [each["account_id"] for each in (*first["items"], *rest["items"])]
    assert accounts == [told.BUYER_ID, told.SELLER_ID]  # as they were asked for
    for stranger in (senior, seller, analyst):
        assert refusal(await stranger.get("/v1/erasures")) == "role-not-allowed"


async def test_what_was_confirmed_before_windows_were_known_is_appealable_as_its_event_says(
    analyst: Client,
    another: Client,
    buyer: Client,
    owner: asyncpg.Pool,
    work: Work,
) -> None:
    paths = [
        await confirmed_case(analyst, another, buyer, work, cause_key=key) for key in ("K1", "K2")
    ]
    done(await send(buyer, f"{paths[0]}/appeals", {"text": "It was not so."}))
    known = await owner.fetch("SELECT case_id, appeal_until FROM facts.violation_case")
    assert sorted(each["appeal_until"] is None for each in known) == [False, True]
    await owner.execute("UPDATE facts.violation_case SET appeal_until = NULL")
    migration = import_module("reputation_service.migrations.versions.0006_appeal_windows")
    await owner.execute(migration.BACKFILL)
    again = await owner.fetch("SELECT case_id, appeal_until FROM facts.violation_case")
    assert {*map(tuple, again)} == {*map(tuple, known)}


async def test_nobody_but_the_privacy_desk_has_somebody_forgotten(
    senior: Client, buyer: Client, pool: asyncpg.Pool
) -> None:
    who: dict[str, Any] = {"account_kind": "BUYER", "account_id": told.BUYER_ID}
    for other in (senior, buyer):
        assert refusal(await send(other, "/v1/erasures", who)) == "role-not-allowed"
    assert await pool.fetchval("SELECT count(*) FROM facts.account WHERE erased OR waits") == 0


# --- Lists


async def test_the_work_list_has_what_is_to_be_decided_and_none_of_ones_own(
    analyst: Client, another: Client, seller: Client, caller: Caller, work: Work
) -> None:
    path = await opened(analyst)
    await work()
    (case,) = (await seen(another, "/v1/cases"))["items"]
    assert (case["case_id"], case["kinds"]) == (path.rpartition("/")[2], ["DECISION"])
    for insider in (
        caller("ANALYST", "AN9", org_id=told.SELLER_ID),
        caller("ANALYST", told.SELLER_ID),
    ):
        assert (await seen(insider, "/v1/cases"))["items"] == []
    (own,) = (await seen(seller, f"{SELLER_PATH}/cases"))["items"]
    assert own["status"] == "STATEMENT"
    assert (await caller("SELLER", "S-78").get(f"{SELLER_PATH}/cases")).status_code == 404
    done(await send(seller, f"{path}/statement", {"text": "It was so."}))
    done(await judged(another, path, "confirmation", CONFIRMATION))
    await work()
    assert (await seen(another, "/v1/cases"))["items"] == []
    done(await send(seller, f"{path}/appeals", {"text": "See the scans."}))
    await work()
    (appealed,) = (await seen(another, "/v1/cases?kind=APPEAL"))["items"]
    assert (appealed["points"], appealed["overdue"]) == (24, False)


async def test_statements_are_read_by_whom_they_are_for_and_exported(  # noqa: PLR0917 - what pytest gives
    analyst: Client,
    another: Client,
    seller: Client,
    buyer: Client,
    caller: Caller,
    clock: ManualClock,
    work: Work,
) -> None:
    path = await opened(analyst)
    done(await send(seller, f"{path}/statement", {"text": "It was so."}))
    done(await judged(another, path, "confirmation", CONFIRMATION))
    await work()
    clock.advance(timedelta(seconds=1))
    (why,) = (await seen(seller, path))["statements"]
    told_of = await seen(seller, f"/v1/statements/{why['sor_id']}")
    assert told_of["facts"] == CONFIRMATION["facts"]
    assert (await buyer.get(f"/v1/statements/{why['sor_id']}")).status_code == 404
    auditor = caller("AUDITOR", "A1")
    exported = (await seen(auditor, "/v1/statements/export"))["items"]
    assert len(exported) == 2
    first = next(each for each in exported if each["submission"]["puid"] == why["sor_id"])
    assert first["submission"]["category"] == "STATEMENT_CATEGORY_SCAMS_AND_FRAUD"
    assert first["redress"] == ["INTERNAL_APPEAL", "OUT_OF_COURT", "COURT"]
    assert CONFIRMATION["facts"] not in str(exported)
    assert refusal(await seller.get("/v1/statements/export")) == "role-not-allowed"


async def test_hints_are_the_analysts(
    analyst: Client, seller: Client, tell: Tell, rebuilt: Callable[[], Awaitable[bool]]
) -> None:
    await tell("return-R-1", told.unrecovered("R-1", confirmed=False))
    (hint,) = (await seen(analyst, "/v1/hints"))["items"]
    assert (hint["rule"], hint["cause_key"]) == ("EMPTY_BOX_RETURN", "R-1")
    assert (await seller.get("/v1/hints")).status_code == 403
    assert await rebuilt()
