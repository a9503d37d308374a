"""Events in, rows out: the language that the text of each buyer's review is in.

A projection of its own: the only one whose worker opens what people have written. While the key
database is away, it waits, and the lists go on. Of what cannot be opened any more there is no row.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import get_args

from shared_events import review
from shared_events.envelope import Recorded
from shared_events.review import ReviewAmended, ReviewRevised, ReviewSubmitted, ReviewWithdrawn
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import columns
from shared_runtime.sealing import Keys, Opener

from review_service.languages import language_of

NAME = "review_languages"
REVIEW_LANGUAGES_DDL = """
    CREATE TABLE review_languages (
        order_id text PRIMARY KEY,
        buyer_id text NOT NULL,
        language text NOT NULL
    );
    CREATE INDEX review_languages_by_buyer ON review_languages (buyer_id);
"""
# Before anything is opened: whoever forgets a person waits for what was opened before his key was
# destroyed, and what comes later does not open.
BEFORE_OPENING = "LOCK TABLE review_languages IN ROW EXCLUSIVE MODE"
ALONE = "LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"
GENERATIONS = "SELECT nspname FROM pg_namespace WHERE nspname ~ $1 ORDER BY nspname"
FORGET = "DELETE FROM {table} WHERE buyer_id = $1"
TAKE_AWAY = "DELETE FROM review_languages WHERE order_id = ANY($1)"
PUT = """
    INSERT INTO review_languages (order_id, buyer_id, language)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
    ON CONFLICT (order_id) DO UPDATE SET language = excluded.language
"""

type LanguageEvent = ReviewSubmitted | ReviewAmended | ReviewRevised | ReviewWithdrawn


async def review_languages(
    keys: Keys, batch: Sequence[Recorded[LanguageEvent]], db: Connection
) -> None:
    told = {
        event.order_id: (event.buyer_id, text_of(event))
        for event in (recorded.event for recorded in batch)
        if changes_text(event)
    }
    if not told:
        return
    await db.execute(BEFORE_OPENING)
    opened = await Opener(keys, link=str).texts(text for _, text in told.values() if text)
    found = [
        (order_id, buyer_id, language)
        for order_id, (buyer_id, sealed) in told.items()
        if sealed and (text := opened[sealed]) and (language := language_of(text))
    ]
    if gone := sorted(told.keys() - {order_id for order_id, *_ in found}):
        await db.execute(TAKE_AWAY, gone)
    if found:
        await db.execute(PUT, *columns(sorted(found), 3))


def changes_text(event: LanguageEvent) -> bool:
    """A revision may have new stars alone, and then the text of before."""
    stays = isinstance(event, ReviewRevised) and event.text is None
    return event.side == "BUYER" and not stays


def text_of(event: LanguageEvent) -> str | None:
    return None if isinstance(event, ReviewWithdrawn) else event.text


def with_keys(keys: Keys) -> Projection:
    """The projection, as a worker or a rebuild has it."""
    return replace(REVIEW_LANGUAGES, apply=partial(review_languages, keys))


async def without_keys(_: Sequence[Recorded[LanguageEvent]], __: Connection) -> None:
    raise AssertionError("the languages of sealed texts take keys: `with_keys`")


async def forget_languages(erased: str, db: Connection) -> None:
    """Takes away what is known of an erased buyer's texts, also in tables that are being built."""
    kind, _, account = erased.partition(":")
    if kind != "buyer":
        return
    for (schema,) in await db.fetch(GENERATIONS, f"^{NAME}_g[0-9]+$"):
        table = f"{schema}.{NAME}"
        await db.execute(ALONE.format(table=table))
        await db.execute(FORGET.format(table=table), account)


REVIEW_LANGUAGES = Projection(
    name=NAME,
    version=1,
    topics=(review.TOPIC,),
    handles=get_args(LanguageEvent.__value__),
    tables=(NAME,),
    ddl=REVIEW_LANGUAGES_DDL,
    apply=without_keys,
)
