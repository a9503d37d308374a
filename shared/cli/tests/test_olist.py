"""Olist's rows become lines of bulk intake by the rules of the data set, and none gets lost."""

import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from shared_cli import import_report
from shared_cli.bulk import Taken
from shared_cli.bulk_line import BuyerReview, Line, decode_answer, encode
from shared_cli.main import app
from shared_cli.olist import (
    RowAccount,
    Tables,
    UnreadableCell,
    buyers,
    categories,
    items_by_order,
    lines,
    logistics,
    minor,
    reviews_by_order,
)
from typer.testing import CliRunner

SHARED = Path(__file__).parents[4] / "shared" / "data" / "olist"

type Row = dict[str, str]

ORDER: Row = {
    "order_id": "O1",
    "customer_id": "C1",
    "order_status": "delivered",
    "order_purchase_timestamp": "2018-03-01 10:00:00",
    "order_approved_at": "2018-03-01 10:30:00",
    "order_delivered_carrier_date": "2018-03-03 08:00:00",
    "order_delivered_customer_date": "2018-03-08 18:00:00",
    "order_estimated_delivery_date": "2018-03-10 00:00:00",
}
ITEM: Row = {
    "order_id": "O1",
    "order_item_id": "1",
    "product_id": "P1",
    "seller_id": "S1",
    "shipping_limit_date": "2018-03-05 10:00:00",
    "price": "199.0",
    "freight_value": "17.87",
}
REVIEW: Row = {
    "review_id": "R1",
    "order_id": "O1",
    "review_score": "4",
    "review_comment_message": "muito bom",
    "review_creation_date": "2018-03-09 00:00:00",
    "review_answer_timestamp": "2018-03-10 12:00:00",
}
CUSTOMERS = [{"customer_id": "C1", "customer_unique_id": "B1"}]
PRODUCTS = [
    {"product_id": "P1", "product_category_name": "livros"},
    {"product_id": "P2", "product_category_name": ""},
]


def read(
    orders: Sequence[Row],
    items: Sequence[Row] = (ITEM,),
    reviews: Sequence[Row] = (),
) -> tuple[list[Line], RowAccount]:
    account = RowAccount()
    joined = Tables(
        items=items_by_order(items, account),
        reviews=reviews_by_order(reviews, account),
        buyers=buyers(CUSTOMERS),
        categories=categories(PRODUCTS),
    )
    return list(lines(orders, joined, account)), account


def only(
    orders: Sequence[Row], items: Sequence[Row] = (ITEM,), reviews: Sequence[Row] = ()
) -> dict[str, Any]:
    """The one line, as JSON has it."""
    [line], _ = read(orders, items, reviews)
    return cast("dict[str, Any]", json.loads(encode(line)))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_delivered_order_is_a_completed_one() -> None:
    assert only([ORDER], reviews=[REVIEW]) == {
        "order": {
            "order_id": "O1",
            "seller_id": "S1",
            "buyer_id": "B1",
            "marketplace_id": "olist",
            "country": "BR",
            "currency": "BRL",
            "placed_at": "2018-03-01T10:00:00Z",
            "lines": [
                {
                    "line_id": "1",
                    "sku": "P1",
                    "category": "livros",
                    "quantity": 1,
                    "unit_price": {"amount": 19900, "currency": "BRL"},
                }
            ],
            "shipping": {"amount": 1787, "currency": "BRL"},
            "total": {"amount": 21687, "currency": "BRL"},
            "total_ref": {"amount": 6506, "currency": "USD"},
            "withdrawal_right": True,
            "dispatch_by": "2018-03-05T10:00:00Z",
            "deliver_by": "2018-03-10T00:00:00Z",
        },
        "paid": {"at": "2018-03-01T10:30:00Z", "payment_ref": "O1"},
        "shipped": {"at": "2018-03-03T08:00:00Z"},
        "delivered": {"at": "2018-03-08T18:00:00Z", "signed": False},
        "completed": {"at": "2018-03-08T18:00:00Z"},
        "reviews": [
            {
                "by": "BUYER",
                "at": "2018-03-10T12:00:00Z",
                "quality": 4,
                "logistics": 4,
                "service": 4,
                "text": "muito bom",
            }
        ],
    }


