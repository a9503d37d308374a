"""A shop shows reviews in its reader's language, where that can be told and nobody is forgotten."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import httpx
import pytest
from review_service.languages import BYTES_MIN, language_of
from review_service.projections.review_languages import (
    REVIEW_LANGUAGES,
    forget_languages,
    review_languages,
)
from review_service.settings import ReviewSettings
from review_service.testing.refs import reviews_in
from shared_events.reputation import SubjectErased
from shared_events.review import (
    ReviewAmended,
    ReviewRestricted,
    ReviewRevised,
    ReviewsRevealed,
    ReviewSubmitted,
    ReviewWeighted,
    ReviewWithdrawn,
    WeightReason,
)
from shared_runtime.log import PostgresLog
from shared_runtime.sealing import PersonKey
from shared_runtime.service import Parts, Service
from shared_runtime.testing import InMemoryKeyStore, ManualClock, facts

type Caller = Callable[..., httpx.AsyncClient]
type Tell = Callable[..., Awaitable[None]]
type Work = Callable[[], Awaitable[None]]

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
ENGLISH = "The lamp is bright enough to read by."
GERMAN = "Sehr gute Lampe, schnelle Lieferung."
PORTUGUESE = "Recebi bem antes do prazo estipulado."
WAITS = """
    SELECT EXISTS (SELECT FROM pg_locks
                   WHERE relation = 'review_languages_g1.review_languages'::regclass
                       AND NOT granted)
