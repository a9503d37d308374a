"""An order's people before the API and the time that passes between their acts: stories, told.

A case is one dispute over HTTP. Whoever does what is a client; staff say which version they saw.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus

import asyncpg
import httpx
from shared_events.dispute import Level
from shared_runtime.testing import ManualClock
from shared_runtime.testing_http import Client, Json, done, refusal, send, types_at, uploaded

from dispute_service.roster import Adjudicator, go_on_duty

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
ON_DUTY = timedelta(days=365)
DISPUTES = "/v1/disputes"

OPENING: Json = {
    "reason": "NOT_AS_DESCRIBED",
    "lines": [{"line_id": "1", "quantity": 1}],
    "outcome": "REFUND_PARTIAL",
    "amount": {"amount": 1000, "currency": "EUR"},
    "text": "It is another material than the picture shows.",
}
"""Of one of the pieces at 25.00."""
ALL = [{"line_id": "1", "quantity": 1}]
DECISION: Json = {
    "outcome": "REFUND_PARTIAL",
    "lines": ALL,
    "amount": {"amount": 1500, "currency": "EUR"},
    "liable": "SELLER",
    "seller_fault_pct": 100,
    "rule_ids": ["D-7"],
    "facts": "The picture shows leather, the label says something else.",
    "explanation": "What was sent is not what was offered.",
}
"""For the buyer."""
REJECTED: Json = DECISION | {
    "outcome": "REJECTED",
    "lines": [],
    "amount": None,
    "liable": "NONE",
    "seller_fault_pct": 0,
}


def eur(amount: int) -> Json:
    return {"amount": amount, "currency": "EUR"}


def partial(amount: int) -> Json:
    """Part of the money back for all that is in dispute."""
    return {"outcome": "REFUND_PARTIAL", "lines": ALL, "amount": eur(amount)}


@dataclass(frozen=True, slots=True)
class Case:
    """One dispute, by its path."""

    path: str

    @property
    def dispute_id(self) -> str:
        return self.path.rpartition("/")[2]

    async def tried(
        self,
        who: Client,
        door: str,
        body: Json | None = None,
        *,
        key: str | None = None,
        version: str | None = None,
        dry: bool = False,
    ) -> httpx.Response:
        at = f"{self.path}/{door}"
        return await send(who, at, body, key=key, version=version, dry=dry)

    async def do(self, who: Client, door: str, body: Json | None = None) -> Json:
        return done(await self.tried(who, door, body))

    async def rule(self, who: Client, door: str, body: Json | None = None) -> tuple[str, Json]:
        """The refusal, and what else it says."""
        answered = await self.tried(who, door, body)
        return refusal(answered), answered.json()

    async def judged(self, who: Client, door: str, body: Json) -> Json:
        """A command of staff, about the version that they see."""
        version = (await who.get(self.path)).headers["ETag"]
        return done(await self.tried(who, door, body, version=version))

    async def seen_by(self, who: Client) -> Json:
        answered = await who.get(self.path)
        assert answered.status_code == HTTPStatus.OK, answered.text
        shown: Json = answered.json()
        return shown

    async def types(self, who: Client) -> list[str]:
        return await types_at(who, self.path)

    async def proposal_of(self, side: str, who: Client) -> str:
        """The id of what a side proposes, for the path of an answer to it."""
        proposals = (await self.seen_by(who))["proposals"]
        return str(next(each["proposal_id"] for each in proposals if each["by"] == side))

    async def shows(self, who: Client, note: str = "It is plastic.") -> str:
        """A photo that somebody lodges; its id as evidence."""
        body = {"kind": "PHOTO", "media": await uploaded(who), "note": note}
        evidence = (await self.do(who, "evidence", body))["evidence"]
        return str(evidence[-1]["evidence_id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The buyer and the seller of one order, who judges between them, and the clock of all."""

    buyer: Client
    seller: Client
    agent: Client
    senior: Client
    auditor: Client
    order_id: str
    clock: ManualClock
    work: Callable[[], Awaitable[None]]
    pool: asyncpg.Pool

    def of_order(self, order_id: str) -> "Desk":
        """The same people about another order of theirs."""
        return replace(self, order_id=order_id)

    async def opened(self, **changes: object) -> Case:
        told = await send(self.buyer, DISPUTES, {"order_id": self.order_id} | OPENING | changes)
        await self.work()
        return Case(f"{DISPUTES}/{done(told)['dispute_id']}")

    async def after(self, time: timedelta) -> None:
        """So much later, with everything done that had to be done by then."""
        self.clock.advance(time)
        await self.work()

    async def on_duty(
        self,
        adjudicator_id: str,
        level: Level = "AGENT",
        *,
        org_id: str | None = None,
        seller_id: str | None = None,
    ) -> None:
        """Somebody comes on duty, and what waited for one is given to him."""
        who = Adjudicator(
            adjudicator_id=adjudicator_id,
            level=level,
            org_id=org_id,
            seller_id=seller_id,
            on_duty_until=self.clock() + ON_DUTY,
        )
        await go_on_duty(who, self.clock(), self.pool)
        await self.work()

    async def in_evidence(self) -> Case:
        """Rejected by the seller and escalated by the buyer, three days later."""
        case = await self.opened()
        proposal = await case.proposal_of("BUYER", self.seller)
        await case.do(self.seller, f"proposals/{proposal}/rejection")
        await self.after(3 * DAY)
        await case.do(self.buyer, "escalation")
        await self.work()
        return case

    async def in_rebuttal(self) -> Case:
        """Each has shown a photo, the buyer's first."""
        case = await self.in_evidence()
        for side in (self.buyer, self.seller):
            await case.shows(side)
            await case.do(side, "evidence/submission")
        await self.work()
        return case

    async def in_review(self) -> Case:
        """Each has rebutted the other's; whoever is on duty has it."""
        case = await self.in_rebuttal()
        for side in (self.buyer, self.seller):
            await case.do(side, "rebuttal", {"text": "That is another box."})
        await self.work()
        return case

    async def decided(self, decision: Json = DECISION) -> Case:
        """By the agent, on the first photo."""
        case = await self.in_review()
        evidence = (await case.seen_by(self.agent))["evidence"][0]["evidence_id"]
        await case.judged(self.agent, "decision", decision | {"evidence_ids": [evidence]})
        await self.work()
        return case