@pytest.mark.parametrize(
    ("title", "message", "text"),
    [
        ("", "", None),
        ("super", "", "super"),
        ("super", "muito bom\r\ne rapido", "super\nmuito bom\r\ne rapido"),
        ("", " \u200b", None),
        ("", "👩\u200d🔧 muito\u00a0bom", "👩\u200d🔧 muito\u00a0bom"),
        ("", "x" * 5_001, "x" * 5_000),
    ],
)
def test_what_was_written_comes_along_as_it_was_if_there_is_anything_to_be_seen(
    title: str, message: str, text: str | None
) -> None:
    written = REVIEW | {"review_comment_title": title, "review_comment_message": message}
    (review,) = read([ORDER], reviews=[written])[0][0].reviews
    assert review.text == text


@pytest.mark.parametrize(
    ("status", "instants", "steps"),
    [
        ("delivered", 4, ["paid", "shipped", "delivered", "completed"]),
        ("delivered", 3, ["paid", "shipped"]),  # no delivery date: not completed
        ("shipped", 3, ["paid", "shipped"]),
        ("processing", 2, ["paid"]),
        ("invoiced", 2, ["paid"]),
        ("unavailable", 2, ["paid"]),
        ("created", 1, []),
        ("canceled", 1, ["cancelled"]),
        ("canceled", 3, ["paid", "shipped", "cancelled"]),
        ("canceled", 4, ["paid", "shipped", "delivered", "cancelled"]),
    ],
)
def test_an_order_comes_in_in_the_state_it_reached(
    status: str, instants: int, steps: list[str]
) -> None:
    columns = [name for name in ORDER if name.endswith(("timestamp", "_at", "_date"))]
    not_reached = dict.fromkeys(columns[instants:4], "")
    [line], account = read([ORDER | {"order_status": status} | not_reached])
    told = json.loads(encode(line))
    assert [step for step in told if step not in ("order", "reviews")] == steps
    assert account.completed == ("completed" in steps)
    assert account.not_completed == ({} if "completed" in steps else {status: 1})


def test_a_cancelled_order_was_cancelled_when_it_was_last_heard_of() -> None:
    told = only([ORDER | {"order_status": "canceled", "order_delivered_customer_date": ""}])
    assert told["cancelled"] == {
        "at": "2018-03-03T08:00:00Z",
        "by": "PLATFORM",
        "reason": "canceled",
    }


def test_an_instant_before_its_predecessor_is_taken_as_its_predecessors_and_counted() -> None:
    backwards = ORDER | {
        "order_approved_at": "2018-03-04 00:00:00",  # after it was handed to the carrier
        "order_delivered_customer_date": "2018-03-02 00:00:00",  # and after it was delivered
    }
    [line], account = read([backwards])
    assert line.paid
    assert line.shipped
    assert line.delivered
    assert line.completed
    instants = (line.paid.at, line.shipped.at, line.delivered.at, line.completed.at)
    assert instants == (at("2018-03-04"),) * 4
    assert (account.orders_lifted, account.instants_lifted) == (1, 2)


def test_a_missing_instant_before_another_is_taken_as_its_predecessors_and_counted() -> None:
    [line], account = read([ORDER | {"order_approved_at": ""}])
    assert line.paid
    assert line.paid.at == line.order.placed_at
    assert (account.orders_lifted, account.instants_missing) == (0, 1)


