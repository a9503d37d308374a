"""Pages of a service become a file, whole page by whole page, and an export that broke off goes on.

The service is a small one of the test's: it answers as review-service and returns-service do.
"""

import csv
import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from shared_cli.main import app
from typer.testing import CliRunner, Result

type Json = dict[str, Any]
type Answer = Callable[[dict[str, str]], tuple[int, bytes]]

ORDER: Json = {
    "order_id": "O-1",
    "seller_id": "S-1",
    "buyer_id": "=B-1",
    "marketplace_id": "market",
    "country": "DE",
    "currency": "EUR",
    "placed_at": "2026-01-10T09:30:00Z",
    "lines": [
        {
            "line_id": str(number),
            "sku": f"LAMP-{number}",
            "category": "home",
            "quantity": number,
            "unit_price": {"amount": 1000, "currency": "EUR"},
        }
        for number in (1, 2)
    ],
    "shipping": {"amount": 0, "currency": "EUR"},
    "total": {"amount": 3000, "currency": "EUR"},
    "total_ref": {"amount": 3500, "currency": "USD"},
    "withdrawal_right": True,
}
LINE: Json = {
    "order": ORDER,
    "completed": {"at": "2026-01-15T18:00:00Z"},
    "reviews": [
        {
            "by": "BUYER",
            "at": "2026-01-16T10:00:00Z",
            "quality": 5,
            "logistics": 4,
            "service": 5,
            "text": "+1",
            "reply": {"at": "2026-01-17T10:00:00Z", "text": "Thank you."},
        },
        {"by": "SELLER", "at": "2026-01-17T10:00:00Z", "rating": 5},
    ],
}


@contextmanager
def serving(answer: Answer) -> Generator[tuple[str, list[dict[str, str]]]]:
    """Where it answers, and what it was asked."""
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {name: told[0] for name, told in parse_qs(urlsplit(self.path).query).items()}
            asked.append(query)
            status, body = answer(query)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the library's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERSALES_TOKEN", "of-an-auditor")


def give(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["export", *arguments])
    assert result.exit_code == code, result.output
    return result


def page(*items: Json, more: str | None = None) -> tuple[int, bytes]:
    return 200, json.dumps({"items": items, "next_cursor": more}).encode()


def numbered(number: int) -> Json:
    return LINE | {"order": ORDER | {"order_id": f"O-{number}"}}


def three_pages(query: dict[str, str]) -> tuple[int, bytes]:
    match query.get("cursor"):
        case None:
            return page(numbered(1), more="second")
        case "second":
            return page(more="third")  # nothing that was looked at is wanted
        case _:
            return page(numbered(2))


def test_an_export_has_every_page_and_asks_for_what_is_wanted(tmp_path: Path) -> None:
    file = tmp_path / "reviews.ndjson"
    with serving(three_pages) as (url, asked):
        give(
            *("reviews", "--url", url, "-o", str(file), "--seller", "S-1"),
            *("--since", "2026-01-01", "--until", "2026-02-01T12:00:00+01:00"),
        )
    lines = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert [line["order"]["order_id"] for line in lines] == ["O-1", "O-2"]
    assert lines[0]["reviews"] == LINE["reviews"]
    assert asked[0] == {
        "since": "2026-01-01T00:00:00Z",
        "until": "2026-02-01T11:00:00Z",
        "seller_id": "S-1",
        "reviewed": "true",
        "limit": "100",
    }


def test_orders_are_asked_for_whether_they_are_reviewed_or_not() -> None:
    with serving(three_pages) as (url, asked):
        shown = give("orders", "--url", url).stdout
    assert len(shown.splitlines()) == 2
    assert "reviewed" not in asked[0]


