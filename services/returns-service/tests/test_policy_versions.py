"""Versions of the policy that people activate: read whole or refused, in force from then on."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from returns_service.app import SERVICE
from returns_service.domain.activating import (
    NOTICE,
    VERSIONS,
    ActivatePolicy,
    entries_as_written,
)
from returns_service.domain.known import Known
from returns_service.domain.policy import AE_2025_1, Policies, ReturnsPolicy, policies
from returns_service.policy_versions import following, learn
from returns_service.testing import at
from returns_service.testing.desk import Desk
from returns_service.testing.shipments import RETURNS, Returning
from shared_events.returns import ReturnPolicyActivated
from shared_runtime.decider import (
    Actor,
    AlreadySubmitted,
    HumanRequired,
    InvalidValue,
    PolicyUnknown,
    Refused,
    RoleNotAllowed,
)
from shared_runtime.rule import By, Sent
from shared_runtime.service import Parts
from shared_runtime.testing import ManualClock
from shared_runtime.testing_http import Json, done, refusal, send

SENIOR = Actor(role="SENIOR", id="senior-1")
NOW, LATER = at(5), at(6)
ENTRIES = entries_as_written(AE_2025_1)
SHORTER = ENTRIES | {"return_window": "P14D"}
WITHOUT_ELSE: Json = ENTRIES["return_tables"] | {
    "label": {
        "name": "label",
        "rows": [row for row in ENTRIES["return_tables"]["label"]["rows"] if row["when"]],
    }
}
PATH = "/v1/policies"


def said(
    version: str, entries: dict[str, Any] | None = None, *, since: datetime = LATER
) -> ActivatePolicy:
    return ActivatePolicy(policy_version=version, since=since, entries=entries)


def activated(
    *commands: ActivatePolicy, who: Actor = SENIOR, known: Policies | None = None
) -> list[ReturnPolicyActivated]:
    by = By(actor=who, now=NOW, known=Known(policies=known or policies()))
    history: list[ReturnPolicyActivated] = []
    for command in commands:
        history += VERSIONS.decide(VERSIONS.fold(history), Sent(command, by))
    return history


def refused(command: ActivatePolicy, who: Actor = SENIOR) -> Refused:
    with pytest.raises(Refused) as caught:
        activated(command, who=who)
    return caught.value


# --- What is decided


def test_a_version_of_the_release_is_activated_by_its_name() -> None:
    (told,) = activated(said("ae-30d"))
    assert told == ReturnPolicyActivated(policy_version="ae-30d", since=LATER)


def test_a_new_version_comes_with_every_entry() -> None:
    (told,) = activated(said("shop-1", SHORTER))
    assert told.policy_version == "shop-1"
    assert told.entries
    assert '"return_window":"P14D"' in told.entries


def test_a_version_is_activated_once_for_an_instant_and_again_for_another() -> None:
    twice = activated(said("ae-30d"), said("ae-30d"), said("ae-30d", since=at(7)))
    assert [each.since for each in twice] == [LATER, at(7)]


def test_a_version_that_is_known_may_be_told_again_as_it_is() -> None:
    (told,) = activated(said("ae-2025-1", ENTRIES))
    assert told.entries is None


def test_every_process_has_a_minute_to_hear_of_it() -> None:
    activated(said("ae-30d", since=NOW + NOTICE))
    wrong = refused(said("ae-30d", since=NOW + NOTICE - timedelta(microseconds=1)))
    assert isinstance(wrong, InvalidValue)
    assert wrong.errors[0].field == "since"


def test_of_a_version_that_nobody_knows_the_name_is_not_enough() -> None:
    assert isinstance(refused(said("shop-1")), PolicyUnknown)


def test_a_published_version_is_never_changed() -> None:
    wrong = refused(said("ae-30d", SHORTER))
    assert isinstance(wrong, AlreadySubmitted)
    assert wrong.existing_id == "ae-30d"


def test_all_that_is_wrong_with_a_version_is_named() -> None:
    without = {name: told for name, told in SHORTER.items() if name != "refund_legal"}
    wrong = refused(said("shop-1", without | {"return_windw": "P9D"}))
    assert isinstance(wrong, InvalidValue)
    assert [error.field for error in wrong.errors] == ["refund_legal", "return_windw"]


def test_a_table_with_a_hole_is_refused_with_the_request_that_falls_through() -> None:
    wrong = refused(said("shop-1", ENTRIES | {"return_tables": WITHOUT_ELSE}))
    assert isinstance(wrong, InvalidValue)
    (error,) = wrong.errors
    assert error.field == "return_tables"
    assert error.bound.startswith("label: no row takes this request: ")


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (Actor(role="AGENT", id="agent-1"), RoleNotAllowed),
        (Actor(role="SYSTEM", id="script"), HumanRequired),
        (Actor(role="IMPORTER", id="olist", on_behalf_of="SYSTEM"), HumanRequired),
    ],
)
def test_a_senior_of_the_desk_decides_on_it(who: Actor, why: type[Refused]) -> None:
    assert isinstance(refused(said("ae-30d"), who), why)


# --- What is known


def test_what_is_learnt_is_in_force_from_its_instant_on() -> None:
    known = policies()
    shop = replace(AE_2025_1, version="shop-1", return_window=timedelta(days=14))
    known.learn([shop], [(LATER, "shop-1")])
    known.learn([shop], [(LATER, "shop-1")])  # once more changes nothing
    one = timedelta(microseconds=1)
    assert [known.in_force(when).version for when in (LATER - one, LATER)] == [
        "ae-2025-1",
        "shop-1",
    ]
    assert len(known.schedule) == 2
    with pytest.raises(PolicyUnknown):
        known.learn([], [(LATER, "shop-2")])


# --- Over HTTP


@pytest.fixture
def senior(caller: Callable[..., httpx.AsyncClient]) -> httpx.AsyncClient:
    return caller("SENIOR", "senior-1")


@pytest.fixture
def known(parts: Parts[Any]) -> Policies:
    told: Policies = parts.settings.policies
    return told


def body_of(version: str, entries: Json | None, clock: ManualClock) -> Json:
    body: Json = {"policy_version": version, "since": (clock() + timedelta(hours=1)).isoformat()}
    return body | ({"entries": entries} if entries else {})


async def activate(client: httpx.AsyncClient, body: Json, *, dry: bool = False) -> httpx.Response:
    return await send(client, f"{PATH}/activations", body, dry=dry)


async def test_a_version_of_ones_own_is_written_tried_activated_and_read(
    desk: Desk, senior: httpx.AsyncClient, known: Policies, clock: ManualClock
) -> None:
    entries: Json = (await desk.buyer.get(f"{PATH}/ae-2025-1")).json()["entries"]
    assert entries == ENTRIES
    mine = body_of("shop-1", entries | {"return_window": "P14D"}, clock)
    tried = await activate(senior, mine, dry=True)
    assert [each["type"] for each in tried.json()["events"]] == ["ReturnPolicyActivated.v1"]
    assert (await desk.buyer.get(f"{PATH}/shop-1")).status_code == 404

    done(await activate(senior, mine))
    await learn(known, pool_of(desk))
    read = (await desk.buyer.get(f"{PATH}/shop-1")).json()
    assert read["entries"]["return_window"] == "P14D"
    versions = {
        each["policy_version"]: each.get("in_force", False)
        for each in (await desk.buyer.get(PATH)).json()["items"]
    }
    assert versions == {"ae-2025-1": True, "ae-30d": False, "shop-1": False}
    assert known.in_force(clock() + timedelta(hours=1)).version == "shop-1"


async def test_a_version_with_a_hole_changes_nothing(
    desk: Desk, senior: httpx.AsyncClient, known: Policies, clock: ManualClock
) -> None:
    wrong = await activate(
        senior, body_of("shop-1", ENTRIES | {"return_tables": WITHOUT_ELSE}, clock)
    )
    assert refusal(wrong) == "invalid-value"
    assert "no row takes this request" in wrong.text
    assert refusal(await activate(desk.agent, body_of("ae-30d", None, clock))) == "role-not-allowed"
    await learn(known, pool_of(desk))
    assert [*known.by_version] == ["ae-2025-1", "ae-30d"]
    assert len(known.schedule) == 1


async def test_a_process_hears_of_a_version_by_itself(
    desk: Desk, senior: httpx.AsyncClient, known: Policies, clock: ManualClock
) -> None:
    done(await activate(senior, body_of("shop-1", SHORTER, clock)))
    stop = asyncio.Event()
    task = asyncio.create_task(following(known, pool_of(desk))(stop))
    async with asyncio.timeout(10):
        while "shop-1" not in known.by_version:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    stop.set()
    await task
    assert isinstance(known.of("shop-1"), ReturnsPolicy)


async def test_a_process_begins_with_all_that_was_activated(
    senior: httpx.AsyncClient, known: Policies, clock: ManualClock, parts: Parts[Any]
) -> None:
    done(await activate(senior, body_of("shop-1", SHORTER, clock)))
    assert "shop-1" not in known.by_version
    await SERVICE.first(parts)
    assert known.in_force(clock() + timedelta(hours=1)).version == "shop-1"


async def test_a_return_under_a_version_of_ones_own_is_in_the_lists(
    desk: Desk, senior: httpx.AsyncClient, known: Policies, clock: ManualClock
) -> None:
    done(await activate(senior, body_of("shop-1", SHORTER, clock)))
    await learn(known, pool_of(desk))
    await desk.after(timedelta(hours=1))
    order = await Returning(desk=desk).delivered()
    path = await order.asked()
    assert (await order.seen_by(desk.seller, path))["policy_version"] == "shop-1"
    (listed,) = (await desk.seller.get(RETURNS)).json()["items"]
    assert (listed["deadline"]["name"], listed["status"]) == ("RETURN_ANSWER", "REVIEW")


def pool_of(desk: Desk) -> asyncpg.Pool:
    return desk.parts.pool