def test_an_order_of_several_sellers_becomes_a_sub_order_for_each() -> None:
    items = [
        ITEM | {"order_item_id": "3", "seller_id": "S1", "price": "1.5", "freight_value": "0.1"},
        ITEM | {"order_item_id": "2", "seller_id": "S2", "product_id": "P2"},
        ITEM | {"order_item_id": "1", "seller_id": "S1", "price": "2.25", "freight_value": "0.2"},
    ]
    [first, second], account = read([ORDER], items, [REVIEW])
    assert (first.order.order_id, first.order.seller_id) == ("O1-1", "S1")
    assert (second.order.order_id, second.order.seller_id) == ("O1-2", "S2")
    assert [line.line_id for line in first.order.lines] == ["1", "3"]
    assert (first.order.shipping.amount, first.order.total.amount) == (30, 375 + 30)
    assert second.order.lines[0].category == "unknown"
    assert (first.completed, first.paid, first.reviews) == (
        second.completed,
        second.paid,
        second.reviews,
    )
    assert (account.split, account.orders_sent, account.items_sent) == (1, 2, 3)
    assert (account.reviews_counted, account.reviews_sent) == (1, 2)


def test_an_order_without_items_stays_out_and_is_counted_by_its_status() -> None:
    unavailable = ORDER | {"order_id": "O2", "order_status": "unavailable"}
    sent, account = read([ORDER, unavailable], reviews=[REVIEW | {"order_id": "O2"}])
    assert [line.order.order_id for line in sent] == ["O1"]
    assert account.without_items == {"unavailable": 1}
    assert account.reviews_without_items == 1


def test_the_earliest_answered_review_of_an_order_counts() -> None:
    later = REVIEW | {"review_id": "R0", "review_answer_timestamp": "2018-03-11 00:00:00"}
    earlier = REVIEW | {"review_score": "2", "review_creation_date": "2018-03-10 00:00:00"}
    [line], account = read([ORDER], reviews=[later, earlier])
    [review] = line.reviews
    assert isinstance(review, BuyerReview)
    assert (review.at, review.quality) == (at("2018-03-10 12:00:00"), 2)
    assert account.reviews_superseded == 1


def test_a_review_that_was_never_answered_is_none() -> None:
    [line], account = read([ORDER], reviews=[REVIEW | {"review_answer_timestamp": ""}])
    assert line.reviews == []
    assert account.reviews_unanswered == 1


SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("delay", "of_one", "of_five"),
    [
        (-5 * DAY, 4, 5),
        (0 * DAY, 4, 5),
        (SECOND, 1, 3),
        (3 * DAY, 1, 3),
        (3 * DAY + SECOND, 1, 2),
        (7 * DAY, 1, 2),
        (7 * DAY + SECOND, 1, 1),
    ],
)
def test_the_stars_for_logistics_follow_from_the_delay(
    delay: timedelta, of_one: int, of_five: int
) -> None:
    assert (logistics(1, delay), logistics(5, delay)) == (of_one, of_five)


def test_of_an_order_that_never_arrived_only_the_score_is_known() -> None:
    shipped = ORDER | {"order_status": "shipped", "order_delivered_customer_date": ""}
    [review] = only([shipped], reviews=[REVIEW | {"review_score": "1"}])["reviews"]
    assert (review["quality"], review["logistics"], review["service"]) == (1, 1, 1)


def test_the_delay_counts_from_the_delivery_that_is_recorded() -> None:
    """One before the carrier had the parcel was taken as the carrier's instant."""
    backwards = ORDER | {"order_delivered_carrier_date": "2018-03-12 00:00:00"}
    [review] = only([backwards], reviews=[REVIEW | {"review_score": "5"}])["reviews"]
    assert review["logistics"] == 3


@pytest.mark.parametrize(
    ("text", "amount"),
    [("199.0", 19900), ("19.99", 1999), ("0", 0), ("0.1", 10), ("6735", 673500)],
)
def test_money_is_exact(text: str, amount: int) -> None:
    assert minor("price", text) == amount


@pytest.mark.parametrize("text", ["", "free", "-1", "1.999", "nan", "1e999"])
def test_what_is_no_amount_is_not_guessed(text: str) -> None:
    with pytest.raises(UnreadableCell):
        minor("price", text)


def test_the_reference_amount_is_rounded_down() -> None:
    """Never above a limit that the real amount does not reach: 16.66 BRL are 4.998 USD."""
    told = only([ORDER], [ITEM | {"price": "16.66", "freight_value": "0"}])
    assert told["order"]["total_ref"]["amount"] == 499


