"""A policy is drafted whole, tried on every seller, and holds from a day on; the past stays."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from local_stack import issuer
from local_stack.databases import Database
from msgspec import Struct
from pydantic import SecretStr
from reputation_service import trials
from reputation_service.app import SERVICE
from reputation_service.domain.facts import micros
from reputation_service.domain.policy import DEFAULT, policy_data, policy_from
from reputation_service.domain.policy_book import STREAM
from reputation_service.domain.replay import Replayed
from reputation_service.domain.whatif import impact, impact_report
from reputation_service.projections import SCORE
from reputation_service.ranking import refresh
from reputation_service.score_policies import ScorePolicies
from reputation_service.settings import ReputationSettings
from reputation_service.testing.histories import ids, penalised, reviewed
from reputation_service.trials import work_at_trial
from shared_runtime.log import PostgresLog
from shared_runtime.projections import live_subscription
from shared_runtime.service import Parts, api_app
from shared_runtime.subscription import Runner
from shared_runtime.testing import (
    InMemoryKeyStore,
    InMemoryLog,
    InMemorySource,
    ManualClock,
    facts,
    stream_for,
)

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday: sellers are evaluated
DAY = timedelta(days=1)
DRAFT_ID = "fast-decay"
LIVE = ("score_g1.fact", "score_g1.contribution", "score_g1.bucket", "score_g1.lot")


class Office:
    """The service's API, what it is told of, and the people who look after its policies."""

    def __init__(
        self, pool: asyncpg.Pool, client: httpx.AsyncClient, folder: Path, clock: ManualClock
    ) -> None:
        self.pool = pool
        self.client = client
        self.folder = folder
        self.clock = clock
        self.log = InMemoryLog(now=clock)
        self.known = Replayed(DEFAULT.sla)
        self.told: list[Any] = []
        self.policies = ScorePolicies(
            PostgresLog(pool, source="/reputation-service", now=clock), DEFAULT
        )

    async def tell(self, *events: Struct) -> None:
        for event in events:
            stream = stream_for(event, str(len(self.told)))
            for recorded in await self.log.append(facts(stream, event, at=self.clock())):
                self.told.append(recorded)
                self.known.take(recorded)
        runner = Runner(
            subscription=await live_subscription(self.pool, SCORE),
            source=InMemorySource(self.told),
            pool=self.pool,
        )
        await runner.start()
        while await runner.turn():
            pass

    async def ask(
        self,
        method: str,
        path: str,
        role: str,
        sub: str = "someone",
        **more: Any,  # noqa: ANN401
    ) -> httpx.Response:
        token = issuer.mint(self.folder, sub=sub, roles=[role])
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": uuid4().hex}
        return await self.client.request(method, f"/v1{path}", headers=headers, **more)

    async def get(self, path: str, role: str = "ANALYST") -> dict[str, Any]:
        answered = await self.ask("GET", path, role)
        assert answered.status_code == 200, answered.text
        found: dict[str, Any] = answered.json()
        return found

    async def draft(self, numbers: dict[str, Any], sub: str = "ann") -> httpx.Response:
        return await self.ask("POST", "/policies", "ANALYST", sub, json=numbers)

    async def begin_trial(self, policy_id: str = DRAFT_ID) -> httpx.Response:
        return await self.ask("POST", f"/policies/{policy_id}/what-if", "ANALYST")

    async def activate(
        self, begins_at: datetime, sub: str = "sam", role: str = "SENIOR", policy_id: str = DRAFT_ID
    ) -> httpx.Response:
        body = {"begins_at": begins_at.isoformat().replace("+00:00", "Z")}
        path = f"/policies/{policy_id}/activations"
        return await self.ask("POST", path, role, sub, json=body)

    async def work(self) -> None:
        while await work_at_trial(self.pool, self.policies, self.clock):
            pass

    async def tried(self) -> None:
        """A draft that was tried on what holds."""
        assert (await self.draft(faster())).status_code == 201
        assert (await self.begin_trial()).status_code == 201
        await self.work()


