"""Whose object it is, asked of every route that names one: of its parties, of others who are buyers
and sellers too, and of staff. How each fares is compared with a table that was looked through.

Commands are rehearsed (`validate_only`), so that nobody's answer depends on who asked before. Those
about webhook endpoints cannot be: whoever asks is asking about one that was just made.
"""

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from dispute_service.testing import returned
from dispute_service.testing.desk import OPENING
from local_stack.databases import Database
from returns_service.testing.desk import Desk
from returns_service.testing.orders import ids_of, order_paid, order_placed
from returns_service.testing.shipments import Returning
from review_service.api.bulk import NDJSON
from review_service.api.examples import LINE, line_of
from shared_events.orders import OrderDelivered, OrderShipped
from shared_runtime.log import PostgresLog
from shared_runtime.service import Parts, Service, openapi_document
from shared_runtime.testing import ManualClock, facts
from shared_runtime.testing_http import done, send
from shared_runtime.webhooks_api import AN_ENDPOINT
from shared_runtime.webhooks_api import PATH as ENDPOINTS

from tests.authorization import ROLES, SERVICES

TABLES = Path(__file__).with_name("whose")
BY_NAME = {service.name: service for service in SERVICES}
STAFF = tuple(role for role in ROLES if role not in ("BUYER", "SELLER"))
STRANGERS = ("other buyer", "other seller")
NO_ANSWER = {"not-found", "role-not-allowed", "precondition-required"}
"""What a stranger may be told of somebody else's object: nothing."""
NEVER_SEEN = {"If-Match": '"999"'}
OPEN_TO_STRANGERS = {
    # What any reader may see or do; that a public review has another version is no secret of it.
    ("review-service", "POST", "/v1/reviews/{ref}/flags"),
    ("review-service", "POST", "/v1/reviews/{ref}/appeals"),
    ("review-service", "GET", "/v1/reviews/{ref}/votes/mine"),
    ("review-service", "GET", "/v1/products/{sku}/ratings"),
    ("review-service", "GET", "/v1/products/{sku}/reviews"),
    ("review-service", "GET", "/v1/sellers/{seller_id}/ratings"),
    ("review-service", "GET", "/v1/sellers/{seller_id}/reviews"),
    ("reputation-service", "GET", "/v1/policies/{policy_id}"),
    ("reputation-service", "GET", "/v1/sellers/{seller_id}/score"),
    ("returns-service", "GET", "/v1/policies/{policy_version}"),
}

type Client = httpx.AsyncClient
type Ask = Callable[..., Client]
type Work = Callable[[], Awaitable[None]]


@pytest.fixture(params=BY_NAME)
def service(request: pytest.FixtureRequest) -> Service[Any]:
    return BY_NAME[request.param]


@pytest.fixture
def database(make_database: Callable[..., Database], template: str) -> Database:
    return make_database(template)


@pytest.fixture
def followed(others: PostgresLog) -> asyncpg.Pool:
    assert isinstance(others.db, asyncpg.Pool)
    return others.db