def test_a_repeated_order_and_rows_of_unknown_orders_are_counted_and_left_out() -> None:
    sent, account = read(
        [ORDER, ORDER],
        [ITEM, ITEM | {"order_id": "O9"}, ITEM | {"order_id": "O9", "order_item_id": "2"}],
        [REVIEW, REVIEW | {"order_id": "O9"}],
    )
    assert len(sent) == 1
    assert account.repeated == 1
    assert account.items_of_unknown_orders == 2
    assert account.reviews_of_unknown_orders == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"order_purchase_timestamp": ""},
        {"order_purchase_timestamp": "yesterday"},
        {"order_approved_at": "2018-13-01 00:00:00"},
        {"order_estimated_delivery_date": ""},
        {"customer_id": "C9"},
    ],
)
def test_a_cell_that_says_nothing_is_named(wrong: Row) -> None:
    with pytest.raises(UnreadableCell, match=next(iter(wrong))):
        read([ORDER | wrong])


# What the service answers -----------------------------------------------------------------------

REFUSED = '"outcome":"refused","problem":{"type":"/problems/window-closed","title":"…"}'


def answered(line: Line, answer: str) -> Taken:
    taken = Taken()
    taken.take(encode(line), decode_answer(answer))
    return taken


def test_what_became_of_every_row_adds_up() -> None:
    orders = [ORDER, ORDER | {"order_id": "O2"}, ORDER | {"order_id": "O3"}]
    items = [ITEM, ITEM | {"order_id": "O2"}, ITEM | {"order_id": "O2", "seller_id": "S2"}]
    reviews = [REVIEW, REVIEW | {"order_id": "O2"}, REVIEW | {"order_id": "O3"}, REVIEW]
    sent, account = read(orders, items, reviews)
    taken = Taken()
    answers = [
        f'{{"line":1,"order_id":"O1","order":"accepted","reviews":[{{"by":"BUYER",{REFUSED}}}]}}',
        '{"line":2,"order_id":"O2-1","order":"unchanged","reviews":[{"by":"BUYER","outcome":"unchanged"}]}',
        '{"line":3,"order_id":"O2-2","order":"refused","problem":{"type":"/problems/already-submitted"},"reviews":[]}',
    ]
    for line, answer in zip(sent, answers, strict=True):
        taken.take(encode(line), decode_answer(answer))
    report = import_report.as_json(account, taken)
    assert report["sums"] == [
        "3 rows of orders = 2 completed + 1 without items (delivered)",
        "3 orders sent = 2 with items + 1 more by splitting 1 by seller",
        "3 orders sent = 1 accepted + 1 already there + 1 refused (already-submitted)",
        "3 rows of items = 3 in orders sent",
        (
            "4 rows of reviews = 2 counted + 1 superseded by an earlier one of the order + "
            "1 of orders without items"
        ),
        "3 reviews sent = 2 counted + 1 more for the sub-orders",
        (
            "3 reviews sent = 1 already there + 1 refused (window-closed) + "
            "1 with an order that was refused"
        ),
    ]
    assert report["reviews"]["refused"] == {"window-closed": 1}


def test_an_import_that_lost_count_does_not_say_that_all_is_well() -> None:
    _, account = read([ORDER])
    with pytest.raises(AssertionError, match="lost count"):
        import_report.sums(account, Taken())


def test_reviews_of_a_refused_order_may_be_answered_for_or_not() -> None:
    [line], _ = read([ORDER], reviews=[REVIEW])
    refused = '{"line":1,"order_id":"O1","order":"refused","problem":{"type":"/problems/x"}'
    assert answered(line, refused + ',"reviews":[]}').unjudged == 1
    told = answered(line, refused + ',"reviews":[{"by":"BUYER",' + REFUSED + "}]}")
    assert (told.unjudged, told.reviews_refused) == (0, {"window-closed": 1})