def test_an_export_that_broke_off_goes_on_at_its_cursor(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"

    def breaks(query: dict[str, str]) -> tuple[int, bytes]:
        return (503, b"later") if query.get("cursor") == "third" else three_pages(query)

    with serving(breaks) as (url, _):
        told = give("orders", "--csv", "--url", url, "-o", str(file), code=3).output
    assert "go on with --cursor third" in told
    with serving(three_pages) as (url, _):
        give("orders", "--csv", "--url", url, "-o", str(file), "--cursor", "third")
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [(row["order_id"], row["line_id"]) for row in rows] == [
        (f"O-{order}", line) for order in (1, 2) for line in ("1", "2")
    ]


def test_rows_of_reviews_are_no_formulas_for_whoever_opens_them() -> None:
    with serving(lambda _: page(LINE)) as (url, _):
        shown = give("reviews", "--csv", "--url", url).stdout
    buyers, sellers = csv.DictReader(shown.splitlines())
    assert (buyers["buyer_id"], buyers["text"]) == ("'=B-1", "'+1")
    assert (buyers["quality"], buyers["reply"], buyers["sku"]) == ("5", "Thank you.", "LAMP-1")
    assert (sellers["by"], sellers["rating"], sellers["quality"]) == ("SELLER", "5", "")
    assert buyers["completed_at"] == LINE["completed"]["at"]


def test_a_file_without_rows_has_its_header() -> None:
    with serving(lambda _: page()) as (url, _):
        assert give("reviews", "--csv", "--url", url).stdout.startswith("order_id,seller_id,")


def test_what_is_refused_is_told() -> None:
    with serving(lambda _: (403, b"role-not-allowed")) as (url, _):
        assert "role-not-allowed" in give("orders", "--url", url, code=1).output


@pytest.mark.parametrize("said", ["yesterday", "2026-13-01", "2026-01-01T00:00:00"])
def test_what_is_no_instant_is_not_asked_for(said: str) -> None:
    give("orders", "--url", "http://127.0.0.1:9", "--since", said, code=2)


def test_a_service_that_does_not_answer_is_named() -> None:
    assert "does not answer" in give("orders", "--url", "http://127.0.0.1:9", code=3).output


def refund(seller: str, at: str) -> bytes:
    told = {
        "refund_id": f"{seller}-{at}",
        "seller_id": seller,
        "units": [{"unit": "1/1", "amount_minor": 500}, {"unit": "1/2", "amount_minor": 400}],
        "reason": "=1",
        "requested_at": at,
    }
    return json.dumps(told).encode() + b"\n"


def of_period(query: dict[str, str]) -> tuple[int, bytes]:
    return 200, refund("S-1", query["since"]) + refund("S-2", query["since"])


def test_refunds_come_year_by_year() -> None:
    with serving(of_period) as (url, asked):
        shown = give(
            *("refunds", "--url", url, "--since", "2024-01-01", "--until", "2026-01-01"),
            *("--seller", "S-2", "--csv"),
        ).stdout
    spans = [(each["since"], each["until"]) for each in asked]
    assert spans == [
        ("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ]
    rows = list(csv.DictReader(shown.splitlines()))
    assert [row["refund_id"] for row in rows] == [f"S-2-{begin}" for begin, _ in spans]
    assert (rows[0]["units"], rows[0]["reason"]) == ("1/1=500,1/2=400", "'=1")


def test_refunds_that_broke_off_go_on_at_the_instant_up_to_which_they_are_there() -> None:
    def breaks(query: dict[str, str]) -> tuple[int, bytes]:
        return (503, b"later") if query["since"] > "2024-06" else of_period(query)

    period = ("--since", "2024-01-01", "--until", "2026-01-01")
    with serving(breaks) as (url, _):
        told = give("refunds", "--url", url, *period, code=3).output
    assert "go on with --cursor 2025-01-01T00:00:00Z" in told
    with serving(of_period) as (url, asked):
        give("refunds", "--url", url, *period, "--cursor", "2025-01-01T00:00:00Z")
    assert [each["since"] for each in asked] == ["2025-01-01T00:00:00Z"]
