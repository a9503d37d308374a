"""The three books in, one application out: each with its API, all told what to do by one other."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from local_stack.sandboxes.answers import Answer, answered, refused
from local_stack.sandboxes.book import Book
from local_stack.sandboxes.carrier import Carrier, Loss, Parcel, Scan
from local_stack.sandboxes.faults import CallFault, Control, Keys, Plan, Rates
from local_stack.sandboxes.payments import Payments, Refund
from local_stack.sandboxes.stock import Article, Stock
from local_stack.sandboxes.telling import Telling

TICK_SECONDS = 0.05
"""While something is to happen later, by a clock that somebody may move."""
SILENT_SECONDS_MAX = 60.0  # whoever waits longer for an answer gets none either
UNREADABLE = b"<html>502"
UNDONE: tuple[CallFault, ...] = ("TIME_OUT_BEFORE", "ERROR_BEFORE")
SILENT: tuple[CallFault, ...] = ("TIME_OUT_BEFORE", "TIME_OUT_AFTER")

type AnyBook = Book[Any, Any]
type Door = Callable[[Request], Awaitable[Response]]


class Sandboxes:
    """What the process has in hand. `doors`: where returns-service takes webhooks."""

    def __init__(self, telling: Telling, *, doors: str, key: str) -> None:
        def of_refund(kind: str, refund: Refund, plan: Plan) -> None:
            telling.tell(f"{doors}/payments", kind, refund, plan)

        def of_parcel(kind: str, parcel: Parcel, plan: Plan) -> None:
            telling.tell(f"{doors}/carrier", kind, parcel, plan)

        self.telling = telling
        self.key = key
        self.payments = Payments(Control(), telling.now, of_refund, telling.happened.set)
        self.carrier = Carrier(Control(), telling.now, of_parcel)
        self.stock = Stock(Control(), telling.now)
        self.books: dict[str, AnyBook] = {
            "payments": self.payments,
            "carrier": self.carrier,
            "stock": self.stock,
        }


def sandbox_app(sandboxes: Sandboxes) -> Starlette:
    """All of it. While it runs, what is due by the stack's clock happens and is told."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with httpx.AsyncClient() as client:
            ticking = asyncio.create_task(_tick(sandboxes, client))
            yield
            ticking.cancel()

    books = (Mount(f"/{name}", routes=_routes(sandboxes, name)) for name in sandboxes.books)
    control = Mount("/control", routes=_control(sandboxes))
    return Starlette(routes=[Route("/readyz", _ready), *books, control], lifespan=lifespan)


async def _ready(_: Request) -> Response:
    return _sent(answered({"status": "ready"}))


async def _tick(sandboxes: Sandboxes, client: httpx.AsyncClient) -> None:
    while True:
        sandboxes.payments.settle()
        sandboxes.telling.send_due(client)
        waits = bool(sandboxes.telling.waiting or sandboxes.payments.due)
        with suppress(TimeoutError):
            async with asyncio.timeout(TICK_SECONDS if waits else None):
                await sandboxes.telling.happened.wait()
        sandboxes.telling.happened.clear()


# --- What every book answers


def _routes(sandboxes: Sandboxes, name: str) -> list[BaseRoute]:
    """Make one, look for those of a reference, look at one, take one back."""
    book = sandboxes.books[name]

    def behaving(subjects: tuple[str, ...], do: Callable[[], Answer]) -> Behaving:
        return Behaving(sandboxes.key, book.control, subjects, do)

    async def create(request: Request) -> Response:
        body = await request.body()
        wanted = book.wanted(body)
        key = request.headers.get("idempotency-key", "")
        subjects = wanted.subjects if wanted else ()
        return await behaving(subjects, lambda: book.create(body, key)).to(request)

    async def find(request: Request) -> Response:
        query = dict(request.query_params)
        return await behaving(book.sought(query), lambda: book.find(query)).to(request)

    async def get(request: Request) -> Response:
        wanted = request.path_params["id"]
        return await behaving(subjects_of(wanted), lambda: book.get(wanted)).to(request)

    async def take_back(request: Request) -> Response:
        wanted = request.path_params["id"]
        body = await request.body()
        taken = behaving(subjects_of(wanted), lambda: book.take_back(wanted, body))
        return await taken.to(request)

    def subjects_of(thing_id: str) -> tuple[str, ...]:
        thing = book.things.get(thing_id)
        return thing.subjects if thing else ()

    path = f"/v1/{book.plural}"
    return [
        Route(path, create, methods=["POST"]),
        Route(path, find),
        Route(f"{path}/{{id}}", get),
        Route(f"{path}/{{id}}/{book.ending}", take_back, methods=["POST"]),
    ]