@pytest.fixture
def paths(service: Service[Any]) -> dict[str, Any]:
    """Of its document, made before a loop runs: making it takes one."""
    told: dict[str, Any] = json.loads(openapi_document(service))
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a story is told with."""

    parts: Parts[Any]
    others: PostgresLog
    caller: Ask
    clock: ManualClock
    work: Work


@pytest.fixture
def world(
    *, parts: Parts[Any], others: PostgresLog, caller: Ask, clock: ManualClock, work: Work
) -> World:
    return World(parts=parts, others=others, caller=caller, clock=clock, work=work)


async def reviewed(world: World) -> dict[str, str]:
    """An order of B-5 at S-77 that both have reviewed."""
    world.clock.at = datetime(2026, 2, 1, tzinfo=UTC)
    line, headers = line_of(LINE), {"Content-Type": NDJSON}
    await world.caller("IMPORTER", "olist").post("/v1/orders/bulk", content=line, headers=headers)
    await world.work()
    order_id = LINE["order"]["order_id"]
    seen = (await world.caller("BUYER", "B-5").get(f"/v1/orders/{order_id}/evaluation")).json()
    (own,) = (each for each in seen["reviews"] if each["by"] == "BUYER")
    (listed,) = (await world.caller("BUYER", "B-5").get("/v1/sellers/S-77/reviews")).json()["items"]
    return {"order_id": order_id, "review_id": own["review_id"], "ref": listed["ref"]}


async def disputed(world: World) -> dict[str, str]:
    """A dispute about an order of theirs."""
    now = world.clock()
    placed = order_placed("O-1", now - timedelta(days=9))
    ids = ids_of(placed)
    delivered = OrderDelivered(
        **ids,
        delivered_at=now - timedelta(days=1),
        late=False,
        signed=True,
        auto_complete_at=now + timedelta(days=6),
    )
    shipped = OrderShipped(**ids, shipped_at=now - timedelta(days=5), late_dispatch=False)
    paid = order_paid(placed, now - timedelta(days=9))
    told = facts("order-O-1", placed, paid, shipped, delivered, at=now)
    await world.others.append([*told, *facts("refunds-O-1", returned.ledger("O-1"), at=now)])
    await world.work()
    opened = await send(world.caller("BUYER", "B-5"), "/v1/disputes", {"order_id": "O-1"} | OPENING)
    await world.work()
    return {"order_id": "O-1", "dispute_id": done(opened)["dispute_id"]}


async def sent_back(world: World) -> dict[str, str]:
    """A return that the buyer has asked for."""
    desk = Desk(
        buyer=world.caller("BUYER", "B-5"),
        seller=world.caller("SELLER", "employee", seller_id="S-77"),
        agent=world.caller("AGENT", "agent-1"),
        auditor=world.caller("AUDITOR", "auditor-1"),
        feed=world.caller("SYSTEM", "bank"),
        parts=world.parts,
        others=world.others,
        clock=world.clock,
        work=world.work,
    )
    path = await (await Returning(desk=desk).delivered()).asked()
    return {"order_id": "O-1", "return_id": path.rpartition("/")[2]}


async def nothing(_: World) -> dict[str, str]:
    """Accounts have their pages by themselves."""
    return {}


STORIES: Mapping[str, Callable[[World], Awaitable[dict[str, str]]]] = {
    "review-service": reviewed,
    "dispute-service": disputed,
    "returns-service": sent_back,
    "reputation-service": nothing,
}
ACCOUNTS = {"seller_id": "S-77", "buyer_id": "B-5", "sku": "LAMP-4"}
OWNERS = {"a seller's": "seller", "a machine's": "SYSTEM"}
"""Whose webhook endpoints may be."""


def people(ask: Ask) -> dict[str, Client]:
    named = {
        "buyer": ask("BUYER", "B-5"),
        "other buyer": ask("BUYER", "B-6"),
        "seller": ask("SELLER", "S-77"),
        "member": ask("SELLER", "employee", seller_id="S-77"),
        "other seller": ask("SELLER", "S-99"),
    }
    return named | {role: ask(role, f"{role.lower()}-1") for role in STAFF}


def body_of(document: dict[str, Any], operation: dict[str, Any]) -> object:
    """The example of what is sent."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    if "example" in content:
        return content["example"]
    name = content["schema"]["$ref"].rpartition("/")[2]
    return document["components"]["schemas"][name].get("examples", [{}])[0]


@asynccontextmanager
async def endpoint_of(owner: Client) -> AsyncGenerator[dict[str, str]]:
    """One of his, with something on its way, for the time of one question."""
    made = done(await send(owner, ENDPOINTS, {"url": AN_ENDPOINT["url"]}))
    at = f"{ENDPOINTS}/{made['endpoint_id']}"
    pinged = done(await send(owner, f"{at}/pings", None))
    yield {"endpoint_id": made["endpoint_id"], "delivery_id": pinged["delivery_id"]}
    await owner.delete(at)


def is_rehearsed(method: str, operation: dict[str, Any]) -> bool:
    parameters = {each["name"] for each in operation.get("parameters", ())}
    return method == "get" or "validate_only" in parameters


