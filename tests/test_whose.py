"""Whose object it is, asked of every route that names one, in its path or in what is sent, and of
every list that parties have: of its parties, of others who are buyers and sellers too, and of
staff. How each fares is compared with a table that was looked through.

Commands are rehearsed (`validate_only`), so that nobody's answer depends on who asked before. Those
about webhook endpoints cannot be: whoever asks is asking about one that was just made. The few
others that cannot be change nothing that anybody else is asked about.

A table in which nobody is answered would say nothing: a line in which he whose it is is not, fails.
"""

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from local_stack.databases import Database
from shared_runtime.log import PostgresLog
from shared_runtime.service import Parts, Service, openapi_document
from shared_runtime.testing import ManualClock
from shared_runtime.testing_http import done, send
from shared_runtime.webhooks_api import AN_ENDPOINT
from shared_runtime.webhooks_api import PATH as ENDPOINTS

from tests.authorization import NONE, ROLES, SERVICES, entries
from tests.guessable import guesses_confirmed, heard_by
from tests.whose_stories import STORIES, Ids, Left, World

TABLES = Path(__file__).with_name("whose")
BY_NAME = {service.name: service for service in SERVICES}
STAFF = tuple(role for role in ROLES if role not in ("BUYER", "SELLER"))
PARTIES = ("buyer", "seller", "member")
STRANGERS = ("other buyer", "other seller")
AUDIENCE = (*STRANGERS, "STOREFRONT")
"""Who is told what anybody may know, and no more."""
MATTERS = re.compile(r"(.*\.)?(order|dispute|inquiry|return|refund)_id|unreviewed")
"""The names of those ids that are a party's to know."""
PRIVATE = ("O-1", "B-5")
"""Ids of every story."""
CLOSED = {"role-not-allowed"}
WITHOUT_IT = "200 without it"
NO_ANSWER = {"not-found", *CLOSED, "precondition-required", WITHOUT_IT}
"""What a stranger may be told of somebody else's object: nothing."""
UNSAID = NO_ANSWER | {"invalid-value", "stale-version"}
"""What whoever may know of it is not told: it would say nothing of whose it is."""
NEVER_SEEN = {"If-Match": '"999"'}
OPEN_TO_STRANGERS = {
    # What any reader may see or do; that a public review has another version is no secret of it.
    ("review-service", "POST", "/v1/reviews/{ref}/flags"),
    ("review-service", "POST", "/v1/reviews/{ref}/appeals"),
    ("review-service", "POST", "/v1/reviews/{ref}/votes"),
    ("review-service", "GET", "/v1/reviews/{ref}/votes/mine"),
    ("review-service", "DELETE", "/v1/reviews/{ref}/votes/mine"),
    ("review-service", "GET", "/v1/products/{sku}/ratings"),
    ("review-service", "GET", "/v1/products/{sku}/reviews"),
    ("review-service", "GET", "/v1/sellers/{seller_id}/ratings"),
    ("review-service", "GET", "/v1/sellers/{seller_id}/reviews"),
    ("reputation-service", "GET", "/v1/policies"),
    ("reputation-service", "GET", "/v1/policies/{policy_id}"),
    ("reputation-service", "GET", "/v1/sellers/{seller_id}/score"),
    ("reputation-service", "GET", "/v1/sellers/{seller_id}/score/explain"),
    ("reputation-service", "GET", "/v1/sellers/{seller_id}/score/history"),
    ("returns-service", "GET", "/v1/policies"),
    ("returns-service", "GET", "/v1/policies/{policy_version}"),
}
NOBODYS: Mapping[tuple[str, str], str] = {
    ("POST", "/v1/policies/{policy_id}/activations"): "the platform's own",
    ("GET", "/v1/policies/{policy_id}/what-if"): "the platform's own, of a draft",
    ("POST", "/v1/policies/{policy_id}/what-if"): "the platform's own, of a draft",
    ("GET", "/v1/neutrality"): "of all sellers of a size together",
    ("GET", "/v1/sellers"): "of all sellers, told to everybody",
    ("GET", "/v1/reconciliations/{day}"): "the platform's books",
    ("PUT", "/v1/reconciliations/{day}"): "the platform's books",
}
"""Where nobody is answered because it is no one's own: what it is."""
WORDS: Mapping[str, dict[str, Any]] = {"AddDisputeMessage": {"text": "It is plastic."}}
"""What is sent where an example says nothing."""
NARROWED: Mapping[str, Mapping[str, str]] = {
    "/v1/returns/waiting": {"what": "RECEIVE"},
    "/v1/log/{topic}/{partition}": {"from": "1"},
}
"""What else is said of a list, so that there is something in it."""
FIGURES = {"/v1/refunds/figures": "days", "/v1/returns/statistics": "figures"}
"""Sums of one's own, which name nothing: whatever is in there is of the story."""
OF_ONE_OF_STAFF = {"/v1/moderation/assignments", "/v1/moderation/assignments/mine"}
SENT_OTHERWISE = {
    # A file, or many lines: what is sent is the sender's own, and names nothing of anybody's.
    ("POST", "/v1/media"),
    ("POST", "/v1/orders/bulk"),
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


@pytest.fixture
def of_parties(service: Service[Any]) -> set[tuple[str, str]]:
    """What buyers or sellers may ask for: method and path."""
    open_to = {"BUYER", "SELLER"}
    return {
        (each.method, each.path)
        for each in entries(service)
        if each.lets_in & open_to and NONE not in each.lets_in
    }


@pytest.fixture
def world(
    *, parts: Parts[Any], others: PostgresLog, caller: Ask, clock: ManualClock, work: Work
) -> World:
    return World(parts=parts, others=others, caller=caller, clock=clock, work=work)


OWNERS = {"a seller's": "seller", "a machine's": "SYSTEM"}
"""Whose webhook endpoints may be."""


def people(ask: Ask) -> dict[str, Client]:
    """The other seller's own id is the seller's by chance: he has the account that his token names,
    and no other.
    """
    named = {
        "buyer": ask("BUYER", "B-5"),
        "other buyer": ask("BUYER", "B-6"),
        "seller": ask("SELLER", "S-77"),
        "member": ask("SELLER", "employee", seller_id="S-77"),
        "other seller": ask("SELLER", "S-77", seller_id="S-99"),
    }
    return named | {role: ask(role, f"{role.lower()}-1") for role in STAFF}


def body_of(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any] | None:
    """The example of what is sent."""
    if words := WORDS.get(operation["operationId"]):
        return words
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    if "example" in content:
        example: dict[str, Any] = content["example"]
    else:
        name = content["schema"]["$ref"].rpartition("/")[2]
        example = document["components"]["schemas"][name].get("examples", [{}])[0]
    return example


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of everybody alike. `seen`: of a list, what shows that it is in there."""

    method: str
    path: str
    query: Mapping[str, str]
    body: object
    rehearsed: bool
    seen: frozenset[str]


def question(
    document: dict[str, Any], method: str, path: str, ids: Ids, seen: frozenset[str]
) -> Question:
    """About the objects with these ids."""
    operation = document["paths"][path][method]
    parameters = operation.get("parameters", ())
    needed = [each["name"] for each in parameters if each["in"] == "query" and each["required"]]
    body = body_of(document, operation)
    if body is not None:
        body = {
            name: ids.get(name, told) if isinstance(told, str) else told
            for name, told in body.items()
        }
    return Question(
        method=method,
        path=filled(path, ids),
        query={name: ids[name] for name in needed if name in ids} | {**NARROWED.get(path, {})},
        body=body,
        rehearsed=any(each["name"] == "validate_only" for each in parameters),
        seen=seen if method == "get" and "{" not in path else frozenset(),
    )


def questions(
    document: dict[str, Any], method: str, path: str, left: Left, topic: str
) -> dict[str, Question]:
    """By whose the objects are, if each of the parties has one; else it is one question. `topic`:
    of the service's own log.
    """
    seen = frozenset(left.all_ids())
    asked = {
        whose: question(document, method, path, {**ids, "log.topic": topic}, seen)
        for whose, ids in left.by_owner().items()
    }
    first, *others = asked.values()
    if all(each == first for each in others):
        return {f"{method.upper()} {path}": first}
    return {f"{method.upper()} {path}, {whose}": each for whose, each in asked.items()}


@asynccontextmanager
async def endpoint_of(owner: Client) -> AsyncGenerator[dict[str, str]]:
    """One of his, with something on its way, for the time of one question."""
    made = done(await send(owner, ENDPOINTS, {"url": AN_ENDPOINT["url"]}))
    at = f"{ENDPOINTS}/{made['endpoint_id']}"
    pinged = done(await send(owner, f"{at}/pings", None))
    yield {"endpoint_id": made["endpoint_id"], "delivery_id": pinged["delivery_id"]}
    await owner.delete(at)


async def fares(client: Client, asked: Question) -> set[str]:
    """In one word: what the answer is about. Of a command more: without a version, and with one
    that there is not, which is no way either to learn of what is there. Who has to say which he saw
    and is told so is asked a third time, with that one.
    """
    if asked.method == "get":
        answered = await client.get(asked.path, params=asked.query)
        return {word_of_list(answered, asked) if asked.seen else word_of(answered)}
    if not asked.rehearsed:
        return await fares_once(client, asked.method, asked.path, asked.body)
    without = await rehearsal(client, asked, {})
    stale = await rehearsal(client, asked, NEVER_SEEN)
    answers = {word_of(without), word_of(stale)}
    if answers == {"precondition-required", "stale-version"}:
        version = {"If-Match": f'"{stale.json()["actual"]}"'}
        answers.add(word_of(await rehearsal(client, asked, version)))
    return answers


async def rehearsal(client: Client, asked: Question, seen: Mapping[str, str]) -> httpx.Response:
    return await client.request(
        asked.method,
        asked.path,
        json=asked.body,
        params={**asked.query, "validate_only": "true"},
        headers={"Idempotency-Key": str(uuid4()), **seen},
    )


async def fares_once(client: Client, method: str, path: str, body: object) -> set[str]:
    """The same of what cannot be rehearsed."""
    key = {"Idempotency-Key": str(uuid4())}
    return {word_of(await client.request(method, path, json=body, headers=key))}


def word_of(answered: httpx.Response) -> str:
    if answered.is_success:
        return str(answered.status_code)
    slug: str = answered.json()["type"].removeprefix("/problems/")
    return slug


def word_of_list(answered: httpx.Response, asked: Question) -> str:
    if not answered.is_success:
        return word_of(answered)
    if asked.path in FIGURES:
        there = bool(answered.json()[FIGURES[asked.path]])
    else:
        there = any(each in answered.text for each in asked.seen)
    return "200 with it" if there else WITHOUT_IT


def line_for(title: str, fared: dict[str, set[str]]) -> str:
    """Who fares alike stands together."""
    words = {who: " or ".join(sorted(answers)) for who, answers in fared.items()}
    told = (
        f"{answer}: {', '.join(who for who in words if words[who] == answer)}"
        for answer in dict.fromkeys(words.values())
    )
    return f"{title}\n" + "".join(f"    {each}\n" for each in told)


def filled(path: str, ids: Ids) -> str:
    """With the ids that are meant in this part of the service, if there are such."""
    part = path.split("/")[2]
    return re.sub(
        r"{(\w+)}", lambda each: ids.get(f"{part}.{each[1]}", ids.get(each[1], "X-1")), path
    )


def faults_of(
    service: Service[Any], route: tuple[str, str], fared: Mapping[str, set[str]]
) -> list[str]:
    """What is wrong with a line, whatever the table says."""
    found: list[str] = []
    if fared["member"] != fared["seller"]:
        found.append("a member fares otherwise than his seller")
    is_open = (service.name, *route) in OPEN_TO_STRANGERS
    if not is_open and any(fared[who] - NO_ANSWER for who in STRANGERS):
        found.append("a stranger is answered")
    owners = [who for who in PARTIES if fared[who] != CLOSED] or STAFF
    is_answered = any(fared[who] - UNSAID for who in owners)
    if is_answered is (route in NOBODYS):
        found.append("it is nobody's" if is_answered else "nobody is answered whose it is")
    return found


async def test_what_is_somebodys_is_told_to_him_and_not_to_strangers(
    service: Service[Any],
    paths: dict[str, Any],
    of_parties: set[tuple[str, str]],
    world: World,
    tmp_path: Path,
) -> None:
    left = await STORIES[service.name](world)
    topic = f"{service.name.removesuffix('-service')}.events"
    everybody = people(world.caller)
    overheard = [heard_by(everybody[who]) for who in AUDIENCE]
    table: list[str] = []
    faults: list[str] = []
    for method, path in routes(paths, of_parties):
        for title, asked in questions(paths, method, path, left, topic).items():
            fared = {who: await fares(client, asked) for who, client in everybody.items()}
            table.append(line_for(title, fared))
            route = (method.upper(), path)
            faults += [f"{each}: {table[-1]}" for each in faults_of(service, route, fared)]
    table += await lines_for_endpoints(paths, everybody)
    made = tmp_path / f"{service.name}.txt"
    made.write_text("\n".join(table))
    faults += guesses_confirmed(of_parties_alone(left), overheard)
    assert not faults, "\n".join(faults)
    committed = TABLES / made.name
    known = committed.read_text() if committed.exists() else ""
    assert made.read_text() == known, f"look through it, and: cp {made} {committed}"


def of_parties_alone(left: Left) -> set[str]:
    """The ids of what is nobody else's to know."""
    of_story = {
        told
        for ids in (left.both, *left.own.values())
        for name, told in ids.items()
        if MATTERS.fullmatch(name)
    }
    return {*PRIVATE, *of_story}


def routes(document: dict[str, Any], of_parties: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those that name an object; of those that do not, what a party may ask."""
    return [
        (method, path)
        for path, operations in document["paths"].items()
        for method in operations
        if path.startswith("/v1")
        and not path.startswith(ENDPOINTS)
        and (method.upper(), path) not in SENT_OTHERWISE
        and ("{" in path or path in OF_ONE_OF_STAFF or (method.upper(), path) in of_parties)
    ]


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
                lines.append(line_for(f"{method.upper()} {path}, {whose}", fared))
    async with endpoint_of(everybody["seller"]) as ids:
        listed = {who: await everybody[who].get(ENDPOINTS) for who in ("seller", *STRANGERS)}
        [own] = listed["seller"].json()["items"]
        assert own["endpoint_id"] == ids["endpoint_id"]
        assert listed["other seller"].json()["items"] == []
        assert word_of(listed["other buyer"]) == "role-not-allowed"
    return lines
