"""What is somebody's in each service, for the questions whose it is: told over the edges of it.

Everywhere the parties are buyer B-5 and seller S-77. A story gives the ids of what it left there,
by the names that paths and bodies have for them; what each of the two has of his own comes apart.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from dispute_service.testing import returned
from dispute_service.testing.desk import OPENING
from reputation_service.testing import histories, told
from returns_service.testing.desk import Desk
from returns_service.testing.orders import ids_of, order_paid, order_placed
from returns_service.testing.shipments import Returning
from review_service.api.bulk import NDJSON
from review_service.api.examples import LINE, line_of
from shared_events.orders import OrderDelivered, OrderShipped
from shared_runtime.log import PostgresLog
from shared_runtime.service import Parts
from shared_runtime.testing import ManualClock, facts
from shared_runtime.testing_http import Client, Json, done, send, uploaded

type Ask = Callable[..., Client]
type Work = Callable[[], Awaitable[None]]
type Ids = Mapping[str, str]

ACCOUNTS: Ids = {
    "seller_id": "S-77",
    "buyer_id": "B-5",
    "sku": "LAMP-4",
    "marketplace_id": LINE["order"]["marketplace_id"],
    "erasures.account_kind": "BUYER",
    "erasures.account_id": "B-5",
    "log.partition": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a story is told with."""

    parts: Parts[Any]
    others: PostgresLog
    caller: Ask
    clock: ManualClock
    work: Work

    @property
    def buyer(self) -> Client:
        return self.caller("BUYER", "B-5")

    @property
    def seller(self) -> Client:
        return self.caller("SELLER", "S-77")


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """`own`: by whose it is, when each of the two has one. A name may begin with the first part of
    the path in which it is meant, as `buyers.measure_id`.
    """

    both: Ids
    own: Mapping[str, Ids] = field(default_factory=dict[str, Ids])

    def by_owner(self) -> dict[str, Ids]:
        return {whose: {**ACCOUNTS, **self.both, **ids} for whose, ids in self.own.items()}

    def all_ids(self) -> set[str]:
        """Of objects, not of accounts."""
        return {*self.both.values(), *(each for ids in self.own.values() for each in ids.values())}


async def files(world: World) -> dict[str, Ids]:
    """One that the buyer has sent in, and one of the seller's."""
    return {
        "a buyer's": {"media_id": await uploaded(world.buyer)},
        "a seller's": {"media_id": await uploaded(world.seller)},
    }


def with_more(some: Mapping[str, Ids], more: Mapping[str, Ids]) -> dict[str, Ids]:
    return {whose: {**ids, **more[whose]} for whose, ids in some.items()}


# --- Orders and their reviews


async def reviewed(world: World) -> Left:
    """An order that both may review, and one that both have. Each has flagged the buyer's review,
    who appeals against what a moderator made of that; another moderator has the case.
    """
    world.clock.at = datetime(2026, 2, 1, tzinfo=UTC)
    unreviewed: Json = {
        "order": LINE["order"] | {"order_id": "O-1002"},
        "delivered": {"at": "2026-01-31T14:00:00Z", "signed": True},
        "completed": {"at": "2026-01-31T18:00:00Z"},
        "reviews": [],
    }
    lines, headers = line_of(LINE) + line_of(LINE | unreviewed), {"Content-Type": NDJSON}
    await world.caller("IMPORTER", "olist").post("/v1/orders/bulk", content=lines, headers=headers)
    await world.work()
    order_id = LINE["order"]["order_id"]
    seen = (await world.buyer.get(f"/v1/orders/{order_id}/evaluation")).json()
    (own,) = (each for each in seen["reviews"] if each["by"] == "BUYER")
    (listed,) = (await world.buyer.get("/v1/sellers/S-77/reviews")).json()["items"]
    path = f"/v1/reviews/{listed['ref']}"
    flags: dict[str, Ids] = {}
    for whose, who in (("a buyer's", world.buyer), ("a seller's", world.seller)):
        flag = done(await send(who, f"{path}/flags", {"reason": "FAKE"}))
        flags[whose] = {"flag_id": flag["flag_id"]}
    await world.work()
    appeal_id = await appeal_of_the_buyer(world, path)
    await world.work()
    ids = {
        "order_id": order_id,
        "review_id": own["review_id"],
        "ref": listed["ref"],
        "appeal_id": appeal_id,
        "case_id": listed["ref"],
        "unreviewed": "O-1002",
    }
    moderator = world.caller("MODERATOR", "moderator-1")
    done(await send(moderator, "/v1/moderation/assignments", {"case_id": ids["case_id"]}))
    return Left(both=ids, own=with_more(flags, await files(world)))


async def appeal_of_the_buyer(world: World, path: str) -> str:
    """The id of his appeal against the restriction of his review."""
    moderator = world.caller("MODERATOR", "moderator-2")
    version = (await moderator.get(path)).headers["ETag"]
    restriction: Json = {
        "ground": "PERSONAL_DATA",
        "rule_ids": ["R-3"],
        "facts": "It names a street.",
        "explanation": "Reviews may not give addresses.",
        "measures": ["HIDE_TEXT"],
    }
    done(await send(moderator, f"{path}/restrictions", restriction, version=version))
    appeal = done(await send(world.buyer, f"{path}/appeals", {"text": "It is a shop's street."}))
    return str(appeal["appeal_id"])


# --- Disputes


