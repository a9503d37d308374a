"""Disputes and inquiries in their streams, and somebody who acts on one or reads it.

The two kinds differ in their rules and in what is shown of them; how a command is decided, answered
and rehearsed is one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fastapi import Response
from msgspec import Struct, structs
from shared_casework.casework import Before, Casework, History, Kind
from shared_casework.order_facts import OrderFacts
from shared_casework.order_locks import lock_orders
from shared_casework.parties import Account, side_for
from shared_casework.party_orgs import PartyOrg, org_of, write_orgs
from shared_events.dispute import (
    AdjudicationStarted,
    DisputeSettled,
    EvidenceDisclosed,
    RemedyOrdered,
)
from shared_runtime.commands import CommandRequest
from shared_runtime.decider import Actor, Decider, NotFound
from shared_runtime.keys import KeyStore
from shared_runtime.log import (
    AlsoWrite,
    AnyUnderLock,
    Decisions,
    Log,
    Planned,
    UnderLock,
    database_of,
    read_stream,
)
from shared_runtime.media import MediaFile, MediaStore
from shared_runtime.rule import By, Sent

from dispute_service import roster
from dispute_service.domain.adjudication import AssignAdjudicator
from dispute_service.domain.blind_offers import MakeBlindOffer
from dispute_service.domain.dispute_state import SIDES
from dispute_service.domain.inquiring import OpenInquiry
from dispute_service.domain.inquiry_rules import INQUIRIES
from dispute_service.domain.known import Sender
from dispute_service.domain.opening import OpenDispute
from dispute_service.domain.policy import Policies
from dispute_service.domain.readers import inquiry_read_by, masked, read_by
from dispute_service.domain.rules import DISPUTES
from dispute_service.domain.streams import dispute_stream, inquiry_stream
from dispute_service.domain.submission import SubmitEvidence, SubmitRebuttal
from dispute_service.facts import NOTHING, FactsOf, read_facts
from dispute_service.matters import write_matters
from dispute_service.views import dispute_view, inquiry_view


@dataclass(frozen=True, slots=True, kw_only=True)
class MatterKind(Kind):
    stream: Callable[[str], str]


DISPUTE = MatterKind(
    decider=DISPUTES,
    stream=dispute_stream,
    read_by=read_by,
    view=dispute_view,
)
INQUIRY = MatterKind(
    decider=INQUIRIES,
    stream=inquiry_stream,
    read_by=inquiry_read_by,
    view=inquiry_view,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """One of these in its order: what has happened to it, and to whom it belongs."""

    kind: MatterKind
    matter_id: str
    of_order: FactsOf
    history: History = ()

    @property
    def stream(self) -> str:
        return self.kind.stream(self.matter_id)

    @property
    def order(self) -> OrderFacts:
        assert self.of_order.order is not None
        return self.of_order.order

    @property
    def correlation(self) -> str:
        return self.order_id

    @property
    def order_id(self) -> str:
        return self.order.order_id

    @property
    def parties(self) -> frozenset[Account]:
        return self.order.parties

    @property
    def events(self) -> list[Any]:
        return [recorded.event for recorded in self.history]


type BeforeMatter = Before[Matter]


@dataclass(frozen=True, slots=True)
class Beside:
    """Who has done what is recorded, with which files."""

    before: BeforeMatter
    files: Sequence[MediaFile]

    @property
    def org(self) -> PartyOrg | None:
        return org_of(self.before.actor, self.before.matter.order_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matters(Casework):
    """All that the routes about disputes and inquiries need."""

    policies: Policies
    keys: KeyStore
    media: MediaStore

    async def find(self, kind: MatterKind, matter_id: str) -> Matter:
        """Raises `NotFound`."""
        history = await read_stream(self.log, kind.stream(matter_id))
        if not history:
            raise NotFound
        order_id: str = history[0].event.order_id
        facts = await read_facts([order_id], self.pool)
        if (of_order := facts.get(order_id)) is None:
            raise NotFound
        return Matter(kind=kind, matter_id=matter_id, of_order=of_order, history=history)

    async def to_begin(self, kind: MatterKind, order_id: str) -> Matter:
        """One that is not there yet. Raises `NotFound` where its order is not known."""
        facts = await read_facts([order_id], self.pool)
        if (of_order := facts.get(order_id)) is None:
            raise NotFound
        return Matter(kind=kind, matter_id="", of_order=of_order)

    def by(self, actor: Actor, matter: Matter, now: datetime) -> Sender:
        side = side_for(actor, matter.parties)
        known = matter.of_order.known(now, self.policies, side)
        return By(actor=actor, now=now, known=known)

    async def shown_to(self, actor: Actor, matter: Matter) -> Response:
        return await self.show(matter, self.by(actor, matter, self.now()))

    async def run(
        self,
        request: CommandRequest,
        before: BeforeMatter,
        said: Struct,
        files: Sequence[MediaFile],
    ) -> Response:
        matter = before.matter
        return await self.decide(
            request,
            before,
            said,
            decider=rehearsal(matter.kind, said) if request.validate_only else None,
            under_lock=self.under_lock(said, matter),
            also_write=AlsoWrite(write=self.write_beside, about=Beside(before, files)),
        )

    async def as_on_roster(self, said: AssignAdjudicator) -> AssignAdjudicator:
        """Who is known here is of the level, organisation and seller of his own token, whatever
        is said of him.
        """
        if (who := await roster.known(said.adjudicator_id, self.pool)) is None:
            return said
        return structs.replace(said, level=who.level, org_id=who.org_id, seller_id=who.seller_id)

    def under_lock(self, said: Struct, matter: Matter) -> AnyUnderLock[Any] | None:
        """What is opened on an order is decided on what there is of it by then."""
        if not isinstance(said, OpenDispute | OpenInquiry):
            return None
        return UnderLock(lock=lock_orders, key=matter.order_id, read=self.read_again, about=matter)

    async def read_again(
        self, decisions: Decisions, told: Sequence[tuple[Matter, Sent[Any, Any]]]
    ) -> list[Sent[Any, Any]]:
        """What all there is of their orders tells by now."""
        db = database_of(decisions.log)
        assert db is not None
        facts = await read_facts([matter.order_id for matter, _ in told], db)
        asked: list[Sent[Any, Any]] = []
        for matter, sent in told:
            of_order = facts.get(matter.order_id, NOTHING)
            known = of_order.known(sent.now, self.policies, side_for(sent.actor, matter.parties))
            asked.append(Sent(sent.said, structs.replace(sent.by, known=known)))
        return asked

    async def write_beside(
        self, log: Log, told: Sequence[tuple[Beside, Sequence[Planned]]]
    ) -> None:
        """Has others find what is opened and what ends, who has acted for a party, and files stay,
        from the moment on that an event tells of them.
        """
        db = database_of(log)
        assert db is not None
        await write_matters([each for _, planned in told for each in planned], db)
        await write_orgs((org for about, _ in told if (org := about.org)), db)
        if files := [file.media_id for about, _ in told for file in about.files]:
            await self.media.refer(files, db)


TOLD_BY_THE_OTHER: Mapping[type[Struct], Collection[type[Struct]]] = {
    MakeBlindOffer: (DisputeSettled, RemedyOrdered),
    SubmitEvidence: (EvidenceDisclosed,),
    SubmitRebuttal: (AdjudicationStarted,),
}
"""What follows of a command, if the other party has done what nobody else is to know of: to send it
tells that, and a rehearsal would tell it for nothing."""


def rehearsal(kind: Kind, said: Struct) -> Decider[Any, Any, Any]:
    """Decides without telling a party what the other one has done, and as it would read it."""
    hidden = tuple(TOLD_BY_THE_OTHER.get(type(said), ()))

    def decide(state: object, sent: Sent[Any, Any]) -> list[Any]:
        events = kind.decider.decide(state, sent)
        told = [event for event in events if not isinstance(event, hidden)]
        side = sent.actor.acts_as
        return [masked(event, side) for event in told] if side in SIDES else told

    return replace(kind.decider, decide=decide)
