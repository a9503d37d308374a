"""A request about a review in, a decided command out: what all such routes have in common.

A party writes about his order; anybody with an account flags what everybody may read; staff
decide. What a person writes is sealed with his key before any of it goes on.
"""

from collections.abc import Callable, Sequence
from copy import replace
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypedDict

import asyncpg
from fastapi import Response
from shared_events.envelope import Recorded
from shared_events.review import EvaluationEvent, Side
from shared_events.sealed import parts_of
from shared_runtime.auth import Caller
from shared_runtime.clock import Clock
from shared_runtime.commands import Asked, Commands
from shared_runtime.decider import Actor, FieldError, InvalidValue, Role, SubjectErased
from shared_runtime.keys import KeyStore, new_key
from shared_runtime.log import Learn, Log, Note, Planned, read_stream
from shared_runtime.media import MediaFile, MediaStore
from shared_runtime.problems import NotFound, encode_json
from shared_runtime.reading import Cursors, answer, etag_of
from shared_runtime.sealing import Opener, PersonKey, person, person_of

from review_service.api.blindness import blind
from review_service.api.callers import PARTIES, existing, party, stated
from review_service.api.review_bodies import PersonBody
from review_service.domain.commands import EvaluationCommand, FlagReview, OrderFacts
from review_service.domain.flags import sender_of
from review_service.domain.order import Order, Placed, orders
from review_service.domain.policy import Policies
from review_service.domain.roles import ROLES
from review_service.domain.streams import evaluation_stream, order_stream
from review_service.evaluation_views import (
    Limits,
    Seen,
    acting_side,
    evaluation_view,
    lodged_as,
    seen_evaluations,
)
from review_service.fact_rows import flagger, write_flags
from review_service.facts import (
    ONE_FLAGGER,
    Book,
    Parties,
    database_of,
    flagged_lately,
    read_book,
)

NEAREST = """
    (SELECT order_id, side, ref FROM facts.review WHERE ref >= $1 ORDER BY ref LIMIT 1)
    UNION ALL
    (SELECT order_id, side, ref FROM facts.review ORDER BY ref LIMIT 1)
    LIMIT 1
"""
"""Where a review is, or else another one."""


class AskedBy(TypedDict):
    now: datetime
    actor: Actor


