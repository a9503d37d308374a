"""What is made by hand of the client for Python, asking a server that answers as it is told."""

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from aftersales_client import Problem, Refused, new_key, patient, upload

NOW = {"Retry-After": "0"}
KEYED = {"Idempotency-Key": "K-1"}
CLOSED = {
    "type": "/problems/window-closed",
    "title": "Window closed",
    "status": 409,
    "detail": "The time for this has passed.",
    "closed_at": "2026-01-25T10:30:00Z",
}


class Server(ThreadingHTTPServer):
    """`answers`: a status for each request, the last one for all that come after; 0 is none."""

    def __init__(self, *answers: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = [*answers]
        self.asked: list[tuple[bytes, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        assert isinstance(self.server, Server)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.asked.append((body, self.headers["Content-Type"]))
        answers = self.server.answers
        status = answers.pop(0) if len(answers) > 1 else answers[0]
        if not status:
            return
        is_problem = status == CLOSED["status"]
        told = json.dumps(CLOSED if is_problem else {"media_id": "F-1"}).encode()
        self.send_response(status)
        for name, value in NOW.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"application/{'problem+' * is_problem}json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_GET = do_POST = answer  # noqa: N815 - as http.server calls them

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nobody reads it."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(200) as started:
        Thread(target=started.serve_forever, args=(0.01,)).start()
        yield started
        started.shutdown()


class Shop:
    """As an AuthenticatedClient is."""

    def __init__(self, server: Server, retries: int = 4) -> None:
        self._client = httpx.Client(base_url=server.url, **patient(retries=retries))

    def get_httpx_client(self) -> httpx.Client:
        return self._client


@pytest.mark.parametrize("status", [0, 429, 502, 503, 504])
def test_what_may_pass_is_asked_again(server: Server, status: int) -> None:
    server.answers = [status, status, 201]
    with Shop(server).get_httpx_client() as shop:
        answered = shop.post("/", json={"a": 1}, headers=KEYED)
    assert answered.status_code == 201
    assert [body for body, _ in server.asked] == [b'{"a":1}'] * 3


@pytest.mark.parametrize("status", [400, 404, 409, 412, 422, 500])
def test_what_will_not_pass_is_told(server: Server, status: int) -> None:
    server.answers = [status, 201]
    with Shop(server).get_httpx_client() as shop:
        assert shop.post("/", headers=KEYED).status_code == status


def test_what_would_be_done_twice_is_not_asked_again(server: Server) -> None:
    server.answers = [503, 201]
    with Shop(server).get_httpx_client() as shop:
        assert shop.post("/").status_code == 503
        assert shop.post("/").status_code == 201


def test_what_is_told_last_is_the_answer(server: Server) -> None:
    server.answers = [503]
    with Shop(server, retries=2).get_httpx_client() as shop:
        assert shop.get("/").status_code == 503
    assert len(server.asked) == 3


def test_who_awaits_is_as_patient(server: Server) -> None:
    async def ask() -> int:
        async with httpx.AsyncClient(base_url=server.url, **patient()) as shop:
            return (await shop.post("/", content=b"x", headers=KEYED)).status_code

    server.answers = [503, 201]
    assert asyncio.run(ask()) == 201
    assert [body for body, _ in server.asked] == [b"x"] * 2


def test_a_file_is_sent_with_its_type(server: Server) -> None:
    sent = upload(Shop(server), b"JFIF", "image/jpeg", purpose="REVIEW", idempotency_key=new_key())
    assert sent.value == "F-1"
    assert server.asked == [(b"JFIF", "image/jpeg")]


def test_a_refusal_is_what_the_problem_says(server: Server) -> None:
    server.answers = [409]
    with pytest.raises(Refused, match=r"window-closed: The time") as refused:
        upload(Shop(server), b"", "image/png", purpose="REVIEW", idempotency_key=new_key())
    problem = refused.value.problem
    assert (problem.rule, problem.status) == ("window-closed", 409)
    assert problem.members == {"closed_at": "2026-01-25T10:30:00Z"}


def test_what_knows_no_problems_is_one(server: Server) -> None:
    server.answers = [502]
    with pytest.raises(Refused) as refused:
        upload(Shop(server, 0), b"", "image/png", purpose="REVIEW", idempotency_key=new_key())
    told = "Bad Gateway"
    assert refused.value.problem == Problem(type="about:blank", title=told, status=502, detail=told)
