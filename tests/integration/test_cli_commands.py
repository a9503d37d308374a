"""The commands as a user gives them, on a whole stack: their exit codes and what they say."""

import csv
import gzip
import json
import re
import subprocess
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any, cast
from uuid import uuid4

import asyncpg
import pytest
from local_stack import blocking
from local_stack.oracle import ask
from local_stack.people import Person, until
from local_stack.services import Stack, ephemeral_stack
from review_service.api.examples import LINE, line_of
from shared_cli import demo_returns, welcome
from shared_cli.main import app
from typer.testing import CliRunner, Result

type Call = Callable[..., Result]

REACHED = """
    INSERT INTO es.cursor (subscription, topic, partition, position, chain_hash)
    SELECT $1, $2, *, sha256('') FROM unnest($3::int[], $4::bigint[])
"""
PLACES = """
    SELECT partition, position, epoch FROM es.cursor
    WHERE subscription = $1 ORDER BY partition
"""
NOT_COMPLETED = ("shipped", "canceled", "processing")


@pytest.fixture
def call(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Gives a command to the stack, and checks its exit code."""
    monkeypatch.setenv("AFTERSALES_STACK", str(stack.folder))
    return give


def give(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result


def told(result: Result) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(result.stdout))


@pytest.fixture
def olist(tmp_path: Path) -> Path:
    """Olist's tables with orders that nobody else has: 12 completed ones of which one has two
    sellers and one no items, and three others. Those completed are reviewed, the last one late.
    """
    mark = uuid4().hex[:12]
    numbers = range(1, 16)
    completed = numbers[:12]
    began = datetime.now(UTC).replace(hour=10, minute=0, second=0, microsecond=0)
    began -= timedelta(days=90)

    def day(number: int) -> str:
        return f"{began + timedelta(days=number):%Y-%m-%d %H:%M:%S}"

    orders = [
        {
            "order_id": f"{mark}-o{n}",
            "customer_id": f"{mark}-c{n}",
            "order_status": "delivered" if n in completed else NOT_COMPLETED[n - 13],
            "order_purchase_timestamp": day(n),
            "order_approved_at": day(n),
            "order_delivered_carrier_date": day(n + 2) if n < 14 else "",
            "order_delivered_customer_date": day(n + 5) if n in completed else "",
            "order_estimated_delivery_date": day(n + 6),
        }
        for n in numbers
    ]
    items = [
        {
            "order_id": f"{mark}-o{n}",
            "order_item_id": f"{number}",
            "product_id": "p1",
            "seller_id": f"{mark}-s{number}",
            "shipping_limit_date": day(n + 3),
            "price": "120.0",
            "freight_value": "9.9",
        }
        for n in numbers
        for number in ((1, 2) if n == 1 else (1,) if n != 2 else ())
    ]
    reviews = [
        {
            "review_id": f"{mark}-r{n}",
            "order_id": f"{mark}-o{n}",
            "review_score": f"{1 + n % 5}",
            "review_answer_timestamp": day(n + 7 if n < 12 else n + 30),
        }
        for n in (*completed, 13)
    ]
    write(tmp_path / "olist_orders.csv", orders)
    write(tmp_path / "olist_order_items.csv", items)
    write(tmp_path / "olist_order_reviews.csv", [*reviews, reviews[4]])
    customers = [
        {"customer_id": f"{mark}-c{n}", "customer_unique_id": f"{mark}-b{n}"} for n in numbers
    ]
    write(tmp_path / "olist_customers.csv", customers)
    write(
        tmp_path / "olist_products.csv", [{"product_id": "p1", "product_category_name": "livros"}]
    )
    return tmp_path


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_an_import_accounts_for_every_row_and_doing_it_again_changes_nothing(
    call: Call, olist: Path
) -> None:
    report = told(call("import", "olist", str(olist), "--json"))
    assert report["changed"]
    assert report["events"] > 15 * 3
    assert report["sums"] == [
        (
            "15 rows of orders = 11 completed + 1 not completed (canceled) + "
            "1 not completed (processing) + 1 not completed (shipped) + 1 without items (delivered)"
        ),
        "15 orders sent = 14 with items + 1 more by splitting 1 by seller",
        "15 orders sent = 15 accepted",
        "15 rows of items = 15 in orders sent",
        (
            "14 rows of reviews = 12 counted + 1 superseded by an earlier one of the order + "
            "1 of orders without items"
        ),
        "13 reviews sent = 12 counted + 1 more for the sub-orders",
        "13 reviews sent = 11 accepted + 1 refused (not-yet-eligible) + 1 refused (window-closed)",
    ]
    seconds = report["seconds"]
    assert seconds["until_all_sellers_ranked"] >= seconds["until_last_score_final"]
    assert seconds["until_last_score_final"] >= seconds["sending"] > 0

    again = call("import", "olist", str(olist)).stdout
    assert "15 orders sent = 15 already there\n" in again
    assert "13 reviews sent = 11 already there + " in again
    assert "Nothing has changed: all of it was there already." in again


def test_lines_are_taken_from_a_file_and_those_refused_are_kept_mended_and_taken(
    call: Call, tmp_path: Path
) -> None:
    good, wrong_sum, bad_review = (deepcopy(LINE) for _ in range(3))
    mark = uuid4().hex[:12]
    for number, line in enumerate((good, wrong_sum, bad_review)):
        line["order"]["order_id"] = f"{mark}-{number}"
        line["order"]["buyer_id"] = f"{mark}-buyer-{number}"
    wrong_sum["order"]["total"]["amount"] += 1
    bad_review["reviews"][0]["quality"] = 6
    told = [json.dumps(each).encode() for each in (good, wrong_sum, bad_review)]
    file, left = tmp_path / "orders.ndjson", tmp_path / "left.ndjson"
    file.write_bytes(b"\n".join([told[0], b"", told[1], told[2], b"no JSON"]))
    done = call("import", str(file), "--refused", str(left), code=1).stdout
    assert "4 orders: 2 accepted, 0 there already, 2 refused" in done
    total = "order.total.amount: the lines less discounts plus shipping, 10680"
    assert f"{mark}-1: invalid-value ({total})\n" in done
    stars = "reviews[0].quality: 1 to 5, in whole or half stars"
    assert f"{mark}-2: invalid-value ({stars})\n" in done
    assert "a line without an order: malformed-line\n" in done
    assert left.read_bytes().splitlines() == [told[1], told[2], b"no JSON"]
    wrong_sum["order"]["total"]["amount"] -= 1
    with gzip.open(tmp_path / "mended.ndjson.gz", "wb") as mended:
        mended.write(b"\n".join(json.dumps(each).encode() for each in (wrong_sum, good)))
    report = json.loads(call("import", str(mended.name), "--json").stdout)
    assert report["orders"] == {"accepted": 1, "unchanged": 1, "refused": 0}
    assert report["lines_with_refusals"] == 0
    again = json.loads(call("import", str(mended.name), "--json").stdout)
    assert (again["orders"]["unchanged"], again["events"]) == (2, 0)


MARKED = """
    rows = "several"
    [file]
    delimiter = ";"
    [stars]
    scale = [0, 10]
    [order]
    order_id = "order"
    seller_id = "shop"
    buyer_id = "buyer"
    marketplace_id = { value = "market" }
    country = { value = "DE" }
    currency = { value = "EUR" }
    placed_at = "day"
    [item]
    line_id = { value = "1" }
    sku = { value = "LAMP-4" }
    unit_price = { value = "19.90" }
    [life]
    completed = "day"
    [[review]]
    at = "day"
    title = "title"
    text = "text"
    reply = "answer"
    [review.aspects]
    column = "aspect"
    stars = "points"
    names = { article = "quality", delivery = "logistics", contact = "service" }
"""


def test_rows_of_another_platform_are_taken_and_those_refused_are_kept_mended_and_taken(
    call: Call, stack: Stack, tmp_path: Path
) -> None:
    mark = uuid4().hex[:12]
    mapping, file, left = (tmp_path / name for name in ("map.toml", "rows.csv", "left.csv"))
    mapping.write_text(dedent(MARKED))
    columns = ["order", "shop", "buyer", "day", "title", "text", "answer", "aspect", "points"]

    def rows_of(number: int, points: str = "9.5", day: str = "2026-01-10") -> list[dict[str, str]]:
        told = (
            f"{mark}-{number}",
            f"{mark}-shop",
            f"{mark}-b{number}",
            day,
            "Bright",
            "Reads well",
        )
        return [
            dict(zip(columns, (*told, "Thank you", aspect, points), strict=True))
            for aspect in ("article", "delivery", "contact")
        ]

    rows = [*rows_of(1), *rows_of(2, points="11"), *rows_of(3, day="2199-01-01")]
    write_csv(file, columns, rows)
    rehearsed = call("import", "csv", str(file), "--mapping", str(mapping), "--dry-run", code=1)
    assert "rows 2 to 4:" in rehearsed.stdout
    assert f'"order_id":"{mark}-1"' in rehearsed.stdout
    assert "rows 5 to 7: review[0].quality: '11' is not on the scale 0..10" in rehearsed.stdout
    assert "2 orders would be sent, 1 are refused here" in rehearsed.stdout

    command = ("import", "csv", str(file), "--mapping", str(mapping), "--refused", str(left))
    done = call(*command, code=1).stdout
    assert "2 orders: 1 accepted, 0 there already, 1 refused (1 invalid-value)" in done
    assert "rows 8 to 10: invalid-value (order.placed_at: not after now" in done
    with left.open(newline="", encoding="utf-8-sig") as kept:
        refused = list(csv.DictReader(kept, delimiter=";"))
    assert [row["refused_row"] for row in refused] == [str(number) for number in range(5, 11)]
    for row in refused:
        row |= {"points": "9.5", "day": "2026-01-10"}
    mended = tmp_path / "mended.csv"
    write_csv(mended, [*columns, "refused_row", "refused_why"], refused)
    again = ("import", "csv", str(mended), "--mapping", str(mapping), "--json")
    first, second = told(call(*again)), told(call(*again))
    for report, outcome in ((first, "accepted"), (second, "unchanged")):
        assert report["orders"][outcome] == report["reviews"][outcome] == 2
        assert report["parts"][outcome] == 2
    assert second["events"] == 0
    review, *others = reviews_of(stack, f"{mark}-shop", 3)
    assert len(others) == 2
    assert (review["quality"], review["text"]) == (5, "Bright\n\nReads well")
    assert review["reply"]["text"] == "Thank you"


def write_csv(path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


def reviews_of(stack: Stack, seller_id: str, count: int) -> list[dict[str, Any]]:
    """What everybody reads of a seller, once so many are there."""
    reader = Person(stack, "BUYER", "anybody")
    path = f"/v1/sellers/{seller_id}/reviews?limit=100"
    until(lambda: len(reader.get(path)["items"]) >= count, f"{count} reviews of {seller_id}")
    found: list[dict[str, Any]] = reader.get(path)["items"]
    return found


TOLD_OF = [
    {
        "text": "=HYPERLINK(1) reads well",
        "reply": {"at": "2026-01-18T10:00:00Z", "text": "Thank you."},
        "follow_up": {"at": "2026-03-01T10:00:00Z", "text": "It still shines."},
    },
    {"restricted": {"at": "2026-01-20T10:00:00Z", "ground": "FAKE", "measures": ["HIDE_TEXT"]}},
    {"restricted": {"at": "2026-01-20T10:00:00Z", "ground": "FAKE"}, "text": "No lamp at all"},
    {},
]


def test_what_is_exported_is_as_public_on_an_empty_stack(
    call: Call, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = uuid4().hex[:12]
    seller, lines = f"{mark}-shop", [deepcopy(LINE) for _ in TOLD_OF]
    for number, (line, more) in enumerate(zip(lines, TOLD_OF, strict=True)):
        line["order"] |= {
            "order_id": f"{mark}-{number}",
            "seller_id": seller,
            "buyer_id": f"{mark}-b{number}",
        }
        line["reviews"][0] |= more
    source, file, rows = (tmp_path / name for name in ("in.ndjson", "out.ndjson", "out.csv"))
    source.write_text("".join(map(line_of, lines)))
    assert told(call("import", str(source), "--json"))["parts"]["refused"] == 0
    public = reviews_of(stack, seller, 3)
    assert len(public) == 3  # one is hidden
    assert "4 lines" in call("export", "reviews", "--seller", seller, "-o", str(file)).output
    call("export", "reviews", "--seller", seller, "--csv", "-o", str(rows))
    mapping = Path(__file__).parents[2] / "docs/mappings/exported.toml"
    rehearsed = call("import", "csv", str(rows), "--mapping", str(mapping), "--dry-run").stdout
    assert "4 orders would be sent, 0 are refused here" in rehearsed
    assert '"text":"=HYPERLINK(1) reads well"' in rehearsed
    assert len(call("export", "orders", "--seller", seller).stdout.splitlines()) == 4
    call("export", "refunds", "--seller", seller)

    with ephemeral_stack() as empty:
        monkeypatch.setenv("AFTERSALES_STACK", str(empty.folder))
        assert told(call("import", str(file), "--json"))["lines_with_refusals"] == 0
        assert reviews_of(empty, seller, 3) == public
        again = told(call("import", str(file), "--json"))
        assert (again["orders"]["unchanged"], again["events"]) == (4, 0)


def test_a_file_that_cannot_be_read_to_its_end_is_named(call: Call, tmp_path: Path) -> None:
    assert "No such file" in call("import", str(tmp_path / "none"), code=2).output
    cut = tmp_path / "cut.ndjson.gz"
    cut.write_bytes(gzip.compress(b'{"order": {}}\n' * 1000)[:-20])
    assert "after line" in call("import", str(cut), code=2).output


def test_what_was_imported_is_verified_replayed_and_explained(call: Call, olist: Path) -> None:
    call("import", "olist", str(olist))
    verified = told(call("audit", "verify", "--json"))
    assert verified["equal"]
    assert verified["events"] == verified["records"] - verified["duplicates"] > 0
    replayed = told(call("audit", "replay", "--json"))
    assert replayed["equal"]
    assert replayed["state_sha256"]["Kafka"] == replayed["state_sha256"]["databases"]
    assert len(set(replayed["accounts"].values())) == 1
    assert len(set(replayed["with_points"].values())) == 1
    assert replayed["with_points"]["live"] > replayed["accounts"]["live"]  # buyers, too
    past = told(call("audit", "replay", "--instants", "5", "--json"))
    assert (past["equal"], past["past"]) == (True, 5)
    summed = told(call("audit", "shares", "--json"))
    assert summed["differences"] == []
    assert (summed["sellers"] > 0, summed["shares"] > 0) == (True, True)
    assert "equal to the last micro-point" in call("audit", "replay").stdout

    seller = seller_of(olist)
    explained = call("audit", "explain", seller, "--largest", "3").stdout
    assert explained.startswith(f"{seller}: ")
    assert "review.events/" in explained
    assert "orders.events/" in explained
    assert "7 others" in explained  # of the ten reviews that count
    assert "8 others" in explained  # of the eleven orders without a dispute
    found = told(call("audit", "explain", seller, "--json"))
    for dimension in found["dimensions"].values():
        shares = sum(share["share_micro"] for share in dimension["shares"])
        assert shares + dimension["rest_micro"] == dimension["total_micro"]
    before = told(call("audit", "explain", seller, "--as-of", "2025-01-01T00:00:00Z", "--json"))
    assert before["score_micro"] == 58_407_464  # nothing was known of anybody
    unknown = call("audit", "explain", "nobody", code=1).output
    assert unknown == "nobody: not-found: No such object for you.\n"


def seller_of(olist: Path) -> str:
    with (olist / "olist_order_items.csv").open() as file:
        return next(csv.DictReader(file))["seller_id"]


def test_a_byte_changed_in_the_log_is_an_exit_code_of_1_and_named(
    call: Call, stack: Stack, olist: Path
) -> None:
    call("import", "olist", str(olist))
    flip = """
        ALTER TABLE es.event DISABLE TRIGGER ALL;
        UPDATE es.event SET leaf_hash = set_byte(leaf_hash, 0, get_byte(leaf_hash, 0) # 1)
        WHERE topic = 'orders.events' AND position = 2;
        ALTER TABLE es.event ENABLE TRIGGER ALL
    """
    execute(stack, "review", flip)
    try:
        shown = call("audit", "verify", code=1).stdout
        report = told(call("audit", "verify", "--json", code=1))
    finally:
        execute(stack, "review", flip)
    first = report["differences"][0]
    assert (first["side"], first["topic"], first["position"]) == ("database", "orders.events", 2)
    assert f"database: orders.events/{first['partition']}:2 leaf_hash is" in shown
    assert "DIFFERENT" in shown
    call("audit", "verify")


def test_a_score_that_does_not_follow_from_the_log_is_named_and_a_rebuild_mends_it(
    call: Call, stack: Stack, olist: Path
) -> None:
    call("import", "olist", str(olist))
    seller = seller_of(olist)
    execute(
        stack,
        "reputation",
        f"UPDATE read.bucket SET a = a + 1 WHERE seller_id = '{seller}' AND dimension = 'quality'",  # noqa: S608 - a test's
    )
    shown = call("audit", "replay", code=1).stdout
    assert f"{seller}: score_micro: live " in shown
    assert "DIFFERENT" in shown

    call("projections", "rebuild", "reputation", "score", code=1)  # was not what the log says
    call("audit", "replay")
    call("projections", "rebuild", "reputation", "score")
    listed = told(call("projections", "list", "--json"))["projections"]
    [score] = [each for each in listed if each["name"] == "score"]
    assert score["service"] == "reputation"
    assert score["generation"] >= 3
    assert score["events"] > 0


def test_what_opens_texts_is_built_again_with_their_keys(call: Call, olist: Path) -> None:
    call("import", "olist", str(olist))
    call("projections", "rebuild", "review", "review_languages")
    call("projections", "rebuild", "review", "review_languages", "--processes", "2")
    listed = told(call("projections", "list", "--json"))["projections"]
    [languages] = [each for each in listed if each["name"] == "review_languages"]
    assert languages["generation"] >= 3


def test_every_projection_of_a_service_is_built_again_though_one_was_damaged(
    call: Call, stack: Stack, olist: Path
) -> None:
    call("import", "olist", str(olist))
    known = "SELECT order_id FROM read.order_facts LIMIT 1"
    until(lambda: bool(rows(stack, "dispute", known)), "dispute-service has heard of an order")

    def generations() -> dict[str, int]:
        listed = told(call("projections", "list", "--json"))["projections"]
        return {row["name"]: row["generation"] for row in listed if row["service"] == "dispute"}

    before = generations()
    assert "every projection is made anew" in call("projections", "rebuild", "dispute").output
    execute(
        stack,
        "dispute",
        "INSERT INTO read.order_facts SELECT (json_populate_record(facts, $1)).* "
        "FROM read.order_facts AS facts LIMIT 1",
        json.dumps({"order_id": f"nobodys-{uuid4().hex}"}),
    )
    call("projections", "rebuild", "dispute", code=1)
    assert generations() == {name: number + 2 for name, number in before.items()}
    call("projections", "rebuild", "dispute")


def test_a_projection_that_there_is_not_is_not_rebuilt(call: Call) -> None:
    call("projections", "rebuild", "reputation", "nothing", code=2)
    call("projections", "rebuild", "reputation", "--processes", "2", code=2)
    assert "there are review" in call("projections", "rebuild", "billing", "x", code=2).output


def test_what_is_parked_is_listed_retried_and_given_up(call: Call, stack: Stack) -> None:
    key, subscription = f"S-{uuid4().hex[:8]}", "nobody/1"
    parked = """
        INSERT INTO es.parked_key (subscription, topic, partition, key, reason, parked_at)
        VALUES ($1, 'orders.events', 3, $2, 'ValueError: too odd', '2026-01-05 12:00+00')
    """
    waiting = """
        INSERT INTO es.parked_event (subscription, topic, partition, position, key)
        VALUES ($1, 'orders.events', 3, 41, $2)
    """
    for statement in (parked, waiting):
        execute(stack, "reputation", statement, subscription, key)
    line = (
        f"reputation: {subscription} {key}: 1 events wait, the first is orders.events/3:41; "
        "parked 2026-01-05T12:00:00Z: ValueError: too odd"
    )
    assert line in call("parked", "list").stdout
    assert line in call("parked", "list", "reputation").stdout
    assert call("parked", "list", "review").stdout == "Nothing is parked.\n"

    names = ("reputation", subscription, key)
    call("parked", "discard", *names, "--reason", " ", code=2)
    call("parked", "discard", *names, "--reason", "a test's", "--topic", "review.events", code=1)
    call("parked", "discard", *names, "--reason", "a test's")
    assert "no event" in call("parked", "discard", *names, "--reason", "again", code=1).output
    call("parked", "retry", *names)
    [row] = [r for r in told(call("parked", "list", "--json"))["parked"] if r["key"] == key]
    assert (row["events"], row["retry_asked_at"] is None) == (0, False)
    assert "not parked" in call("parked", "retry", "review", subscription, key, code=1).output
    execute(stack, "reputation", "DELETE FROM es.parked_key WHERE key = $1", key)
    execute(stack, "reputation", "DELETE FROM es.parked_event WHERE key = $1", key)


def test_a_subscription_reads_a_topic_that_was_made_anew_from_its_beginning(
    call: Call, stack: Stack
) -> None:
    name, topic = f"nobody-{uuid4().hex[:8]}", "marketplace.orders"
    execute(stack, "review", REACHED, name, topic, [1, 2, 3], [5, 0, 7])
    told = call("log", "reread", "review", name, topic)
    assert f"{name} reads {topic} from its beginning" in told.output
    assert rows(stack, "review", PLACES, name) == [(1, 0, None), (2, 0, None), (3, 0, None)]
    assert "nothing is to be done" in call("log", "reread", "review", name, topic, code=1).output
    execute(stack, "review", "DELETE FROM es.cursor WHERE subscription = $1", name)


def test_a_subscription_goes_on_with_the_history_that_a_log_has_gone_on_with(
    call: Call, stack: Stack
) -> None:
    """From where both were one: what it has of the other one is told, place by place."""
    name, topic, partition = f"nobody-{uuid4().hex[:8]}", "orders.events", 63
    since = "SELECT epoch, epoch_from FROM es.head WHERE topic = $1 AND partition = $2"
    [(epoch, epoch_from)] = rows(stack, "review", since, topic, partition)
    execute(stack, "dispute", REACHED, name, topic, [partition, 62], [epoch_from + 5, 0])
    told = call("log", "follow", "dispute", name, topic, "review").output
    assert f"{topic}/{partition}: 5 events are of no history any more" in told
    assert "/62" not in told
    assert f"{name} goes on with the log of review-service" in told
    assert rows(stack, "dispute", PLACES, name) == [(62, 0, None), (partition, epoch_from, epoch)]
    again = call("log", "follow", "dispute", name, topic, "review", code=1)
    assert "nothing is to be done" in again.output
    execute(stack, "dispute", "DELETE FROM es.cursor WHERE subscription = $1", name)


def rows(stack: Stack, service: str, query: str, *arguments: object) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in ask(stack, service, query, *arguments)]


def execute(stack: Stack, service: str, statement: str, *arguments: object) -> None:
    """In a service's database, as somebody who may do anything."""

    async def run() -> None:
        admin = stack.description.postgres_url.rpartition("/")[0]
        db = await asyncpg.connect(f"{admin}/{stack.description.databases[service].name}")
        await db.execute(statement, *arguments)
        await db.close()

    blocking.run(run())


WRITTEN = (
    '"order_id":"welcome-1"',
    '"state":"OPEN"',
    '"text":"Thank you, we have told',
    '"goodwill":',
    '"hold":{"ground":"PERSONAL_DATA"',
    '"rule":"FAKE_TRANSACTION"',
    '"public_level":"NORMAL","protected_until":"20',
    '"orders":{"accepted":1,',
    '"account_kind":"BUYER","account_id":"buyer-',
)
"""What is answered to what changes something, in the order in which a welcome has it."""


def writing(shown: str) -> list[str]:
    """The commands of a welcome that change something, each with its token."""
    return re.findall(r"^TOKEN=.*\ncurl .* -d '.*$", shown, re.MULTILINE)


def pasted(command: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own words
        ["bash", "-c", command],  # noqa: S607 - as a reader pastes it
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_demo_is_taken_whole_and_only_once(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(welcome, "ORDERS", 300)
    said: list[str] = []
    welcome.load_demo(stack, said.append)
    assert said[0] == "loading a marketplace of 300 orders"
    assert said[-5] == "the scores are final"
    assert said[-4] == "the best seller was fined, and has won his appeal"
    assert said[-3].startswith("5 returns have gone their way")
    assert said[-2].startswith("twelve days have passed")
    assert said[-1].startswith("another week has passed")
    welcome.load_demo(stack, said.append)
    assert said[-1] == "the demo marketplace is there already"
    welcome.first_steps(stack)
    shown = capsys.readouterr().out
    assert "sellers by score:" in shown
    assert "adjudication/cases?mine=true" in shown
    for done, command in zip(WRITTEN, writing(shown), strict=True):
        told = pasted(command)
        assert done in told, told
        again = pasted(f"{command} -D -").lower()
        assert "/bulk" in command or "idempotent-replayed: true" in again, again
    points = [line.split()[1] for line in shown.splitlines() if " points " in line]
    assert points == ["100", "100", "100", "76", "100"]
    ended = {line.split()[0]: line.split()[1:4] for line in shown.splitlines() if " EUR" in line}
    assert ended == {
        "demo-fast-lane": ["FAST", "REFUNDED", "10.00"],
        "demo-deduction": ["STANDARD", "REFUNDED", "26.10"],
        "demo-exchange": ["STANDARD", "EXCHANGED", "0.00"],
        "demo-withdrawal": ["STATUTORY", "REFUNDED", "6.10"],
        "demo-reissue": ["STANDARD", "REFUNDED", "10.00"],
    }
    assert demo_returns.next_attempt(stack) == 2


@pytest.mark.parametrize(
    "command",
    [("audit", "verify"), ("audit", "replay"), ("projections", "list"), ("parked", "list")],
)
def test_without_a_stack_one_is_told_how_to_start_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("AFTERSALES_STACK", str(tmp_path))
    assert "make run" in give(*command, code=3).output


def test_a_database_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERSALES_REVIEW_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/review")
    monkeypatch.setenv("AFTERSALES_KAFKA", "127.0.0.1:9")
    told = give("audit", "verify", code=3).output
    assert "the database of review-service does not answer" in told


def test_the_version_is_the_packages() -> None:
    assert give("--version").stdout == "aftersales 0.1.0\n"
