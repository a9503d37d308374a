"""Somebody and a review in, his vote and what all of them come to out.

Votes are rows of their own, beside the log. What the lists of reviews are in the order of is in
their projection: a vote is put there in the transaction that counts it, and brought along when the
projection is built again.
"""

from datetime import datetime

import asyncpg
from msgspec import Struct
from shared_runtime.decider import NotFound
from shared_runtime.delivery import Connection
from shared_runtime.projections import in_live_tables

from review_service.domain.policy import ReviewPolicy
from review_service.domain.votes import Tally, Voter, counted, voted
from review_service.projections import PUBLIC_REVIEWS

LISTED = """
    SELECT order_id, written.buyer_id, written.seller_id
    FROM facts.review AS written JOIN read.public_reviews AS listed USING (order_id)
    WHERE written.ref = $1 AND written.side = 'BUYER' AND listed.listed LIMIT 1
"""
VOTE = """
    SELECT coalesce(tally.helpful, 0), coalesce(tally.not_helpful, 0), vote.helpful
    FROM (VALUES ($1::text)) AS asked (order_id)
    LEFT JOIN votes.tally AS tally USING (order_id)
    LEFT JOIN votes.vote AS vote ON vote.order_id = asked.order_id AND vote.voter = $2
"""
# Both rows are locked, the voter's first: his votes come one after the other, and so do those on
# one review.
LOCK_VOTER = """
    INSERT INTO votes.voter AS voter (voter) VALUES ($1)
    ON CONFLICT (voter) DO UPDATE SET voter = excluded.voter RETURNING lately, erased
"""
LOCK_TALLY = """
    INSERT INTO votes.tally AS tally (order_id, helpful, not_helpful) VALUES ($1, 0, 0)
    ON CONFLICT (order_id) DO UPDATE SET helpful = tally.helpful RETURNING helpful, not_helpful
"""
SAY = """
    INSERT INTO votes.vote (order_id, voter, helpful, voted_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (order_id, voter)
    DO UPDATE SET helpful = excluded.helpful, voted_at = excluded.voted_at
"""
TAKE_BACK = "DELETE FROM votes.vote WHERE order_id = $1 AND voter = $2"
COUNT = """
    WITH voter AS (UPDATE votes.voter SET lately = $4 WHERE voter = $5),
    tally AS (UPDATE votes.tally SET helpful = $2, not_helpful = $3 WHERE order_id = $1),
    review AS (
        UPDATE public_reviews SET helpful = $2, not_helpful = $3 WHERE order_id = $1
        RETURNING order_id, usefulness_voted)
    UPDATE product_reviews AS product SET usefulness_voted = review.usefulness_voted
    FROM review WHERE product.order_id = review.order_id
"""
NO_MORE = """
    INSERT INTO votes.voter (voter, erased) VALUES ($1, true)
    ON CONFLICT (voter) DO UPDATE SET lately = '{}', erased = true
"""
FORGET = "DELETE FROM votes.vote WHERE voter = $1"
SAYS = "SELECT helpful FROM votes.vote WHERE order_id = $1 AND voter = $2"


class ListedOf(Struct, frozen=True, kw_only=True):
    """A review that everybody may read, and whose it is."""

    order_id: str
    buyer_id: str
    seller_id: str


class Votes(Struct, frozen=True, kw_only=True):
    """What a review's readers say of it, and what this one does."""

    tally: Tally
    says: bool | None


async def find_listed(pool: asyncpg.Pool, digest: str) -> ListedOf:
    """The buyer's review with this digest, if it is in the lists. Raises `NotFound`."""
    row = await pool.fetchrow(LISTED, digest)
    if row is None:
        raise NotFound
    return ListedOf(order_id=row[0], buyer_id=row[1], seller_id=row[2])


async def votes_on(pool: asyncpg.Pool, order_id: str, voter: str) -> Votes:
    helpful, not_helpful, says = await pool.fetchrow(VOTE, order_id, voter) or (0, 0, None)
    return Votes(tally=Tally(helpful=helpful, not_helpful=not_helpful), says=says)


async def vote(
    pool: asyncpg.Pool,
    order_id: str,
    who: str,
    helpful: bool | None,
    *,
    now: datetime,
    policy: ReviewPolicy,
) -> tuple[Votes, bool]:
    """What somebody says of a review from now on, and whether that is new. None takes it back.

    Raises what `voted` does.
    """

    async def say(db: Connection) -> tuple[Votes, bool]:
        known = await db.fetchrow(LOCK_VOTER, who)
        locked = await db.fetchrow(LOCK_TALLY, order_id)
        assert known is not None
        assert locked is not None
        tally = Tally(helpful=locked["helpful"], not_helpful=locked["not_helpful"])
        before = await db.fetchval(SAYS, order_id, who)
        voter = Voter(lately=known["lately"], erased=known["erased"], says=before)
        after = voted(voter, helpful, now, policy)
        if after is None:
            return Votes(tally=tally, says=before), False
        if helpful is None:
            await db.execute(TAKE_BACK, order_id, who)
        else:
            await db.execute(SAY, order_id, who, helpful, now)
        tally = counted(tally, before, helpful)
        await db.execute(COUNT, order_id, tally.helpful, tally.not_helpful, [*after.lately], who)
        return Votes(tally=tally, says=helpful), True

    return await in_live_tables(pool, PUBLIC_REVIEWS, say)


async def forget_votes(person: str, db: Connection) -> None:
    """Takes away what somebody who was erased has said, and keeps him from saying more. That so
    many have said so stays, as stars do.
    """
    await db.execute(NO_MORE, person)
    await db.execute(FORGET, person)