class Behaving:
    """One call of whoever has the key, and the fault that it meets."""

    def __init__(
        self, key: str, control: Control, subjects: tuple[str, ...], do: Callable[[], Answer]
    ) -> None:
        self._key = key
        self._control = control
        self._subjects = subjects
        self._do = do

    async def to(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {self._key}":
            return _sent(refused(401, "UNAUTHENTICATED"))
        fault = self._control.meets(*self._subjects) if self._subjects else "NONE"
        answer = refused(500, "INTERNAL") if fault in UNDONE else self._do()
        if fault in SILENT:
            return await _silence(request)
        return _sent(spoilt(answer, fault))


def spoilt(answer: Answer, fault: CallFault) -> Answer:
    """What is heard of an answer."""
    match fault:
        case "ERROR_AFTER":
            return refused(500, "INTERNAL")
        case "UNREADABLE":
            return Answer(status=answer.status, body=UNREADABLE)
        case "IN_PROGRESS":
            return refused(409, "IN_PROGRESS", final=False)
        case _:
            return answer


async def _silence(request: Request) -> Response:
    """Nothing, until whoever asked has gone."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    with suppress(TimeoutError):
        await asyncio.wait_for(gone(), SILENT_SECONDS_MAX)
    return Response(status_code=504)


def _sent(answer: Answer) -> Response:
    return Response(answer.body, answer.status, media_type="application/json")


# --- What they are told to do


def _control(sandboxes: Sandboxes) -> list[BaseRoute]:
    """For whoever tries things out; it asks for no key."""

    def article(request: Request, said: Article) -> bool:
        sandboxes.stock.articles[request.path_params["sku"]] = said
        return True

    async def clock(_: Request) -> Response:
        return _sent(answered({"now": sandboxes.telling.now()}))

    async def tell_again(request: Request) -> Response:
        return _done(sandboxes.payments.tell_again(request.path_params["id"]))

    scan = _told(Scan, lambda _, said: sandboxes.carrier.scan(said))
    loss = _told(Loss, lambda _, said: sandboxes.carrier.lose(said))
    return [
        Route("/clock", clock),
        Route("/payments/webhooks/{id}", tell_again, methods=["POST"]),
        Route("/carrier/scans", scan, methods=["POST"]),
        Route("/carrier/losses", loss, methods=["POST"]),
        Route("/stock/articles/{sku}", _told(Article, article), methods=["PUT"]),
        *(Mount(f"/{name}", routes=_control_of(book)) for name, book in sandboxes.books.items()),
    ]


def _control_of(book: AnyBook) -> list[BaseRoute]:
    """What every one can be told, and its own book."""
    control = book.control

    def rates(_: Request, said: Rates) -> bool:
        control.rates = said
        return True

    def keys(_: Request, said: Keys) -> bool:
        control.keys = said
        return True

    def plan(request: Request, said: Plan) -> bool:
        control.plan(request.path_params["subject"], said)
        return True

    async def behave(_: Request) -> Response:
        control.behave()
        return _done(known=True)

    async def show(_: Request) -> Response:
        book.settle()
        return _sent(answered([*book.things.values()]))

    async def met(_: Request) -> Response:
        return _sent(answered(dict(control.met)))

    return [
        Route("/book", show),
        Route("/met", met),
        Route("/rates", _told(Rates, rates), methods=["PUT"]),
        Route("/keys", _told(Keys, keys), methods=["PUT"]),
        Route("/plans/{subject}", _told(Plan, plan), methods=["PUT"]),
        Route("/plans", behave, methods=["DELETE"]),
    ]


def _told[T: Struct](kind: type[T], learn: Callable[[Request, T], bool]) -> Door:
    async def door(request: Request) -> Response:
        try:
            said = msgspec.json.decode(await request.body(), type=kind)
        except msgspec.DecodeError as wrong:
            return _sent(refused(422, str(wrong)))
        return _done(learn(request, said))

    return door


def _done(known: bool) -> Response:
    return Response(status_code=204) if known else _sent(refused(404, "NOT_FOUND"))
