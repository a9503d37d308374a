"""Who is no party of an order is told no name of its reviews that he could have worked out, by any
of the ways in which he has to do with one: he reads it, votes, flags, and appeals.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import md5
from typing import Any

import pytest
from local_stack.databases import Database
from review_service.api.bulk import NDJSON
from review_service.api.examples import LINE, line_of
from review_service.app import SERVICE
from review_service.domain.streams import review_digest, review_id_of
from shared_runtime.service import Service
from shared_runtime.testing import ManualClock
from shared_runtime.testing_http import done, send

from tests.guessable import guesses_confirmed, heard_by, names_of, told_in
from tests.whose_stories import Ask, Work

ORDER = LINE["order"]["order_id"]
IDS = (ORDER, "B-5")


@pytest.fixture
def service() -> Service[Any]:
    return SERVICE


@pytest.fixture
def database(make_database: Callable[..., Database], template: str) -> Database:
    return make_database(template)


def test_a_name_that_follows_from_an_order_is_heard() -> None:
    made = review_id_of("O-7", "SELLER"), review_digest("O-7", "BUYER"), "evaluation-O-7"
    told = (*made, md5(made[2].encode(), usedforsecurity=False).hexdigest()[:30])
    for each in ("O-7", *told):
        assert told_in(f'{{"ref": "{each}"}}', ["O-7"], names_of(["O-7"])), each
    for each in ("O-77", "b3f1a27c90d64e58812f7d3ac6045e9b", review_id_of("O-77", "SELLER")):
        assert not told_in(f'{{"ref": "{each}"}}', ["O-7"], names_of(["O-7"])), each


async def test_who_flags_and_appeals_is_told_nothing_that_follows_from_the_order(
    caller: Ask, clock: ManualClock, work: Work
) -> None:
    clock.at = datetime(2026, 2, 1, tzinfo=UTC)
    importer, party = caller("IMPORTER", "olist"), caller("BUYER", "B-5")
    await importer.post("/v1/orders/bulk", content=line_of(LINE), headers={"Content-Type": NDJSON})
    await work()
    reader, shop = caller("BUYER", "B-9"), caller("STOREFRONT", "www")
    told, told_party = [heard_by(reader), heard_by(shop)], heard_by(party)
    products = f"/v1/products/LAMP-4/reviews?marketplace_id={LINE['order']['marketplace_id']}"
    for client in (reader, shop, party):
        for path in ("/v1/sellers/S-77/reviews", products, products.replace("reviews", "ratings")):
            assert (await client.get(path)).is_success
    (listed,) = (await reader.get("/v1/sellers/S-77/reviews")).json()["items"]
    review = f"/v1/reviews/{listed['ref']}"
    done(await reader.post(f"{review}/votes", json={"helpful": True}))
    reason = {"reason": "FAKE", "text": "Nobody has bought this."}
    rehearsed = await send(reader, f"{review}/flags", reason, dry=True)
    assert rehearsed.json()["events"][0]["review_id"] == listed["ref"]
    flag_id = done(await send(reader, f"{review}/flags", reason))["flag_id"]
    await keep(caller, review, flag_id)
    words = {"text": "Do look once more."}
    rehearsed = await send(reader, f"{review}/appeals", words, dry=True)
    assert rehearsed.json()["events"]
    appeal_id = done(await send(reader, f"{review}/appeals", words))["appeal_id"]
    for path in (f"/flags/{flag_id}", f"/appeals/{appeal_id}", "/votes/mine"):
        assert (await reader.get(f"{review}{path}")).is_success
    assert guesses_confirmed(IDS, told) == []
    # What a party is told has such names: so they would have been heard.
    assert (await party.get(f"/v1/orders/{ORDER}/evaluation")).is_success
    assert guesses_confirmed(IDS, [told_party])


async def keep(caller: Ask, review: str, flag_id: str) -> None:
    moderator = caller("MODERATOR", "moderator-1")
    version = (await moderator.get(review)).headers["ETag"]
    kept = {"flag_ids": [flag_id], "rule_ids": ["R-3"]}
    done(await send(moderator, f"{review}/keeps", kept, version=version))
