"""Rows of other platforms' files become lines of bulk intake, or are told what is wrong."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from shared_cli.bulk_line import BuyerReview, Line, Money, Reply, Restricted, SellerReview
from shared_cli.csv_lines import (
    Row,
    Unmapped,
    instant_of,
    line_of,
    minor_of,
    orders_of,
    stars_of,
)
from shared_cli.csv_mapping import Mapping, Source, StarScale, Unusable, read_mapping

MAPPINGS = Path(__file__).parents[3] / "docs/mappings"
ONE_TO_FIVE = (Decimal(1), Decimal(5))
ZERO_TO_TEN = (Decimal(0), Decimal(10))
HALF_STARS = (Decimal("0.5"), Decimal(5))


@pytest.mark.parametrize(
    ("text", "scale", "halves", "stars"),
    [
        ("1", ONE_TO_FIVE, "up", 1),
        ("5", ONE_TO_FIVE, "up", 5),
        ("4.5", ONE_TO_FIVE, "up", 5),
        ("4,5", ONE_TO_FIVE, "up", 5),
        ("4.5", ONE_TO_FIVE, "down", 4),
        ("4.49", ONE_TO_FIVE, "up", 4),
        ("4.51", ONE_TO_FIVE, "down", 5),
        ("1.5", ONE_TO_FIVE, "down", 1),
        ("0", ZERO_TO_TEN, "up", 1),
        ("10", ZERO_TO_TEN, "up", 5),
        ("5", ZERO_TO_TEN, "up", 3),
        ("6.25", ZERO_TO_TEN, "up", 4),
        ("6.25", ZERO_TO_TEN, "down", 3),
        ("6.24", ZERO_TO_TEN, "up", 3),
        ("0.5", HALF_STARS, "up", 1),
        ("5", HALF_STARS, "down", 5),
    ],
)
def test_stars_of_any_scale_are_laid_on_ours_in_equal_steps(
    text: str, scale: tuple[Decimal, Decimal], halves: str, stars: int
) -> None:
    assert stars_of(text, scale, halves) == stars


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.9", "'0.9' is not on the scale 1..5"),
        ("5.1", "'5.1' is not on the scale 1..5"),
        ("five", "'five' is no number"),
        ("NaN", "'NaN' is no number"),
        ("Infinity", "'Infinity' is no number"),
    ],
)
def test_what_is_not_on_the_scale_is_no_stars(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        stars_of(text, ONE_TO_FIVE, "up")


@pytest.mark.parametrize(
    ("text", "decimals", "point", "minor"),
    [("19.9", 2, ".", 1990), ("1.019,90", 2, ",", 101_990), ("1,019", 0, ".", 1019)],
)
def test_amounts_are_read_as_they_are_written_there(
    text: str, decimals: int, point: str, minor: int
) -> None:
    assert minor_of(text, decimals, point) == minor


@pytest.mark.parametrize("text", ["-1", "1.999", "EUR 5", "NaN", "90071992547409.92"])
def test_what_is_no_amount_of_the_currency_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no amount"):
        minor_of(text, 2, ".")


@pytest.mark.parametrize(
    ("text", "form", "at"),
    [
        ("2025-07-01 12:00", "ISO", datetime(2025, 7, 1, 10, tzinfo=UTC)),
        ("2025-07-01T12:00:00+05:00", "ISO", datetime(2025, 7, 1, 7, tzinfo=UTC)),
        ("01/02/2025", "%d/%m/%Y", datetime(2025, 1, 31, 23, tzinfo=UTC)),
        ("1735689600", "UNIX", datetime(2025, 1, 1, tzinfo=UTC)),
    ],
)
def test_dates_without_a_zone_are_of_the_zone_that_the_mapping_names(
    text: str, form: str, at: datetime
) -> None:
    assert instant_of(text, [form], "Europe/Berlin") == at


def test_a_date_of_no_form_is_refused_with_the_forms() -> None:
    with pytest.raises(ValueError, match=r"'31.02.2025' is no date of the form %d.%m.%Y or ISO"):
        instant_of("31.02.2025", ["%d.%m.%Y", "ISO"], "UTC")


# --- The layouts that ship


def rows_of(header: str, *rows: str, separator: str = ",") -> list[Row]:
    names = header.split(separator)
    return [
        Row(number, dict(zip(names, row.split(separator), strict=True)))
        for number, row in enumerate(rows, 2)
    ]


def lines_of(mapping: Mapping, rows: list[Row]) -> Iterator[Line]:
    return (line_of(each, mapping) for each in orders_of(rows, mapping))


def test_every_mapping_that_ships_can_be_read() -> None:
    files = sorted(MAPPINGS.glob("*.toml"))
    assert [file.stem for file in files] == [
        *("aspects", "exported", "feefo", "kreezalid", "okendo", "yourshop"),
    ]
    assert all(read_mapping(file).described for file in files)


def test_a_row_of_feefos_layout_is_an_order_with_two_ratings() -> None:
    rows = rows_of(
        "Name,Email,Sale Date,Feedback Date,Product Id,Service Rating,Service Comment,"
        "Product Rating,Product Comment",
        "A. Reader,a@example.org,03/07/2025,10/07/2025,0401,4,Quick enough,5,Bright",
    )
    [line] = lines_of(read_mapping(MAPPINGS / "feefo.toml"), rows)
    [review] = line.reviews
    assert isinstance(review, BuyerReview)
    assert (review.quality, review.logistics, review.service) == (5, 4, 4)
    assert (review.title, review.text) == ("Bright", "Quick enough")
    assert line.order.placed_at == datetime(2025, 7, 2, 23, tzinfo=UTC)
    assert b"example.org" not in msgspec.json.encode(line)  # an address is no id
    steps = (line.paid, line.shipped, line.delivered, line.completed)
    assert {step.at for step in steps if step} == {line.order.placed_at}
    assert all(steps)


def test_a_row_of_okendos_layout_is_a_review_of_one_product() -> None:
    rows = rows_of(
        "name,body,handle,productId,rating,sku,dateCreated,countryCode,email,imageUrls",
        "Bo,Bright,lamp,77,3,L-1,2025-07-03,us,bo@example.org,",
    )
    [line] = lines_of(read_mapping(MAPPINGS / "okendo.toml"), rows)
    [review] = line.reviews
    assert isinstance(review, BuyerReview)
    assert (review.quality, review.logistics, review.service, review.text) == (3, 3, 3, "Bright")
    assert [each.sku for each in line.order.lines] == ["77"]


def test_two_rows_of_kreezalids_layout_are_the_sides_of_one_order() -> None:
    rows = rows_of(
        "role;customer_id;supplier_id;note;is_public;review;completed_at",
        "customer;c1;s1;5;yes;Bright;2025-07-23 10:45",
        "supplier;c1;s1;4;no;Paid late;2025-07-23 10:45",
        "customer;c2;s1;1;;Dark;07/24/2025 09:00",
        separator=";",
    )
    both, alone = lines_of(read_mapping(MAPPINGS / "kreezalid.toml"), rows)
    buyers, sellers = both.reviews
    assert isinstance(buyers, BuyerReview)
    assert isinstance(sellers, SellerReview)
    assert (buyers.quality, buyers.restricted) == (5, None)
    assert (sellers.rating, sellers.restricted) == (4, Restricted(at=sellers.at, ground="OTHER"))
    assert alone.reviews[0].restricted is not None  # what is not said to be public is not
    assert both.order.seller_id == alone.order.seller_id != both.order.buyer_id


def test_a_row_of_yourshops_layout_has_the_shops_answer() -> None:
    rows = rows_of(
        "id,ida,clid,state,lang,stars,vb,name,climsg,ownmsg,stamp",
        "118,lamp-4,69,1,1,4,1,Zeta,Bright,Thank you,2025-06-04 18:19:09",
        "119,lamp-4,70,1,1,2,1,Yota,,,2025-06-05 18:19:09",
    )
    answered, bare = lines_of(read_mapping(MAPPINGS / "yourshop.toml"), rows)
    at = datetime(2025, 6, 4, 16, 19, 9, tzinfo=UTC)
    assert answered.reviews[0].reply == Reply(at=at, text="Thank you")
    assert (bare.reviews[0].text, bare.reviews[0].reply) == (None, None)
    assert (answered.order.order_id, answered.order.buyer_id) == ("yourshop-118", "b-69")


ASPECTS = read_mapping(MAPPINGS / "aspects.toml")
ASPECT_HEADER = (
    "order;shop;buyer;ordered;postage;position;article;pieces;price;arrived;rated;headline;words;"
    "answer;answered;removed;removed_at;aspect;points"
)
ARTICLE = (
    "o-1;s-1;b-1;01.07.2025 09:00;4,90;1;lamp-4;2;1.049,90;05.07.2025;06.07.2025;Bright;Reads well;"
    "Thank you;07.07.2025;;;article;10"
)


def aspect_rows(*rows: str) -> list[Row]:
    return rows_of(ASPECT_HEADER, *rows, separator=";")


def aspect(name: str, points: str, **cells: str) -> Row:
    [row] = aspect_rows(ARTICLE)
    return Row(row.number, {**row.cells, "aspect": name, "points": points, **cells})


def test_the_aspects_of_an_order_are_one_review() -> None:
    rows = [
        aspect("article", "10"),
        aspect("delivery", "6.25"),
        aspect("contact", "0", words="", removed="fake", removed_at="08.07.2025"),
        aspect("packaging", "1"),
    ]
    [line] = lines_of(ASPECTS, rows)
    [review] = line.reviews
    assert isinstance(review, BuyerReview)
    assert (review.quality, review.logistics, review.service) == (5, 4, 1)
    assert (review.title, review.text) == ("Bright", "Reads well")
    assert review.restricted == Restricted(at=datetime(2025, 7, 7, 22, tzinfo=UTC), ground="FAKE")
    [item] = line.order.lines  # the same position in each row
    assert (item.quantity, item.unit_price) == (2, Money(104_990, "EUR"))
    assert (line.order.shipping, line.order.total) == (Money(490, "EUR"), Money(210_470, "EUR"))
    assert line.order.total_ref == Money(246_249, "USD")  # 1.17 dollars each


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([aspect("article", "10")], "review[0].logistics: in no row"),
        (
            [aspect("article", "10"), aspect("article", "9")],
            "review[0].aspects: quality is told twice",
        ),
        ([aspect("smell", "10")], "review[0].aspects: 'smell' is none of article, delivery"),
        ([aspect("article", "11")], "review[0].quality: '11' is not on the scale 0..10"),
        ([aspect("article", "")], "review[0].quality: empty"),
        (
            [aspect("article", "1"), aspect("delivery", "1", buyer="b-2")],
            "order.buyer_id: the rows of one order differ",
        ),
        ([aspect("article", "1", price="ten")], "item.unit_price: 'ten' is no amount"),
        ([aspect("article", "1", ordered="")], "order.placed_at: empty"),
        ([aspect("article", "1", article=" ")], "item.sku: empty"),
        ([aspect("article", "1", pieces="1.5")], "item.quantity: '1.5' is no whole number"),
        ([aspect("article", "1", removed="dull")], "review[0].hidden: 'dull' is none of abuse"),
    ],
)
def test_rows_that_make_no_line_are_told_all_that_is_wrong(rows: list[Row], why: str) -> None:
    with pytest.raises(Unmapped) as refused:
        line_of(rows, ASPECTS)
    assert any(reason.startswith(why) for reason in refused.value.reasons)


def test_an_order_without_stars_and_words_has_no_review() -> None:
    [line] = lines_of(ASPECTS, [aspect("", "", headline="", words="")])
    assert line.reviews == []


def test_rows_of_an_order_that_stand_apart_are_two_lines_of_it() -> None:
    rows = [aspect("article", "1"), aspect("article", "1", order="o-2"), aspect("article", "1")]
    assert [len(each) for each in orders_of(rows, ASPECTS)] == [1, 1, 1]
    assert [len(each) for each in orders_of(rows[:1] + rows[2:], ASPECTS)] == [2]
    one = replace(ASPECTS, rows="one")
    assert [len(each) for each in orders_of(rows[:1] + rows[2:], one)] == [1, 1]


# --- Mappings that cannot be followed


MINIMAL = """
[order]
order_id = "id"
seller_id = "s"
buyer_id = "b"
marketplace_id = "m"
country = "c"
currency = "e"
placed_at = "p"
[item]
sku = "k"
"""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rows = 'many'\n" + MINIMAL, "Invalid enum value 'many'"),
        ("colour = 'red'\n" + MINIMAL, "unknown field `colour`"),
        ("= 1", "Invalid statement"),
        (MINIMAL + "[dates]\nzone = 'Mars/North'", "dates.zone: no time zone 'Mars/North'"),
        (MINIMAL + "[file]\nencoding = 'utf-99'", "file.encoding: no encoding 'utf-99'"),
        (MINIMAL + "[file]\ndelimiter = '\"'", "file.delimiter"),
        (MINIMAL + "[stars]\nscale = [5, 1]", "stars.scale: the least comes before the most"),
        (MINIMAL + "[[review]]\nat = 'p'", r"review\[0\]: no logistics, quality, service"),
        (MINIMAL + "[[review]]\nby = 'SELLER'\nat = 'p'", r"review\[0\]: no rating"),
        (
            MINIMAL
            + "[[review]]\nat = 'p'\n[review.aspects]\ncolumn = 'a'\nstars = 'n'\nnames = {}",
            'aspects: with rows = "several"',
        ),
    ],
)
def test_a_mapping_that_cannot_be_followed_is_refused(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "map.toml"
    file.write_text(text)
    with pytest.raises(Unusable, match=why):
        read_mapping(file)


def test_a_column_may_say_what_another_name_is_for() -> None:
    named = Source(column="verdict", names={"Positive": "5", "Negative": "1"})
    [review] = ASPECTS.review
    plain = replace(review, quality=named, logistics=named, service=named, aspects=None)
    mapping = replace(ASPECTS, review=[plain], stars=StarScale())
    [line] = lines_of(mapping, [aspect("", "", verdict="Negative")])
    assert isinstance(line.reviews[0], BuyerReview)
    assert line.reviews[0].quality == 1