def faster(**numbers: Any) -> dict[str, Any]:  # noqa: ANN401
    """The default policy with another half-life, and what else is to be otherwise."""
    return {**policy_data(DEFAULT), "policy_id": DRAFT_ID, "half_life_days": 30, **numbers}


def slug(answered: httpx.Response) -> tuple[int, str]:
    return answered.status_code, str(answered.json()["type"]).removeprefix("/problems/")


@pytest.fixture
async def office(pool: asyncpg.Pool, database: Database, tmp_path: Path) -> AsyncIterator[Office]:
    issuer.ensure_key(tmp_path)
    settings = ReputationSettings(
        env="local",
        database_url=SecretStr(database.app_url),
        kafka="nowhere:9092",
        jwks_url=f"file://{issuer.jwks_file(tmp_path)}",
        issuer=issuer.ISSUER,
    )
    clock = ManualClock(NEW_YEAR - 60 * DAY)
    log = PostgresLog(pool, source="/reputation-service", now=clock)
    parts = Parts(settings=settings, pool=pool, log=log, now=clock, key_store=InMemoryKeyStore())
    transport = httpx.ASGITransport(api_app(SERVICE, parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://reputation") as client:
        yield Office(pool, client, tmp_path, clock)


async def five_sellers(office: Office) -> None:
    """S0 to S4, with more stars each and a penalty for one, sixty days ago."""
    reviews = [
        reviewed(ids(100 * seller + n, f"S{seller}"), office.clock(), stars=1 + seller)
        for seller in range(5)
        for n in range(12)
    ]
    await office.tell(*reviews, penalised("S4", "l1", office.clock(), 24, days=300))
    office.clock.at = NEW_YEAR + timedelta(hours=12)


# --- Drafting --------------------------------------------------------------------------------


async def test_the_policy_that_holds_is_everybodys_to_read(office: Office) -> None:
    (held,) = (await office.get("/policies", "BUYER"))["items"]
    assert (held["policy_id"], held["state"]) == ("default-1", "IN_FORCE")
    assert policy_from(held["numbers"]) == DEFAULT
    assert "drafted_by" not in held
    assert await office.get("/policies/default-1", "SELLER") == held


async def test_a_draft_is_for_staff(office: Office) -> None:
    drafted = await office.draft(faster())
    assert drafted.status_code == 201
    assert drafted.json()["state"] == "DRAFT"
    assert drafted.json()["drafted_by"] == "ann"
    assert policy_from(drafted.json()["numbers"]).half_life_days == 30
    assert slug(await office.ask("GET", f"/policies/{DRAFT_ID}", "BUYER")) == (404, "not-found")
    assert len((await office.get("/policies", "BUYER"))["items"]) == 1
    assert len((await office.get("/policies", "AUDITOR"))["items"]) == 2


async def test_all_that_is_wrong_with_a_draft_is_told_at_once(office: Office) -> None:
    wrong = faster(half_life_days=-180)
    wrong["dimensions"]["quality"]["weight_milli"] = 400
    wrong["bands"] = [["GOLD", 1], ["GREEN", 1], ["YELLOW", 1], ["ORANGE", 1], ["RED", 0]]
    wrong["sla"] = {"dispute_seconds": 1, "return_seconds": 259_200}
    wrong["half_lives"] = 2
    refused = await office.draft(wrong)
    assert slug(refused) == (422, "invalid-value")
    assert [each["field"] for each in refused.json()["errors"]] == [
        "half_life_days",
        "dimensions.weight_milli",
        "bands",
        "half_lives",
    ]
    other_sla = await office.draft(faster(sla={"dispute_seconds": 1, "return_seconds": 259_200}))
    assert [each["field"] for each in other_sla.json()["errors"]] == ["sla.dispute_seconds"]
    assert await office.pool.fetchval("SELECT count(*) FROM es.event") == 0


async def test_a_draft_is_never_edited(office: Office) -> None:
    assert (await office.draft(faster())).status_code == 201
    assert (await office.draft(faster(), "bob")).status_code == 200
    assert slug(await office.draft(faster(half_life_days=31))) == (409, "already-submitted")
    default = {**policy_data(DEFAULT), "half_life_days": 31}
    assert slug(await office.draft(default)) == (409, "already-submitted")
    assert await office.pool.fetchval("SELECT count(*) FROM es.event") == 1


@pytest.mark.parametrize("role", ["BUYER", "SELLER", "MODERATOR", "AUDITOR"])
async def test_only_analysts_and_seniors_draft(office: Office, role: str) -> None:
    refused = await office.ask("POST", "/policies", role, json=faster())
    assert slug(refused) == (403, "role-not-allowed")


# --- Trying ----------------------------------------------------------------------------------


async def test_a_trial_says_what_the_draft_would_do_to_each_seller(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "SELLERS_MAX", 2)
    await five_sellers(office)
    await office.draft(faster())
    begun = await office.begin_trial()
    assert begun.json()["trials"][0]["state"] == "RUNNING"
    assert await work_at_trial(office.pool, office.policies, office.clock)
    half = await office.get(f"/policies/{DRAFT_ID}/what-if")
    assert (half["trial"]["sellers"], half["trial"]["worked_out"]) == (5, 2)
    assert (half["trial"]["up"], len(half["items"])) == (None, 2)
    await office.work()
    told = await office.get(f"/policies/{DRAFT_ID}/what-if?limit=100")
    as_of, draft = micros(office.clock()), policy_from(faster())
    expected = impact_report(
        [
            impact(each.seller_id, each.standing(DEFAULT), each.standing(draft))
            for each in office.known.accounts(as_of, DEFAULT)
            if each.sells
        ],
        draft=draft,
    )
    trial = told["trial"]
    assert (trial["state"], trial["against"], trial["sellers"]) == ("ENDED", "default-1", 5)
    for name in ("up", "down", "rated_changed", "sum_abs_delta_micro", "max_abs_delta_micro"):
        assert trial[name] == getattr(expected, name), name
    assert told["matrix"] == expected.matrix
    assert [row["seller_id"] for row in told["items"]] == [row.seller_id for row in expected.rows]
    assert [row["delta_micro"] for row in told["items"]] == [
        row.delta_micro for row in expected.rows
    ]
    first = await office.get(f"/policies/{DRAFT_ID}/what-if?limit=3")
    second = await office.get(f"/policies/{DRAFT_ID}/what-if?limit=3&cursor={first['next_cursor']}")
    assert [*first["items"], *second["items"]] == told["items"]


async def test_a_ladder_of_its_own_caps_others(office: Office) -> None:
    await five_sellers(office)
    ladder = [["NORMAL", 70, "GOLD"], ["CRITICAL", 0, "RED"]]
    await office.draft(faster(half_life_days=180, credit={"start": 100, "levels": ladder}))
    await office.begin_trial()
    await office.work()
    told = await office.get(f"/policies/{DRAFT_ID}/what-if")
    assert (told["trial"]["caps_changed"], told["trial"]["sum_abs_delta_micro"]) == (1, 0)
    (penalised_one,) = [row for row in told["items"] if row["cap_before"] != row["cap_after"]]
    assert penalised_one["seller_id"] == "S4"
    assert (penalised_one["cap_before"], penalised_one["cap_after"]) == ("REDUCED", "NORMAL")
    only = await office.get(f"/policies/{DRAFT_ID}/what-if?caps_changed=true")
    assert only["items"] == [penalised_one]


async def test_a_trial_changes_nothing_that_is_live(office: Office) -> None:
    await five_sellers(office)
    while await refresh(office.pool, office.policies, office.clock):
        pass
    tables = (*LIVE, "ranking.seller", "ranking.changed", "ranking.sweep")

    async def live() -> list[Any]:
        return [
            await office.pool.fetch(f"SELECT t::text FROM {table} AS t ORDER BY 1")  # noqa: S608
            for table in tables
        ]

    before = (await live(), await office.get("/sellers/S2/score", "AUDITOR"))
    await office.tried()
    assert (await live(), await office.get("/sellers/S2/score", "AUDITOR")) == before


async def test_one_draft_is_tried_at_a_time(office: Office) -> None:
    await five_sellers(office)
    await office.draft(faster())
    assert (await office.begin_trial()).status_code == 201
    assert slug(await office.begin_trial()) == (409, "limit-reached")
    await office.work()
    assert (await office.begin_trial()).status_code == 201
    assert slug(await office.begin_trial("nothing")) == (404, "not-found")


async def test_of_a_draft_the_newest_trial_is_kept(office: Office) -> None:
    await five_sellers(office)
    await office.tried()
    await office.begin_trial()
    await office.work()
    assert await office.pool.fetchval("SELECT count(*) FROM sandbox.impact") == 5
    assert len((await office.get(f"/policies/{DRAFT_ID}"))["trials"]) == 2


# --- Activating ------------------------------------------------------------------------------


async def test_a_policy_holds_from_its_day_on_and_the_past_stays_as_it_was_read(
    office: Office,
) -> None:
    await five_sellers(office)
    await office.tried()
    begins = NEW_YEAR + 7 * DAY
    activated = await office.activate(begins)
    assert (activated.status_code, activated.json()["state"]) == (201, "SCHEDULED")
    before = await office.get("/sellers/S4/score", "AUDITOR")
    assert before["policy_id"] == "default-1"
    office.clock.at = begins
    held = await office.get("/sellers/S4/score", "AUDITOR")
    assert held["policy_id"] == DRAFT_ID
    assert held["score_micro"] < before["score_micro"]
    first, second = (await office.get("/policies", "BUYER"))["items"]
    assert (first["policy_id"], first["state"]) == (DRAFT_ID, "IN_FORCE")
    assert (second["policy_id"], second["state"]) == ("default-1", "REPLACED")
    then = before["as_of"]
    again = await office.get(f"/sellers/S4/score?as_of={then}", "AUDITOR")
    assert again == before
    last = (begins - timedelta(microseconds=1)).isoformat().replace("+00:00", "Z")
    early = await office.get(f"/sellers/S4/score?as_of={last}", "AUDITOR")
    assert early["policy_id"] == "default-1"


async def test_the_table_of_sellers_follows_the_policy(office: Office) -> None:
    await five_sellers(office)
    await office.tried()
    begins = NEW_YEAR + DAY
    await office.activate(begins)
    for at in (begins - timedelta(microseconds=1), begins):
        office.clock.at = at
        while await refresh(office.pool, office.policies, office.clock):
            pass
        ranked = {each["seller_id"]: each for each in (await office.get("/sellers"))["items"]}
        for seller in ranked:
            score = await office.get(f"/sellers/{seller}/score", "AUDITOR")
            assert ranked[seller]["score_micro"] == score["score_micro"]


async def test_an_auditor_reads_by_the_policies_of_the_log(office: Office) -> None:
    await five_sellers(office)
    await office.tried()
    begins = NEW_YEAR + DAY
    await office.activate(begins)
    for recorded in (await office.policies.log.read([STREAM]))[STREAM]:
        office.known.take(recorded)
    for at in (NEW_YEAR + timedelta(hours=13), begins):
        office.clock.at = at
        for account in office.known.accounts(micros(at), DEFAULT):
            if account.sells:
                live = await office.get(f"/sellers/{account.seller_id}/score", "AUDITOR")
                assert account.policy.policy_id == live["policy_id"]
                assert account.standing().score.score_micro == live["score_micro"]


async def test_who_drafted_it_does_not_activate_it(office: Office) -> None:
    await office.tried()
    refused = await office.activate(NEW_YEAR + DAY, sub="ann")
    assert slug(refused) == (403, "conflict-of-interest")
    assert refused.json()["ground"] == "OWN_CASE"
    by_analyst = await office.activate(NEW_YEAR + DAY, role="ANALYST")
    assert slug(by_analyst) == (403, "role-not-allowed")


async def test_nothing_is_activated_that_was_not_tried_on_what_holds(office: Office) -> None:
    office.clock.at = NEW_YEAR
    await office.draft(faster())
    refused = await office.activate(NEW_YEAR + DAY)
    assert slug(refused) == (409, "wrong-state")
    assert refused.json()["state"] == "DRAFT"
    await office.begin_trial()
    assert slug(await office.activate(NEW_YEAR + DAY)) == (409, "wrong-state")
    await office.work()
    assert (await office.activate(NEW_YEAR + DAY)).status_code == 201


async def test_one_that_held_before_is_tried_on_what_holds_now_before_it_holds_again(
    office: Office,
) -> None:
    office.clock.at = NEW_YEAR
    await office.tried()
    assert (await office.activate(NEW_YEAR + DAY)).status_code == 201
    office.clock.at = NEW_YEAR + DAY
    await office.draft(policy_data(DEFAULT))
    await office.begin_trial("default-1")
    await office.work()
    assert (await office.activate(NEW_YEAR + 2 * DAY, policy_id="default-1")).status_code == 201
    office.clock.at = NEW_YEAR + 2 * DAY
    # The first one was tried on the old numbers, and they hold again: that is enough.
    assert (await office.activate(NEW_YEAR + 3 * DAY)).status_code == 201
    office.clock.at = NEW_YEAR + 3 * DAY
    other = {**policy_data(DEFAULT), "policy_id": "third", "half_life_days": 120}
    await office.draft(other)
    await office.begin_trial("third")
    await office.work()
    assert (await office.activate(NEW_YEAR + 4 * DAY, policy_id="third")).status_code == 201
    office.clock.at = NEW_YEAR + 4 * DAY
    assert slug(await office.activate(NEW_YEAR + 5 * DAY)) == (409, "wrong-state")


async def test_what_holds_when_a_policy_begins_is_what_it_was_tried_on(office: Office) -> None:
    office.clock.at = NEW_YEAR
    await office.tried()
    other = {**policy_data(DEFAULT), "policy_id": "other", "half_life_days": 120}
    await office.draft(other)
    await office.begin_trial("other")
    await office.work()
    assert (await office.activate(NEW_YEAR + DAY)).status_code == 201
    late = await office.activate(NEW_YEAR + 2 * DAY, policy_id="other")
    assert slug(late) == (409, "wrong-state")


@pytest.mark.parametrize(
    "late", [timedelta(0), -DAY, timedelta(hours=1), 400 * DAY], ids=["now", "past", "noon", "far"]
)
async def test_a_policy_begins_with_a_day_to_come(office: Office, late: timedelta) -> None:
    office.clock.at = NEW_YEAR
    await office.tried()
    refused = await office.activate(NEW_YEAR + late)
    assert slug(refused) == (422, "invalid-value")
    assert [each["field"] for each in refused.json()["errors"]] == ["begins_at"]


async def test_to_go_back_the_old_one_is_drafted_tried_and_activated(office: Office) -> None:
    await five_sellers(office)
    await office.tried()
    await office.activate(NEW_YEAR + DAY)
    office.clock.at = NEW_YEAR + DAY
    assert (await office.draft(policy_data(DEFAULT))).status_code == 201
    await office.begin_trial("default-1")
    await office.work()
    assert (await office.activate(NEW_YEAR + 2 * DAY, policy_id="default-1")).status_code == 201
    office.clock.at = NEW_YEAR + 2 * DAY
    assert (await office.get("/sellers/S4/score"))["policy_id"] == "default-1"
