"""Of a buyer is exported what all four services tell him, and nothing with somebody else's token.

One small service of the test's stands for all four.
"""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from local_stack.databases import SERVICES
from shared_cli.main import app
from typer.testing import CliRunner, Result

type Json = dict[str, Any]
type Answer = Callable[[str, dict[str, str]], Json | int]


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> Generator[list[str]]:
    """Where all four answer; the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = urlsplit(self.path)
            asked.append(told.path)
            assert self.headers["Authorization"] == "Bearer of-ana"
            query = {name: values[0] for name, values in parse_qs(told.query).items()}
            answered = answer(told.path, query)
            status = answered if isinstance(answered, int) else 200
            body = json.dumps(answered).encode() if status == 200 else b"why not"
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the library's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AFTERSALES_TOKEN", "of-ana")
    for service in SERVICES:
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv(f"AFTERSALES_{service.upper()}_URL", url)
    try:
        yield asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def give(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["export", "buyer", *arguments])
    assert result.exit_code == code, result.output
    return result


TOLD: dict[str, Json] = {
    "/v1/buyers/ana/score": {"score": 1},
    "/v1/orders/O-1": {"total": 5},
    "/v1/orders/50%2541%23": {"total": 6},
    "/v1/disputes": {"items": [{"dispute_id": "D-1"}], "next_cursor": None},
    "/v1/disputes/D-1": {"stage": "OPEN"},
    "/v1/disputes/D-1/events": {"items": [{"type": "DisputeOpened.v1"}], "next_cursor": None},
}


def of_ana(path: str, query: dict[str, str]) -> Json | int:
    """Two pages of orders, one with an odd id; a dispute about the first of them; nothing else."""
    if path != "/v1/me/orders":
        return TOLD.get(path, 404)
    assert query["side"] == "BUYER"
    if "cursor" in query:
        return {"items": [{"order_id": "50%41#"}], "next_cursor": None}
    return {"items": [{"order_id": "O-1"}], "next_cursor": "second"}


def test_every_piece_is_a_line_with_the_place_where_it_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "ana.ndjson"
    with serving(monkeypatch, of_ana) as asked:
        assert "8 lines" in give("ana", "-o", str(file)).output
    lines = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert [(line["service"], line["path"]) for line in lines] == [
        ("reputation", "/v1/buyers/ana/score"),
        ("review", "/v1/me/orders"),
        ("review", "/v1/orders/O-1"),
        ("review", "/v1/me/orders"),
        ("review", "/v1/orders/50%2541%23"),
        ("dispute", "/v1/disputes"),
        ("dispute", "/v1/disputes/D-1"),
        ("dispute", "/v1/disputes/D-1/events"),
    ]
    assert lines[-1]["told"] == {"type": "DisputeOpened.v1"}
    assert {"/v1/returns", "/v1/inquiries", "/v1/orders/50%2541%23/refunds", "/v1/me/reviews"} <= {
        *asked
    }


def test_with_somebody_elses_token_nothing_is_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, of_ana) as asked:
        assert "not of the buyer bo" in give("bo", code=1).output
    assert asked == ["/v1/buyers/bo/score"]


def test_what_is_refused_or_breaks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_orders(status: int) -> Answer:
        return lambda path, query: status if path == "/v1/me/orders" else of_ana(path, query)

    with serving(monkeypatch, at_orders(403)):
        assert "why not" in give("ana", code=1).output
    with serving(monkeypatch, at_orders(503)):
        assert "review-service refuses (503)" in give("ana", code=3).output
    assert "does not answer" in give("ana", code=3).output


def test_what_is_no_id_is_not_asked_for() -> None:
    give("a/b", code=2)
