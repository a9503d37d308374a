"""Accounts and cases in their streams, and somebody who acts on one or reads it.

The two kinds differ in their rules and in what is shown of them; how a command is decided and
answered is one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fastapi import Response
from msgspec import Struct, structs
from shared_casework.casework import Before, Casework, History, Kind
from shared_casework.parties import PARTIES, Account
from shared_events.fields import Party
from shared_runtime.commands import CommandRequest
from shared_runtime.decider import Actor, NotFound
from shared_runtime.keys import KeyStore
from shared_runtime.log import (
    AlsoWrite,
    AnyUnderLock,
    Database,
    Decisions,
    Log,
    Planned,
    UnderLock,
    database_of,
    read_stream,
)
from shared_runtime.media import MediaFile, MediaStore
from shared_runtime.rule import By, Sent

from reputation_service.domain.account_rules import ACCOUNTS
from reputation_service.domain.case_opening import OpenCase
from reputation_service.domain.case_rules import CASES
from reputation_service.domain.erasing import RequestErasure
from reputation_service.domain.known import ClaimFacts, Known, Sender
from reputation_service.domain.points_policy import Policies
from reputation_service.domain.points_readers import account_read_by, case_read_by
from reputation_service.domain.streams import account_stream, case_stream
from reputation_service.domain.suspension import SuspendAccount
from reputation_service.facts import FactsOf, read_claims, read_facts, span_at
from reputation_service.matters import STANDING, holder, lock_people, write_matters, write_orgs
from reputation_service.points_views import case_view, standing_view

CASE = Kind(decider=CASES, read_by=case_read_by, view=case_view)
ACCOUNT = Kind(decider=ACCOUNTS, read_by=account_read_by, view=standing_view)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """An account, or a case against its holder: what has happened, and what is known of him."""

    kind: Kind
    stream: str
    side: Party
    holder_id: str
    of_person: FactsOf
    history: History = ()

    @property
    def person(self) -> str:
        """Whose key seals what he writes, and what he is told."""
        return holder(self.side, self.holder_id)

    @property
    def correlation(self) -> str:
        return self.holder_id

    @property
    def parties(self) -> frozenset[Account]:
        return frozenset({Account(self.side, self.holder_id)})

    @property
    def events(self) -> list[Any]:
        return [recorded.event for recorded in self.history]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Somebody before a matter, and when."""

    matter: Matter
    actor: Actor
    now: datetime


@dataclass(frozen=True, slots=True)
class Beside:
    """Who has done what is recorded, with which files."""

    arrived: Arrived
    files: Sequence[MediaFile]

    @property
    def org(self) -> tuple[str, str] | None:
        """The person for whom an organisation has acted, and that one."""
        actor = self.arrived.actor
        if actor.role not in PARTIES or not actor.org_id:
            return None
        return self.arrived.matter.person, actor.org_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Matters(Casework):
    """All that the routes about accounts and cases need."""

    policies: Policies
    keys: KeyStore
    media: MediaStore

    async def case(self, case_id: str) -> Matter:
        """Raises `NotFound`."""
        stream = case_stream(case_id)
        history = await read_stream(self.log, stream)
        if not history:
            raise NotFound
        opened = history[0].event
        side: Party = opened.account_kind
        holder_id = opened.buyer_id if side == "BUYER" else opened.seller_id
        return await self._matter(CASE, stream, side, holder_id, history)

    async def account(self, side: Party, holder_id: str) -> Matter:
        """Raises `NotFound`."""
        stream = account_stream(side, holder_id)
        history = await read_stream(self.log, stream)
        matter = await self._matter(ACCOUNT, stream, side, holder_id, history)
        if matter.of_person.account is None:  # his score may have been evaluated before
            raise NotFound
        return matter

    async def suspicion(self, side: Party, holder_id: str) -> Matter:
        """A case that is not there yet. Raises `NotFound` where nobody has such an account."""
        matter = await self._matter(CASE, "", side, holder_id, ())
        if matter.of_person.account is None:
            raise NotFound
        return matter

    async def _matter(
        self, kind: Kind, stream: str, side: Party, holder_id: str, history: History
    ) -> Matter:
        who = holder(side, holder_id)
        return Matter(
            kind=kind,
            stream=stream,
            side=side,
            holder_id=holder_id,
            of_person=(await read_facts([who], self.pool))[who],
            history=history,
        )

    async def known(
        self, of_person: FactsOf, said: Struct | None, now: datetime, db: Database
    ) -> Known:
        """What a decision needs to know; without `said`, to offer what somebody can do."""
        claims: ClaimFacts | None = None
        if isinstance(said, OpenCase) and said.rule == "FALSE_CLAIMS":
            span = span_at(said.account_id, now, self.policies)
            claims = (await read_claims([span], db))[span]
        case_id = said.case_id if isinstance(said, SuspendAccount) else None
        if said is None:
            case_id = next(
                (
                    each.case_id
                    for each in of_person.cases
                    if each.safety and each.status in STANDING
                ),
                None,
            )
        return of_person.known(self.policies, now, said=said, case_id=case_id, claims=claims)

    async def shown_to(
        self,
        actor: Actor,
        matter: Matter,
        view: Callable[[Any, Sender], object] | None = None,
    ) -> Response:
        if view:
            matter = replace(matter, kind=replace(matter.kind, view=view))
        known = await self.known(matter.of_person, None, self.now(), self.pool)
        return await self.show(matter, By(actor=actor, now=self.now(), known=known))

    async def run(
        self, request: CommandRequest, arrived: Arrived, said: Struct, files: Sequence[MediaFile]
    ) -> Response:
        matter, actor, now = arrived.matter, arrived.actor, arrived.now
        known = await self.known(matter.of_person, said, now, self.pool)
        offered = await self.known(matter.of_person, None, now, self.pool)
        return await self.decide(
            request,
            Before(matter=matter, by=By(actor=actor, now=now, known=known)),
            said,
            offered=By(actor=actor, now=now, known=offered),
            under_lock=self.under_lock(said, matter),
            also_write=AlsoWrite(write=self.write_beside, about=Beside(arrived, files)),
        )

    def under_lock(self, said: Struct, matter: Matter) -> AnyUnderLock[Any] | None:
        """What depends on more than the stream is decided on what there is by then."""
        if not isinstance(said, OpenCase | SuspendAccount | RequestErasure):
            return None
        return UnderLock(lock=lock_people, key=matter.person, read=self.read_again, about=matter)

    async def read_again(
        self, decisions: Decisions, told: Sequence[tuple[Matter, Sent[Any, Any]]]
    ) -> list[Sent[Any, Any]]:
        """What all there is of these people tells by now."""
        db = database_of(decisions.log)
        assert db is not None
        facts = await read_facts([matter.person for matter, _ in told], db)
        asked: list[Sent[Any, Any]] = []
        for matter, sent in told:
            known = await self.known(facts[matter.person], sent.said, sent.now, db)
            asked.append(Sent(sent.said, structs.replace(sent.by, known=known)))
        return asked

    async def write_beside(
        self, log: Log, told: Sequence[tuple[Beside, Sequence[Planned]]]
    ) -> None:
        """Has others find what is opened and decided, who has acted for a party, and files stay,
        from the moment on that an event tells of them.
        """
        db = database_of(log)
        assert db is not None
        await write_matters([each for _, planned in told for each in planned], db)
        await write_orgs((org for about, _ in told if (org := about.org)), db)
        if files := [file.media_id for about, _ in told for file in about.files]:
            await self.media.refer(files, db)
