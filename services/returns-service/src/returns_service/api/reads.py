"""The ledger of an order for whoever may read it, and what has happened to it."""

from collections.abc import Collection
from typing import Annotated

from fastapi import Depends, Response
from shared_casework.callers import FEEDS, PARTIES, STAFF, feed_actor, party
from shared_casework.callers import reader as party_or_staff
from shared_casework.parties import Account
from shared_runtime.auth import Caller, require
from shared_runtime.decider import Actor, NotFound, RoleNotAllowed
from shared_runtime.fields import IdStr
from shared_runtime.problems import refusals
from shared_runtime.reading import PAGE_SIZE, CursorText, Limit
from shared_runtime.routers import Router

from returns_service.api import answers
from returns_service.api.ledgers import Ledgers

type LedgerReader = Annotated[Caller, Depends(require(*PARTIES, *STAFF, *FEEDS))]


def reader(caller: Caller, parties: Collection[Account]) -> Actor:
    """As whom somebody reads: a party, a connector or staff. Raises `NotFound` for others."""
    if party(caller, parties) is None and (actor := feed_actor(caller)):
        return actor
    return party_or_staff(caller, parties)


def ledger_reads(ledgers: Ledgers) -> Router:
    router = Router("/v1/orders/{order_id}/refunds", tags=["refunds"])

    @router.get(
        "",
        summary="All money of an order that is given back",
        description="For its parties, AGENT, SENIOR, AUDITOR, SYSTEM and IMPORTER. By line and "
        "piece, and refund by refund: what for, by whom it is borne, how far it is, and what you "
        "can do about it now.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.LEDGER,
    )
    async def get_refund_ledger(order_id: IdStr, caller: LedgerReader) -> Response:
        ledger = await ledgers.of_order(order_id)
        return await ledgers.shown_to(reader(caller, ledger.parties), ledger)

    @router.get(
        "/events",
        summary="What has happened to the money of an order",
        description="For its parties, AGENT, SENIOR, AUDITOR, SYSTEM and IMPORTER. Oldest first, "
        "as far as you may know of it.",
        responses=refusals(RoleNotAllowed, NotFound) | answers.EVENTS,
    )
    async def list_refund_events(
        order_id: IdStr,
        caller: LedgerReader,
        limit: Limit = PAGE_SIZE,
        cursor: CursorText = None,
    ) -> Response:
        ledger = await ledgers.of_order(order_id)
        return await ledgers.history_of(reader(caller, ledger.parties), ledger, limit, cursor)

    return router