"""
STARS: dict[str, Any] = {"quality": 5, "logistics": 4, "service": 5}


@pytest.fixture
def followed(others: PostgresLog) -> asyncpg.Pool:
    assert isinstance(others.db, asyncpg.Pool)
    return others.db


@pytest.fixture
def anybody(caller: Caller) -> httpx.AsyncClient:
    return caller("STOREFRONT", "www")


@pytest.fixture
async def ana(key_store: InMemoryKeyStore) -> PersonKey:
    return await key_store.key_of("buyer:B-5")


def submitted(clock: ManualClock, key: PersonKey, text: str | None) -> partial[Any]:
    return partial(
        ReviewSubmitted,
        submitted_at=clock.at,
        incentive="NONE",
        text=None if text is None else key.unsealed(text),
        **STARS,
    )


def public(clock: ManualClock) -> list[partial[Any]]:
    revealed = partial(
        ReviewsRevealed,
        trigger="WINDOW_CLOSED",
        revealed_at=clock.at,
        review_ids=["R1"],
        sides=["BUYER"],
    )
    weighted = partial(
        ReviewWeighted,
        seq=1,
        weight_milli=1000,
        reasons=[WeightReason(code="FULL", effect_milli=1000)],
        excluded_dimensions=[],
        counted_at=clock.at,
        decided_by="RULE",
    )
    return [revealed, weighted]


async def languages(client: httpx.AsyncClient, **query: str) -> dict[str, str | None]:
    answered = await client.get("/v1/sellers/S-77/reviews", params=query)
    assert answered.status_code == 200, answered.text
    page = answered.json()
    said = [each["language"] for each in page["items"]]
    return dict(zip(reviews_in(page), said, strict=True))


# --- What a text is in


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (ENGLISH, "en"),
        (GERMAN, "de"),
        (PORTUGUESE, "pt"),
        ("Très bon produit, livraison rapide", "fr"),
        ("Отличная лампа, быстрая доставка", "ru"),
        ("とても良い商品でした", "ja"),
        ("很好的产品,送货很快", "zh"),
        ("המוצר הגיע בזמן והוא עובד מצוין, תודה רבה", "he"),
    ],
)
def test_a_sentence_has_a_language(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bright.",
        "Muito bom",
        "👍👍👍👍👍👍👍👍",
        "12345 67890 12345 67890",
        "kfj qzx wvb pqr xkz",
    ],
)
def test_of_a_few_words_or_of_none_nothing_is_said(text: str) -> None:
    assert language_of(text) is None


def test_so_many_letters_are_enough_and_one_less_is_not() -> None:
    enough = "Bright enough to read by"
    letters = [each for each in enough if each.isalpha()]
    assert len(letters) == BYTES_MIN
    assert language_of(enough) == "en"
    assert language_of(enough[:-1]) is None


def test_whatever_people_write_has_an_answer() -> None:
    for text in ("a\x00b" * 20, "\ud83d" * 3, "x" * 5_000, "\u202e" * 50, "{}" * 50 + ENGLISH):
        language_of(text.encode(errors="replace").decode())


# --- In the lists


async def test_reviews_are_told_and_chosen_by_the_language_of_their_text(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work, ana: PersonKey
) -> None:
    for name, text in (("O1", ENGLISH), ("O2", PORTUGUESE), ("O3", "Bright."), ("O4", None)):
        await tell(name, submitted(clock, ana, text), *public(clock))
        clock.advance(timedelta(seconds=1))
    await work()
    assert await languages(anybody) == {
        "O4": None,
        "O3": None,
        "O2": "pt",
        "O1": "en",
    }
    assert await languages(anybody, language="en") == {"O1": "en"}
    assert await languages(anybody, language="pt", sort="most_useful") == {"O2": "pt"}
    assert await languages(anybody, language="fr") == {}
    for wrong in ("EN", "english", "e", "en_US", ""):
        answered = await anybody.get("/v1/sellers/S-77/reviews", params={"language": wrong})
        assert answered.status_code == 422


async def test_a_cursor_belongs_to_the_list_of_its_language(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work, ana: PersonKey
) -> None:
    for name in ("O1", "O2"):
        await tell(name, submitted(clock, ana, ENGLISH), *public(clock))
    await work()
    asked = {"language": "en", "limit": "1"}
    page = (await anybody.get("/v1/sellers/S-77/reviews", params=asked)).json()
    again = asked | {"cursor": page["next_cursor"]}
    assert len((await anybody.get("/v1/sellers/S-77/reviews", params=again)).json()["items"]) == 1
    other = await anybody.get("/v1/sellers/S-77/reviews", params=again | {"language": "pt"})
    assert other.status_code == 422


async def test_it_is_that_of_the_text_as_it_stands(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work, ana: PersonKey
) -> None:
    amended = partial(
        ReviewAmended, version=2, incentive="NONE", text=ana.unsealed(GERMAN), **STARS
    )
    was: dict[str, Any] = {"was_quality": 5, "was_logistics": 4, "was_service": 5}
    revised = partial(ReviewRevised, **STARS, **was)
    await tell("O1", submitted(clock, ana, ENGLISH), amended, *public(clock))
    await work()
    assert await languages(anybody) == {"O1": "de"}
    await tell("O1", revised)  # new stars alone
    await work()
    assert await languages(anybody) == {"O1": "de"}
    await tell("O1", partial(revised, text=ana.unsealed(PORTUGUESE)))
    await work()
    assert await languages(anybody) == {"O1": "pt"}
    await tell("O1", partial(ReviewWithdrawn, before_reveal=False))
    await work()
    assert await languages(anybody) == {}


async def test_of_a_hidden_text_no_language_is_told(
    anybody: httpx.AsyncClient, clock: ManualClock, tell: Tell, work: Work, ana: PersonKey
) -> None:
    hidden = partial(
        ReviewRestricted,
        ground="PERSONAL_DATA",
        rule_ids=["R-3"],
        measures=["HIDE_TEXT"],
        automated_detection=False,
        decided_by="mod-1",
        appeal_until=clock.at + timedelta(days=183),
        retain_until=clock.at + timedelta(days=365),
    )
    await tell("O1", submitted(clock, ana, ENGLISH), *public(clock), hidden)
    await work()
    assert await languages(anybody) == {"O1": None}
    assert await languages(anybody, language="en") == {}


async def test_i12_of_a_forgotten_writer_nothing_is_left_and_built_again_it_is_the_same(  # noqa: PLR0917 - fixtures
    anybody: httpx.AsyncClient,
    clock: ManualClock,
    tell: Tell,
    work: Work,
    ana: PersonKey,
    key_store: InMemoryKeyStore,
    others: PostgresLog,
    pool: asyncpg.Pool,
    rebuilt: Callable[[], Awaitable[bool]],
) -> None:
    bo = await key_store.key_of("buyer:B-6")
    await tell("O1", submitted(clock, ana, ENGLISH), *public(clock))
    await tell("O2", submitted(clock, bo, ENGLISH), *public(clock), buyer_id="B-6")
    await work()
    assert await languages(anybody, language="en") == {"O1": "en", "O2": "en"}
    erased = SubjectErased(
        account_kind="BUYER", buyer_id="B-5", policy_version="ae-2025-1", erased_at=NOW
    )
    await others.append(facts("buyer-B-5", erased, at=NOW))
    await work()
    assert await languages(anybody) == {"O1": None, "O2": "en"}
    assert await languages(anybody, language="en") == {"O2": "en"}
    assert await pool.fetchval("SELECT count(*) FROM read.review_languages") == 1
    assert await rebuilt()
    assert await languages(anybody, language="en") == {"O2": "en"}


class AwayMeanwhile:
    """Keys of which one is destroyed, and its owner forgotten, while its text is being opened."""

    def __init__(self, keys: InMemoryKeyStore, pool: asyncpg.Pool) -> None:
        self._keys = keys
        self._pool = pool
        self.forgetting: asyncio.Task[None] | None = None

    async def keys(self, key_ids: Iterable[str]) -> dict[str, PersonKey]:
        found = await self._keys.keys(key_ids)
        await self._keys.destroy("buyer:B-5")
        self.forgetting = asyncio.create_task(self._forget())
        while not self.forgetting.done() and not await self._pool.fetchval(WAITS):
            pass
        return found

    async def _forget(self) -> None:
        async with self._pool.acquire() as db, db.transaction():
            await forget_languages("buyer:B-5", db)


async def test_i12_whoever_forgets_a_writer_waits_for_what_was_being_opened(
    clock: ManualClock,
    tell: Tell,
    ana: PersonKey,
    key_store: InMemoryKeyStore,
    parts: Parts[ReviewSettings],
) -> None:
    await tell("O1", submitted(clock, ana, ENGLISH))
    batch = (await parts.log.read(["evaluation-O1"]))["evaluation-O1"]
    keys = AwayMeanwhile(key_store, parts.pool)
    async with parts.pool.acquire() as db, db.transaction():
        await db.execute("SET LOCAL search_path TO review_languages_g1")
        await review_languages(keys, batch, db)
        assert await db.fetchval("SELECT language FROM review_languages") == "en"
    assert keys.forgetting is not None
    await keys.forgetting
    assert await parts.pool.fetchval("SELECT count(*) FROM read.review_languages") == 0


def test_what_a_worker_projects_is_what_can_be_built_again(service: Service[Any]) -> None:
    assert REVIEW_LANGUAGES in service.projections