async def disputed(world: World) -> Left:
    """A dispute about an order of theirs, and a question about another one."""
    for order_id in ("O-1", "O-2"):
        await delivered(world, order_id)
    opened = await send(world.buyer, "/v1/disputes", {"order_id": "O-1"} | OPENING)
    asking: Json = {"order_id": "O-1", "topic": "PRODUCT", "text": "Is it this one?"}
    asked = await send(world.buyer, "/v1/inquiries", asking)
    await world.work()
    ids = {
        "order_id": "O-2",
        "dispute_id": done(opened)["dispute_id"],
        "inquiry_id": done(asked)["inquiry_id"],
    }
    own = await files(world)
    # As the field of a body has it.
    return Left(both=ids, own=with_more(own, {w: {"media": i["media_id"]} for w, i in own.items()}))


async def delivered(world: World, order_id: str) -> None:
    now = world.clock()
    placed = order_placed(order_id, now - timedelta(days=9))
    ids = ids_of(placed)
    came = OrderDelivered(
        **ids,
        delivered_at=now - timedelta(days=1),
        late=False,
        signed=True,
        auto_complete_at=now + timedelta(days=6),
    )
    shipped = OrderShipped(**ids, shipped_at=now - timedelta(days=5), late_dispatch=False)
    paid = order_paid(placed, now - timedelta(days=9))
    of_order = facts(f"order-{order_id}", placed, paid, shipped, came, at=now)
    ledger = facts(f"refunds-{order_id}", returned.ledger(order_id), at=now)
    await world.others.append([*of_order, *ledger])
    await world.work()


# --- Returns


async def sent_back(world: World) -> Left:
    """A return of one piece that the buyer has asked for, and money that he was given besides; one
    of another order that is on its way, and one that he has called off.
    """
    desk = Desk(
        buyer=world.buyer,
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
    sent = await parcel_on_its_way(await Returning(desk=desk, order_id="O-2").delivered())
    called_off = await Returning(desk=desk, order_id="O-3").delivered()
    await called_off.does(desk.buyer, await called_off.asked(), "cancellation")
    await desk.gives(desk.seller, 500)
    await world.work()
    await desk.pays()
    (refund, *_) = await desk.requests()
    await desk.after(timedelta(days=1))
    (version, *_) = (await world.buyer.get("/v1/policies")).json()["items"]
    ids = {
        "order_id": "O-1",
        "return_id": path.rpartition("/")[2],
        "policy_version": version["policy_version"],
        "refund_id": refund.refund_id,
        "failed_refund_id": refund.refund_id,
        "sent": sent.rpartition("/")[2],
    }
    return Left(both=ids, own=await files(world))


async def parcel_on_its_way(order: Returning) -> str:
    """Its return, by its path."""
    path = await order.approved()
    body: Json = {"units": ["1/1"], "tracking_id": "T-1"}
    await order.does(order.desk.buyer, path, "shipment", body)
    return path


# --- Scores and points

SUSPICIONS: Mapping[str, Json] = {
    "a seller's": {"account_kind": "SELLER", "account_id": "S-77", "rule": "FAKE_TRANSACTION"},
    "a buyer's": {"account_kind": "BUYER", "account_id": "B-5", "rule": "EXTORTION"},
}
POINTS = {"a seller's": 24, "a buyer's": 12}
CONFIRMATION: Json = {
    "rule_ids": ["P-3"],
    "facts": "Eleven of fourteen orders were paid from one account.",
    "explanation": "Orders were made up so that they could be rated.",
}


async def accused(world: World) -> Left:
    """Both have a score, and each a case that was confirmed: points, measures, and the reasons."""
    now = world.clock()
    of_order = facts("order-O-1", told.placed("O-1", now), told.completed("O-1", now), at=now)
    ids = histories.ids(1, told.SELLER_ID, told.BUYER_ID) | {"order_id": "O-1"}
    of_review = facts(
        "evaluation-O-1", histories.reviewed(ids, now), histories.rated(ids, now, 4), at=now
    )
    await world.others.append([*of_order, *of_review])
    await world.work()
    own = {whose: await confirmed(world, whose) for whose in SUSPICIONS}
    world.clock.advance(timedelta(days=1))
    await world.work()
    policies = (await world.buyer.get("/v1/policies")).json()["items"]
    return Left(
        both={
            "policy_id": policies[0]["policy_id"],
            "measure_id": await measure_of(world.seller, "/v1/sellers/S-77"),
            "buyers.measure_id": await measure_of(world.buyer, "/v1/buyers/B-5"),
        },
        own=with_more(own, await files(world)),
    )


async def confirmed(world: World, whose: str) -> Ids:
    accused_one = world.seller if whose == "a seller's" else world.buyer
    suspicion = SUSPICIONS[whose] | {
        "cause_key": f"ring of {whose}",
        "evidence_event_ids": [str(uuid4())],
        "detection": "ANALYST",
    }
    case = done(await send(world.caller("ANALYST", "analyst-2"), "/v1/cases", suspicion))
    path = f"/v1/cases/{case['case_id']}"
    done(await send(accused_one, f"{path}/statement", {"text": "They are customers."}))
    another = world.caller("ANALYST", "analyst-3")
    version = (await another.get(path)).headers["ETag"]
    body = CONFIRMATION | {"points": POINTS[whose]}
    done(await send(another, f"{path}/confirmation", body, version=version))
    await world.work()
    (why,) = (await accused_one.get(path)).json()["statements"]
    return {"case_id": case["case_id"], "sor_id": why["sor_id"]}


async def measure_of(holder: httpx.AsyncClient, account: str) -> str:
    measures = (await holder.get(f"{account}/measures")).json()["measures"]
    return str(measures[0]["measure_id"])


STORIES: Mapping[str, Callable[[World], Awaitable[Left]]] = {
    "review-service": reviewed,
    "dispute-service": disputed,
    "returns-service": sent_back,
    "reputation-service": accused,
}
