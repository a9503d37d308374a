"""A plan carried out by its clients, and what each of them was answered.

Whoever is not answered sends the same again, with the key that it had. What cannot be done yet,
since another service has not heard of the order, is asked for again when all runs.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import Any
from uuid import UUID

import httpx
import msgspec
from msgspec import Struct
from shared_runtime.idempotency import command_id

from local_stack.campaign.asked import ASKED, Asked
from local_stack.campaign.faults import Faults
from local_stack.campaign.plan import (
    STEPS,
    Act,
    Ask,
    Break,
    Complete,
    Import,
    Place,
    Race,
    What,
    plan_of,
)
from local_stack.campaign.readers import until
from local_stack.oracle import order, reviewed
from local_stack.people import NO_TLS, now
from local_stack.services import Stack

ATTEMPTS_MAX = 200
PAUSE_SECONDS = 0.1
ANSWER_SECONDS = 3.0
CLIENTS = ("one", "another")
SENT_AGAIN = 4
PLACED_AT = "2026-01-05T12:30:00Z"


class Told(Struct, frozen=True, kw_only=True):
    """A command that was acknowledged: what it records, and where."""

    service: str
    event: str


class Request(Struct, frozen=True, kw_only=True):
    """`sub`: who sends it; with `key` it is the same request."""

    service: str
    role: str
    sub: str
    path: str
    body: Any
    key: str
    names: Callable[[Any], dict[str, str]] | None = None

    def kept(self, answer: httpx.Response) -> object:
        """What is the same in the answer to whoever sends it again: all; of a matter that is shown
        as it stands when he asks, its ids.
        """
        assert answer.status_code == httpx.codes.CREATED, f"{self}: {answer.text}"
        return answer.content if self.names is None else self.names(answer.json())

    @property
    def cause(self) -> UUID:
        """The id of the command."""
        return command_id(self.sub, self.key)


class History:
    """What the clients of one seed do, and what they are answered."""

    def __init__(self, stack: Stack, faults: Faults, seed: int, steps: int = STEPS) -> None:
        self.seed = seed
        self.plan = plan_of(seed, steps)
        self.placed: set[str] = set()
        """The orders that were acknowledged."""
        self.reviewed: set[str] = set()
        """Of those, the ones that came with a review."""
        self.paid: dict[str, str] = {}
        """By orders that two clients told of: whose word was taken."""
        self.told: dict[UUID, Told] = {}
        """The commands that were acknowledged, by their ids."""
        self.refused: set[UUID] = set()
        """Those that were refused for good: no copy of them is under way."""
        self.adrift: set[str] = set()
        """Orders about which a request may still come that was refused when it was sent again: an
        API that is frozen has it, and judges it by what it then finds."""
        self.done: set[tuple[str, What]] = set()
        self._stack = stack
        self._faults = faults
        self._web = httpx.Client(timeout=ANSWER_SECONDS, verify=NO_TLS)
        self._tokens: dict[tuple[str, str], str] = {}
        self._answers: dict[UUID, tuple[Request, object]] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._put_off: list[Ask] = []
        self._turns = count(seed)
        self._silent: dict[str, str] = {}
        self._unanswered: set[UUID] = set()

    def carry_out(self) -> None:
        """All steps, in turn."""
        for step in self.plan:
            match step:
                case Break():
                    self._faults.do(step)
                case Place():
                    self.place(step.order_id)
                case Import():
                    self._import(step)
                case Race():
                    self._race(step)
                case Complete():
                    self._complete(step)
                case Ask():
                    if not self._ask(step):
                        self._put_off.append(step)

    def settle(self) -> None:
        """What could not be done yet, and some of what was done once more."""
        for step in self._put_off:
            until(self._stack, partial(self._ask, step), f"{step} is answered")
        for request, before in [*self._answers.values()][-SENT_AGAIN:]:
            self._is_the_same(request, request.kept(self._answered(request)), before)

    def close(self) -> None:
        self._web.close()

    @property
    def acts(self) -> Iterator[Act]:
        return (step for step in self.plan if not isinstance(step, Break))

    # --- Orders

    def place(self, order_id: str) -> UUID:
        """Whoever sends it again is answered the same. The id of the command."""
        request = self._of_feed(order_id, "", order(order_id))
        self._take(request, "OrderPlaced.v1")
        self.placed.add(order_id)
        return request.cause

    def _import(self, step: Import) -> None:
        completed = now(self._stack) - timedelta(days=1)
        lines = [
            reviewed(order(each), completed, 5, "It holds what it promises.")
            if step.reviewed
            else {"order": order(each)}
            for each in step.order_ids
        ]
        told = self._upload(lines)["orders"]
        assert told["accepted"] + told["unchanged"] == len(step.order_ids), told
        self.placed.update(step.order_ids)
        self.reviewed.update(step.order_ids if step.reviewed else ())

    def _race(self, step: Race) -> None:
        """Both place it, and one of them is believed; whoever was, is again."""
        answered = zip(
            CLIENTS, self._at_once(partial(self._tell_of, step.order_id), CLIENTS), strict=True
        )
        believed = [client for client, is_believed in answered if is_believed]
        assert len(believed) == 1, f"{step}: {believed} are believed"
        before = self.paid.setdefault(step.order_id, believed[0])
        assert before == believed[0], f"{step}: {believed[0]} is believed after {before}"
        self.placed.add(step.order_id)

    def _tell_of(self, order_id: str, client: str) -> bool:
        """Whether what a client says of the payment of an order is taken."""
        placed = self._answered(self._of_feed(order_id, "", order(order_id), client))
        assert placed.is_success, placed.text
        said = {"at": PLACED_AT, "payment_ref": client}
        paid = self._answered(self._of_feed(order_id, "/payment", said, client))
        if paid.is_success:
            return True
        assert _problem(paid) == "already-submitted", paid.text
        return False

    def _complete(self, step: Complete) -> None:
        at = now(self._stack) - timedelta(minutes=1)
        placed = order(step.order_id) | {"seller_id": _seller_of(step.order_id)}
        if step.in_bulk:
            line = reviewed(placed, at, 5, "")
            del line["reviews"]
            told = self._upload([line])["orders"]
            assert told["accepted"] + told["unchanged"] == 1, told
        else:
            for path, said, event in _fulfilment(placed, at):
                self._take(self._of_feed(step.order_id, path, said), event)
        self.placed.add(step.order_id)

    def _of_feed(
        self, order_id: str, path: str, said: Mapping[str, object], client: str = "feed"
    ) -> Request:
        at = f"/v1/orders/{order_id}{path}" if path else "/v1/orders"
        key = f"{client}-of-{order_id}{path}"
        return Request(service="review", role="SYSTEM", sub="campaign", path=at, body=said, key=key)

    def _upload(self, lines: Sequence[object]) -> Any:  # noqa: ANN401 - JSON
        """What is said of it in the end."""
        headers = self._who("IMPORTER", "campaign") | {"Content-Type": "application/x-ndjson"}
        content = b"\n".join(map(msgspec.json.encode, lines))
        send = partial(self._web.post, content=content, headers=headers)
        answer = self._until_answered("review", "/v1/orders/bulk", send)
        assert answer.status_code == httpx.codes.OK, answer.text
        return msgspec.json.decode(answer.content.splitlines()[-1])["summary"]

    # --- What people ask for

    def _ask(self, step: Ask) -> bool:
        """Whether it was decided. Of rivals one is believed, and the others are not."""
        asked = ASKED[step.what]
        if asked.after is not None and (step.order_id, asked.after) not in self.done:
            return False
        clients = CLIENTS if step.rivals else CLIENTS[:1]
        requests = [self._request(step, asked, client) for client in clients]
        answers = self._at_once(self._answered, requests)
        if all(map(_is_too_early, answers)):
            return False
        believed = [
            (request, answer)
            for request, answer in zip(requests, answers, strict=True)
            if answer.status_code == HTTPStatus.CREATED
        ]
        said = [f"{answer.status_code} {answer.text[:300]}" for answer in answers]
        assert len(believed) == 1, f"{step}: {said}"
        assert not any(answer.is_server_error for answer in answers), f"{step}: {said}"
        ((request, answer),) = believed
        self._note(request, answer, asked.records)
        for refused in (each for each in requests if each != request):
            if refused.cause in self._unanswered:
                self.adrift.add(step.order_id)
            else:
                self.refused.add(refused.cause)
        self._names.setdefault(step.order_id, {}).update(asked.names(answer.json()))
        self.done.add((step.order_id, step.what))
        return True

    def _request(self, step: Ask, asked: Asked, client: str) -> Request:
        of = {"BUYER": f"buyer-of-{step.order_id}", "SELLER": _seller_of(step.order_id)}
        names = {"order_id": step.order_id, **self._names.get(step.order_id, {})}
        return Request(
            service=asked.service,
            role=asked.role,
            sub=of[asked.role],
            path=asked.path.format(**names),
            body=asked.told(step.order_id),
            key=f"{client}-{step.what}-{step.order_id}",
            names=asked.names,
        )

    # --- Requests and answers

    def _take(self, request: Request, event: str) -> None:
        """Sends what nothing is in the way of."""
        answer = self._answered(request)
        assert answer.status_code == httpx.codes.CREATED, f"{request.path}: {answer.text}"
        self._note(request, answer, event)

    def _note(self, request: Request, answer: httpx.Response, event: str) -> None:
        self.told[request.cause] = Told(service=request.service, event=event)
        kept = request.kept(answer)
        _, before = self._answers.setdefault(request.cause, (request, kept))
        self._is_the_same(request, kept, before)

    def _is_the_same(self, request: Request, kept: object, before: object) -> None:
        assert kept == before, f"{request}: {kept!r} after {before!r}"

    def _answered(self, request: Request) -> httpx.Response:
        headers = self._who(request.role, request.sub) | {"Idempotency-Key": request.key}

        def send(url: str) -> httpx.Response:
            try:
                return self._web.post(url, json=request.body, headers=headers)
            except httpx.ConnectError:
                raise
            except httpx.TransportError:
                self._unanswered.add(request.cause)
                raise

        return self._until_answered(request.service, request.path, send)

    def _until_answered(
        self, service: str, path: str, send: Callable[[str], httpx.Response]
    ) -> httpx.Response:
        """Who is not answered by one of the APIs turns to the other, which runs then."""
        for _ in range(ATTEMPTS_MAX):
            api, other = self._apis(service)
            with suppress(httpx.TransportError):
                answer = send(f"{self._stack.services[api].url}{path}")
                if not _is_to_be_sent_again(answer) and not _was_cut(answer):
                    return answer
            self._silent[service] = api
            self._faults.revive(other)  # else there may be none that answers
            time.sleep(PAUSE_SECONDS)
        raise AssertionError("not answered")

    def _apis(self, service: str) -> tuple[str, str]:
        """Which is asked, and the other one: in turn, so that rivals ask different ones, but for
        the one that has not answered. It may be frozen, and is left so.
        """
        api, other = f"{service}-api", f"{service}-api-2"
        if next(self._turns) % 2:
            api, other = other, api
        return (other, api) if self._silent.get(service) == api else (api, other)

    def _who(self, role: str, sub: str) -> dict[str, str]:
        if (role, sub) not in self._tokens:
            self._tokens[role, sub] = self._stack.token(role, sub)
        return {"Authorization": f"Bearer {self._tokens[role, sub]}"}

    def _at_once[A, B](self, do: Callable[[A], B], each: Sequence[A]) -> list[B]:
        with ThreadPoolExecutor(len(each)) as pool:
            return list(pool.map(do, each))


def _seller_of(order_id: str) -> str:
    """Of all orders of a history that people ask for something about."""
    return f"seller-of-{order_id.rpartition('-')[0]}"


def _fulfilment(
    placed: Mapping[str, object], at: datetime
) -> list[tuple[str, Mapping[str, object], str]]:
    """What a marketplace tells of an order: where, what, and what is recorded."""
    told = {"at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    return [
        ("", {**placed, "placed_at": told["at"]}, "OrderPlaced.v1"),
        ("/payment", told | {"payment_ref": "P"}, "OrderPaid.v1"),
        ("/shipment", told, "OrderShipped.v1"),
        ("/completion", told, "OrderCompleted.v1"),
    ]


def _problem(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).rpartition("/")[2]


def _is_too_early(answer: httpx.Response) -> bool:
    """Whether it is asked for before another service, or another subscription, has come to it."""
    return not answer.is_success and _problem(answer) in {"not-found", "not-yet-eligible"}


def _is_to_be_sent_again(answer: httpx.Response) -> bool:
    """Whether a later answer may be another: nothing was done, or somebody else was faster."""
    if answer.status_code == HTTPStatus.CONFLICT:
        return _problem(answer) == "concurrent-change"
    return answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE


def _was_cut(answer: httpx.Response) -> bool:
    """Whether an upload was broken off: its last line is no summary."""
    if not answer.headers.get("Content-Type", "").startswith("application/x-ndjson"):
        return False
    lines = answer.content.splitlines()
    return not lines or b'"summary"' not in lines[-1]
