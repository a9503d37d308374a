"""Who is there to decide disputes in, whom the next one is given to out.

Adjudicators say when they are on duty. Who is drawn is whoever was not for the longest time, so
that work is spread and nobody chooses his cases; whether he may judge it, the decider says. Who is
on duty is no fact of the business and in no log; whom a dispute was given to is.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from shared_events.dispute import Level
from shared_runtime.log import Database


class Adjudicator(Struct, frozen=True, kw_only=True):
    """`seller_id`: the seller account that he belongs to, if he does."""

    adjudicator_id: str
    level: Level
    org_id: str | None = None
    seller_id: str | None = None
    on_duty_until: datetime


ON_DUTY = """
    INSERT INTO work.adjudicator AS known
        (adjudicator_id, level, org_id, seller_id, on_duty_until)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (adjudicator_id) DO UPDATE SET
        level = excluded.level, org_id = excluded.org_id, seller_id = excluded.seller_id,
        on_duty_until = excluded.on_duty_until
"""
OFF_DUTY = "UPDATE work.adjudicator SET on_duty_until = '-infinity' WHERE adjudicator_id = $1"
ONE = """
    SELECT row_to_json(told) FROM (
        SELECT adjudicator_id, level, org_id, seller_id, on_duty_until FROM work.adjudicator
        WHERE adjudicator_id = $1 AND on_duty_until > $2) AS told
"""
KNOWN = """
    SELECT row_to_json(told) FROM (
        SELECT adjudicator_id, level, org_id, seller_id,
               greatest(on_duty_until, 'epoch'::timestamptz) AS on_duty_until
        FROM work.adjudicator WHERE adjudicator_id = $1) AS told
"""
# Whatever waits for somebody is told at once that one has come: see `reactions.timers`. Those that
# others hold are passed over: they are being drawn for, or armed anew to be due at once.
WAKE = """
    UPDATE es.timer SET due_at = $1 WHERE (stream_id, name) IN (
        SELECT stream_id, name FROM es.timer WHERE name LIKE 'ASSIGN/%' AND due_at > $1
        FOR UPDATE SKIP LOCKED)
"""
# Locked until the draw is recorded: two workers do not give everything to the same one. Sorted once
# it is locked: whoever had to wait sees whom the other one has drawn.
ALL = """
    SELECT json_build_object('adjudicator_id', adjudicator_id, 'level', level, 'org_id', org_id,
                             'seller_id', seller_id, 'on_duty_until', on_duty_until)
    FROM (SELECT * FROM work.adjudicator WHERE on_duty_until > $1
          ORDER BY adjudicator_id FOR UPDATE) AS locked
    ORDER BY drawn, adjudicator_id
"""
DRAWN = """
    UPDATE work.adjudicator AS known
    SET drawn = latest.drawn + given.place * interval '1 microsecond'
    FROM unnest($1::text[]) WITH ORDINALITY AS given (adjudicator_id, place),
        (SELECT greatest($2::timestamptz, max(drawn)) AS drawn FROM work.adjudicator) AS latest
    WHERE known.adjudicator_id = given.adjudicator_id
"""

decode = msgspec.json.Decoder(Adjudicator).decode


async def go_on_duty(who: Adjudicator, now: datetime, db: Database) -> None:
    await db.execute(
        ON_DUTY, who.adjudicator_id, who.level, who.org_id, who.seller_id, who.on_duty_until
    )
    await db.execute(WAKE, now)


async def go_off_duty(adjudicator_id: str, db: Database) -> None:
    await db.execute(OFF_DUTY, adjudicator_id)


async def known(adjudicator_id: str, db: Database) -> Adjudicator | None:
    """Also who is not on duty now."""
    row = await db.fetchval(KNOWN, adjudicator_id)
    return None if row is None else decode(row)


async def all_on_duty(now: datetime, db: Database) -> list[Adjudicator]:
    """Whoever waited longest comes first. Nobody else draws until the transaction ends."""
    return [decode(row) for (row,) in await db.fetch(ALL, now)]


async def note_drawn(adjudicator_ids: Sequence[str], now: datetime, db: Database) -> None:
    """In the order of the draws; of somebody who was drawn twice the last one counts."""
    if adjudicator_ids:
        once = [*dict.fromkeys(reversed(adjudicator_ids))][::-1]
        await db.execute(DRAWN, once, now)


async def on_duty(adjudicator_id: str, now: datetime, db: Database) -> Adjudicator | None:
    row = await db.fetchval(ONE, adjudicator_id, now)
    return None if row is None else decode(row)