class AskedByPerson(AskedBy):
    erased: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Who writes about which order, when, and with which key."""

    order: Placed
    actor: Actor
    now: datetime
    book: Book
    limits: Limits
    key: PersonKey
    files: Sequence[MediaFile] = ()

    @property
    def facts(self) -> OrderFacts:
        """What the weights of the order's reviews follow from."""
        return self.book.facts(self.order, self.now)

    @property
    def by(self) -> AskedBy:
        """What every command says of who asks, and when."""
        return AskedBy(now=self.now, actor=self.actor)

    @property
    def by_person(self) -> AskedByPerson:
        """The same, of a person. His erasure is known from the key store or by the facts: whichever
        has been told of it first refuses him.
        """
        return AskedByPerson(**self.by, erased=self.limits.erased)

    def sealed(self, text: str | None) -> str | None:
        """A text on its way into an event, which alone it can be opened from."""
        return self.key.unsealed(text) if text is not None else None

    @property
    def media(self) -> tuple[str, ...]:
        return tuple(self.key.unsealed(file.media_id) for file in self.files)

    @property
    def media_sha256(self) -> tuple[str, ...]:
        return tuple(file.sha256 for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Somebody who acts on a review that he may see, his own or anybody's.

    `is_stranger`: to whom the order is not there, though the review is.
    """

    writing: Writing
    seen: Seen
    side: Side
    ref: str
    review_id: str
    is_stranger: bool

    @property
    def party_orgs(self) -> frozenset[str]:
        """The organisations that may not decide on it."""
        return self.writing.limits.party_orgs

    @property
    def order_id(self) -> str:
        return self.writing.order.placed.order_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """All that the routes about reviews need."""

    log: Log
    pool: asyncpg.Pool
    commands: Commands
    policies: Policies
    cursors: Cursors
    now: Clock
    keys: KeyStore
    opener: Opener
    media: MediaStore

    async def order(self, order_id: str) -> Order:
        """The order as its stream tells; not placed if there is none."""
        history = await read_stream(self.log, order_stream(order_id))
        return orders(self.policies).fold(recorded.event for recorded in history)

    async def read(self, order_id: str) -> tuple[Order, Seen, list[Recorded[EvaluationEvent]]]:
        """The order, its evaluation, and what has happened to that."""
        names = order_stream(order_id), evaluation_stream(order_id)
        of_order, of_evaluation = map((await self.log.read(names)).get, names, ([], []))
        return (
            orders(self.policies).fold(recorded.event for recorded in of_order),
            seen_evaluations(self.policies).fold(recorded.event for recorded in of_evaluation),
            of_evaluation,
        )

    async def party_writes(
        self,
        order_id: str,
        caller: Caller,
        body: PersonBody,
        media: Sequence[str] = (),
    ) -> Writing:
        """A party of the order, or an importer on his behalf. To others the order is not there."""
        order = existing(await self.order(order_id))
        actor = author(caller, order, body)
        told_at = stated(body.at, self.now(), may_state=actor.role == "IMPORTER")
        who = account(actor, order)
        key = await self.keys.key_of(who)
        files = await self.media.clean(who, media, "REVIEW") if media else []
        book = await self.book(order)
        return Writing(
            order=order,
            actor=actor,
            now=told_at,
            book=book,
            limits=await self.limits(actor, order, book, told_at),
            key=key,
            files=files,
        )

    async def about(self, ref: str, caller: Caller, *roles: Role) -> About:
        """Somebody acts on a review: a party of its order as that party, staff, or anybody.

        Before the reveal it is there for its author, and for those who look for fraud.
        """
        known, seen, side = await self.find(ref)
        side_of_order = party(caller, known)
        actor = side_of_order or caller.actor(*roles)
        if not seen.is_there_for(actor, side):
            raise NotFound
        now, book = self.now(), await self.book(known)
        writing = Writing(
            order=known,
            actor=actor,
            now=now,
            book=book,
            limits=await self.limits(actor, known, book, now),
            key=await self.keys.key_of(person_of(actor)),
        )
        return About(
            writing=writing,
            seen=seen,
            side=side,
            ref=ref,
            review_id=seen.told[side].submitted.review_id,
            is_stranger=side_of_order is None and actor.role in PARTIES,
        )

    async def looked_at(self, ref: str, caller: Caller, *roles: Role) -> tuple[Seen, Side, Actor]:
        """A review that somebody has flagged or appealed about, to see what came of it."""
        known, seen, side = await self.find(ref)
        actor = party(caller, known) or caller.actor(*roles)
        if side not in seen.told:
            raise NotFound
        return seen, side, actor

    async def find(self, ref: str) -> tuple[Placed, Seen, Side]:
        """The order, the evaluation and the side of a review. Raises `NotFound`.

        Where there is none, another one is read: that it takes as long as with one that may not be
        known of tells nobody that there is one.
        """
        row = await self.pool.fetchrow(NEAREST, ref)
        if row is None:
            raise NotFound
        order, seen, _ = await self.read(row["order_id"])
        if row["ref"] != ref:
            raise NotFound
        return existing(order), seen, row["side"]

    async def key_of_recipient(
        self, about: About, appeal_id: str, outcome: Literal["UPHELD", "REVERSED"]
    ) -> PersonKey:
        """The key of whoever is told why: the appellant, or the author if a flagger was right."""
        told = about.seen.told[about.side]
        appeal = lodged_as(appeal_id, told)
        if appeal is None:
            raise NotFound
        if (appeal.against, outcome) == ("KEPT", "REVERSED"):
            return await self.key_for(about.side, about.writing.order)
        key_id = parts_of(appeal.text).key_id
        known = await self.keys.keys([key_id])
        return known.get(key_id) or new_key(appeal.appellant_id)

    async def book(self, order: Placed) -> Book:
        """What other streams tell of an order and of its parties."""
        parties = {order.placed.order_id: Parties.of(order.placed)}
        return await read_book(parties, self.now(), self.pool)

    async def limits(self, actor: Actor, order: Placed, book: Book, now: datetime) -> Limits:
        """What keeps somebody from acting, beyond the evaluation itself."""
        placed, side = order.placed, acting_side(actor)
        known = book.of(placed.order_id)
        flags = actor.acts_as in ROLES[FlagReview]
        return Limits(
            rating_right_lost=known.measure_on(side, now) if side else None,
            erased=side in known.erased,
            flagged_today_at=(
                await flagged_lately(flagger(*sender_of(actor)), now, self.pool) if flags else ()
            ),
            party_orgs=frozenset({placed.seller_id, placed.buyer_id}),
        )

    async def shown_to(self, actor: Actor, order: Placed, seen: Seen) -> Response:
        """An evaluation for somebody who reads it, with what he can do about it now."""
        now, side = self.now(), acting_side(actor)
        limits = await self.limits(actor, order, await self.book(order), now)
        if side and await self.keys.is_erased(account_of(side, order)):
            limits = replace(limits, erased=True)
        order_id = order.placed.order_id
        view = evaluation_view(order_id, seen, actor, now, self.policies, limits=limits)
        return await self.answer(view, version=seen.version_for(actor))

    async def key_for(self, side: Side, order: Placed) -> PersonKey:
        """The key of the side that a statement goes to. Nobody can open what an erased one gets."""
        try:
            return await self.keys.key_of(account_of(side, order))
        except SubjectErased:
            return new_key(account_of(side, order))

    async def run(
        self,
        asked: Asked,
        writing: Writing,
        command: EvaluationCommand,
        *,
        review_id: str | None = None,
        own: bool = False,
        stranger_to: str | None = None,
        view: Callable[[Seen], object] | None = None,
        states_time: bool = False,
        learn: Learn[EvaluationCommand] | None = None,
        note: Note | None = None,
    ) -> Response:
        """Decides a command and answers with the evaluation as its sender may see it then.

        `review_id` is that of the review it is about; `own`: of the sender's own one.
        """
        order_id = writing.order.placed.order_id
        actor = writing.actor
        decider = blind(
            seen_evaluations(self.policies),
            actor,
            asked,
            review_id=review_id,
            own=own,
            stranger_to=stranger_to,
        )

        def evaluation(seen: Seen) -> object:
            now = self.now()
            return evaluation_view(order_id, seen, actor, now, self.policies, limits=writing.limits)

        response = await self.commands.run(
            # Which version was seen is compared by the decider: it knows what could be seen.
            replace(asked, expected=None),
            decider,
            command,
            stream=evaluation_stream(order_id),
            correlation=order_id,
            view=lambda outcome: (view or evaluation)(outcome.state),
            status=201,
            states_time=states_time,
            version_of=lambda events: decider.fold(events).version_for(actor),
            learn=learn,
            note=referring(self.media, writing.files) if writing.files else note,
        )
        if "Idempotent-Replayed" in response.headers:
            # Kept is what could be seen then: meanwhile it may have been restricted or withdrawn.
            _, seen, _ = await self.read(order_id)
            shown = (view or evaluation)(seen)
            response = reanswered(response, shown, seen.version_for(actor))
        return await self.opener.response(response)

    async def run_about(
        self,
        asked: Asked,
        about: About,
        command: EvaluationCommand,
        view: Callable[[Seen], object] | None = None,
        *,
        learn: Learn[EvaluationCommand] | None = None,
        note: Note | None = None,
    ) -> Response:
        return await self.run(
            asked,
            about.writing,
            command,
            review_id=about.review_id,
            stranger_to=about.ref if about.is_stranger else None,
            view=view,
            learn=learn,
            note=note,
        )

    async def answer(self, view: object, *, version: int | None = None) -> Response:
        """A view with the texts in it opened."""
        return await self.opener.response(answer(view, version=version))


def referring(media: MediaStore, files: Sequence[MediaFile]) -> Note:
    """Has the files stay from the moment on that an event refers to them."""

    async def refer(log: Log, _: Sequence[Planned]) -> None:
        await media.refer((file.media_id for file in files), database_of(log))

    return refer


def counting(flag: FlagReview) -> Learn[EvaluationCommand]:
    """Tells a flag of its sender's others; his next one is decided when this one is recorded."""
    who = flagger(*sender_of(flag.actor))

    async def count(log: Log, _: EvaluationCommand) -> EvaluationCommand:
        db = database_of(log)
        assert db is not None
        await db.execute(ONE_FLAGGER, who)
        return replace(flag, flagged_today_at=await flagged_lately(who, flag.now, db))

    return count


async def note_flag(log: Log, planned: Sequence[Planned]) -> None:
    """Has it counted from the moment on that it is recorded."""
    await write_flags(planned, database_of(log))


def reanswered(kept: Response, view: object, version: int) -> Response:
    """The same answer as before, with what there is to be seen now, and its version."""
    headers = {name: value for name, value in kept.headers.items() if name != "content-length"}
    return Response(encode_json(view), kept.status_code, headers | {"etag": etag_of(version)})


def author(caller: Caller, order: Placed, body: PersonBody) -> Actor:
    """The side of the order that the caller writes for."""
    if body.on_behalf_of is not None:
        if "IMPORTER" not in caller.roles:
            raise _invalid("on_behalf_of", "an importer says it")
        return caller.actor("IMPORTER", on_behalf_of=body.on_behalf_of)
    if actor := party(caller, order):
        return actor
    if "IMPORTER" in caller.roles:
        raise _invalid("on_behalf_of", "required of an importer")
    raise NotFound


def account(actor: Actor, order: Placed) -> str:
    """The person whose key seals what this party writes."""
    return account_of("BUYER" if actor.acts_as == "BUYER" else "SELLER", order)


def account_of(side: Side, order: Placed) -> str:
    if side == "BUYER":
        return person("buyer", order.placed.buyer_id)
    return person("seller", order.placed.seller_id)


def _invalid(field: str, bound: str) -> InvalidValue:
    return InvalidValue(errors=[FieldError(field=field, bound=bound)])