def test_the_highest_position_of_every_partition_is_waited_for() -> None:
    taken = Taken()
    for tokens in (["orders.events/3:120", "review.events/3:7"], ["orders.events/3:100"]):
        summary = {"summary": {"events": 5}, "tokens": tokens}
        taken.close(decode_answer(json.dumps(summary)))
    assert taken.events == 10
    assert taken.tokens == {"orders.events/3": 120, "review.events/3": 7}


# The folder -------------------------------------------------------------------------------------

TABLES: dict[str, list[Row]] = {
    "olist_orders_dataset.csv": [ORDER],
    "olist_order_items.csv.gz": [ITEM],
    "olist_order_reviews_dataset.csv.gz": [REVIEW],
    "olist_customers.csv": CUSTOMERS,
    "olist_products_dataset.csv": PRODUCTS,
}


def write(folder: Path, name: str, rows: Sequence[Row]) -> None:
    opened = gzip.open if name.endswith(".gz") else open
    with opened(folder / name, "wt", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Olist's tables, plain and gzipped, by their short and long names; no service answers."""
    for name, rows in TABLES.items():
        write(tmp_path, name, rows)
    monkeypatch.setenv("AFTERSALES_REVIEW_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AFTERSALES_REPUTATION_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("COLUMNS", "400")  # a message in one line
    monkeypatch.setenv("AFTERSALES_TOKEN", "token")
    return tmp_path


def import_olist(folder: Path, code: int) -> str:
    result = CliRunner().invoke(app, ["import", "olist", str(folder)])
    assert result.exit_code == code, result.output
    return result.output


def test_a_service_that_does_not_answer_is_named(folder: Path) -> None:
    assert "review-service does not answer" in import_olist(folder, 3)


def test_a_folder_that_is_not_there_is_no_olist_folder(folder: Path) -> None:
    assert "no olist_orders.csv" in import_olist(folder / "nothing", 2)


@pytest.mark.parametrize("name", TABLES)
def test_without_one_of_its_tables_it_is_no_olist_folder(folder: Path, name: str) -> None:
    (folder / name).unlink()
    table = name.partition(".")[0].removesuffix("_dataset")
    assert f"no {table}.csv" in import_olist(folder, 2)


def test_a_table_without_a_column_is_not_olists(folder: Path) -> None:
    write(folder, "olist_order_items.csv.gz", [{"order_id": "O1", "price": "1"}])
    assert "no column order_item_id" in import_olist(folder, 2)


def test_a_table_that_is_no_gzip_is_told_before_anything_is_sent(folder: Path) -> None:
    (folder / "olist_order_items.csv.gz").write_text("order_id\n")
    assert "olist_order_items.csv.gz" in import_olist(folder, 2)


# The real thing ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def olist() -> tuple[list[Line], RowAccount]:
    if not SHARED.is_dir():
        pytest.skip(f"the Olist sample is not at {SHARED}")

    def rows(name: str) -> Iterator[Row]:
        path = SHARED / f"olist_{name}.csv.gz"
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file)

    account = RowAccount()
    joined = Tables(
        items=items_by_order(rows("order_items"), account),
        reviews=reviews_by_order(rows("order_reviews"), account),
        buyers=buyers(rows("customers")),
        categories=categories(rows("products")),
    )
    return list(lines(rows("orders"), joined, account)), account


def test_the_sample_holds_what_its_description_says(olist: tuple[list[Line], RowAccount]) -> None:
    sent, account = olist
    assert (account.orders, account.items, account.reviews) == (20_864, 23_670, 20_795)
    assert account.without_items.total() == 155
    assert account.split == 246
    assert account.orders_lifted == 294
    assert account.reviews_superseded == 97  # of 96 orders
    assert len({line.order.seller_id for line in sent}) == 2_119
    # Each row is counted once; nobody has answered yet.
    judged = [f'{{"order":"accepted","reviews":[{_accepted(len(line.reviews))}]}}' for line in sent]
    taken = Taken()
    for line, answer in zip(sent, judged, strict=True):
        taken.take(encode(line), decode_answer(answer))
    assert all(each.adds_up for each in import_report.sums(account, taken))


def _accepted(reviews: int) -> str:
    return ",".join(['{"outcome":"accepted"}'] * reviews)