async def fares(client: Client, method: str, path: str, body: object) -> set[str]:
    """In one word: what the answer is about. Of a command two: without a version, and with one that
    there is not, which is no way either to learn of what is there.
    """
    if method == "get":
        return {word_of(await client.get(path))}
    return {
        word_of(
            await client.request(
                method,
                path,
                json=body,
                params={"validate_only": "true"},
                headers={"Idempotency-Key": str(uuid4())} | seen,
            )
        )
        for seen in ({}, NEVER_SEEN)
    }


async def fares_once(client: Client, method: str, path: str, body: object) -> set[str]:
    """The same of what cannot be rehearsed."""
    key = {"Idempotency-Key": str(uuid4())}
    return {word_of(await client.request(method, path, json=body, headers=key))}


def word_of(answered: httpx.Response) -> str:
    if answered.is_success:
        return str(answered.status_code)
    slug: str = answered.json()["type"].removeprefix("/problems/")
    return slug


def line_for(method: str, path: str, fared: dict[str, set[str]]) -> str:
    """Who fares alike stands together."""
    words = {who: " or ".join(sorted(answers)) for who, answers in fared.items()}
    told = (
        f"{answer}: {', '.join(who for who in words if words[who] == answer)}"
        for answer in dict.fromkeys(words.values())
    )
    return f"{method.upper()} {path}\n" + "".join(f"    {each}\n" for each in told)


def filled(path: str, ids: Mapping[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda each: ids.get(each[1], "X-1"), path)


async def test_what_is_somebodys_is_told_to_him_and_not_to_strangers(
    service: Service[Any], paths: dict[str, Any], world: World, tmp_path: Path
) -> None:
    ids = ACCOUNTS | await STORIES[service.name](world)
    everybody = people(world.caller)
    table: list[str] = []
    for path, operations in paths["paths"].items():
        named = re.findall(r"{(\w+)}", path)
        if not named or not path.startswith("/v1") or path.startswith(ENDPOINTS):
            continue
        for method, operation in operations.items():
            if not is_rehearsed(method, operation):
                continue
            body = body_of(paths, operation)
            fared = {
                who: await fares(client, method, filled(path, ids), body)
                for who, client in everybody.items()
            }
            assert fared["member"] == fared["seller"], (method, path)
            if (service.name, method.upper(), path) not in OPEN_TO_STRANGERS:
                told = {who: fared[who] - NO_ANSWER for who in STRANGERS}
                assert not any(told.values()), (method, path, told)
            table.append(line_for(method, path, fared))
    table += await lines_for_endpoints(paths, everybody)
    made = tmp_path / f"{service.name}.txt"
    made.write_text("\n".join(table))
    committed = TABLES / made.name
    known = committed.read_text() if committed.exists() else ""
    assert made.read_text() == known, f"look through it, and: cp {made} {committed}"


async def lines_for_endpoints(paths: dict[str, Any], everybody: dict[str, Client]) -> list[str]:
    """How each fares with an endpoint of a seller, and with one of a machine."""
    lines: list[str] = []
    of_one = {
        path: told for path, told in paths["paths"].items() if path.startswith(f"{ENDPOINTS}/")
    }
    for path, operations in of_one.items():
        for method, operation in operations.items():
            body = body_of(paths, operation)
            for whose, owner in OWNERS.items():
                fared: dict[str, set[str]] = {}
                for who, client in everybody.items():
                    async with endpoint_of(everybody[owner]) as ids:
                        fared[who] = await fares_once(client, method, filled(path, ids), body)
                assert fared["member"] == fared["seller"], (method, path)
                assert not any(fared[who] - NO_ANSWER for who in STRANGERS), (method, path)
                lines.append(line_for(method, f"{path}, {whose}", fared))
    async with endpoint_of(everybody["seller"]) as ids:
        listed = {who: await everybody[who].get(ENDPOINTS) for who in ("seller", *STRANGERS)}
        [own] = listed["seller"].json()["items"]
        assert own["endpoint_id"] == ids["endpoint_id"]
        assert listed["other seller"].json()["items"] == []
        assert word_of(listed["other buyer"]) == "role-not-allowed"
    return lines
