"""The adapters, and the sandboxes in a process of their own, over HTTP."""

import gzip
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from local_stack import companies
from local_stack.sandbox_kit import Sandbox, sandbox_process
from returns_service.ports.carrier import AskedLabel, CarrierPort, Label, Voided
from returns_service.ports.line import (
    ANSWER_BYTES_MAX,
    UNREADABLE,
    Heard,
    Line,
    NotNow,
    Refused,
    Unknown,
    line_to,
)
from returns_service.ports.payment import (
    READS_MAX,
    Absent,
    AskedRefund,
    Bounced,
    Paid,
    PaymentPort,
    Pending,
)
from returns_service.ports.stock import AskedPieces, OutOfStock, Released, Reserved, StockPort

SECONDS = 0.3
DAY = timedelta(days=1)
NOW = datetime(2025, 3, 10, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    with sandbox_process(folder, returns_url="http://127.0.0.1:9") as running:
        running.move_to(NOW)
        yield running


@pytest.fixture
async def payment(sandbox: Sandbox) -> AsyncIterator[PaymentPort]:
    port = PaymentPort(line_to(f"{sandbox.url}/payments", companies.KEY, seconds=SECONDS))
    yield port
    await port.close()


def new_refund(amount: int = 5399, currency: str = "EUR") -> AskedRefund:
    name = uuid4().hex[:12]
    return AskedRefund(
        refund_id=f"f-{name}", order_id=f"o-{name}", amount_minor=amount, currency=currency
    )


async def test_a_refund_is_sent_and_found(sandbox: Sandbox, payment: PaymentPort) -> None:
    asked = new_refund()
    assert await payment.look(asked) == Absent()
    word = await payment.send(asked)
    assert isinstance(word, Paid)
    assert await payment.look(asked) == word
    assert await payment.send(asked) == word
    assert len(sandbox.book("payments", asked.refund_id)) == 1


async def test_a_time_out_is_not_known_whether_it_paid_or_not(
    sandbox: Sandbox, payment: PaymentPort
) -> None:
    before, after = new_refund(), new_refund()
    sandbox.plan("payments", before.refund_id, calls=["TIME_OUT_BEFORE"])
    sandbox.plan("payments", after.refund_id, calls=["TIME_OUT_AFTER"])
    assert await payment.send(before) == await payment.send(after) == Unknown(code="NO_ANSWER")
    assert await payment.look(before) == Absent()
    assert isinstance(await payment.look(after), Paid)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("ERROR_BEFORE", "HTTP_500"),
        ("ERROR_AFTER", "HTTP_500"),
        ("UNREADABLE", "UNREADABLE"),
        ("IN_PROGRESS", "HTTP_409"),
    ],
)
async def test_what_is_no_answer_is_not_known(
    sandbox: Sandbox, payment: PaymentPort, fault: str, code: str
) -> None:
    asked = new_refund()
    sandbox.plan("payments", asked.refund_id, calls=[fault, "NONE", fault])
    assert await payment.send(asked) == Unknown(code=code)
    assert isinstance(await payment.send(asked), Paid)
    assert await payment.look(asked) == Unknown(code=code)


async def test_a_no_is_definite(sandbox: Sandbox, payment: PaymentPort) -> None:
    refused, later = new_refund(), new_refund()
    sandbox.plan("payments", refused.refund_id, refuse="CARD_CLOSED")
    sandbox.plan("payments", later.refund_id, not_now="BALANCE_TOO_LOW")
    assert await payment.send(refused) == Refused(code="CARD_CLOSED")
    assert await payment.look(refused) == Refused(code="CARD_CLOSED")
    assert await payment.send(later) == NotNow(code="BALANCE_TOO_LOW")
    assert isinstance(await payment.send(later), Paid)


async def test_one_that_waits_is_stopped_and_one_that_is_paid_is_not(
    sandbox: Sandbox, payment: PaymentPort
) -> None:
    waits, paid, never = new_refund(), new_refund(), new_refund()
    sandbox.plan("payments", waits.refund_id, delay_seconds=86400)
    assert isinstance(await payment.send(waits), Pending)
    assert await payment.stop(waits) == Refused(code="STOPPED")
    assert await payment.stop(waits) == await payment.look(waits) == Refused(code="STOPPED")
    word = await payment.send(paid)
    assert await payment.stop(paid) == word
    assert await payment.stop(never) == Absent()


async def test_whether_it_was_stopped_is_asked_when_the_answer_is_lost(
    sandbox: Sandbox, payment: PaymentPort
) -> None:
    done, undone = new_refund(), new_refund()
    for asked, fault in ((done, "TIME_OUT_AFTER"), (undone, "TIME_OUT_BEFORE")):
        calls = ["NONE", "NONE", fault]  # to be sent, looked for, stopped
        sandbox.plan("payments", asked.refund_id, delay_seconds=86400, calls=calls)
        assert isinstance(await payment.send(asked), Pending)
    assert await payment.stop(done) == Refused(code="STOPPED")
    assert await payment.stop(undone) == Unknown(code="NOT_STOPPED")


async def test_what_the_bank_sends_back_days_later_is_told(
    sandbox: Sandbox, payment: PaymentPort
) -> None:
    asked = new_refund()
    sandbox.plan("payments", asked.refund_id, bounce_after_seconds=86400)
    assert isinstance(await payment.send(asked), Paid)
    sandbox.move_to(NOW + DAY + timedelta(hours=1))
    word = await payment.look(asked)
    assert isinstance(word, Bounced)
    assert word.code == "ACCOUNT_CLOSED"
    sandbox.move_to(NOW)


@pytest.mark.parametrize(("amount", "currency"), [(580, "JPY"), (23689, "KWD")])
async def test_g17_g18_the_provider_is_asked_for_the_same_minor_units(
    sandbox: Sandbox, payment: PaymentPort, amount: int, currency: str
) -> None:
    asked = new_refund(amount, currency)
    await payment.send(asked)
    (made,) = sandbox.book("payments", asked.refund_id)
    assert (made["amount_minor"], made["currency"]) == (amount, currency)


async def test_all_of_a_day_are_listed_or_none(sandbox: Sandbox, payment: PaymentPort) -> None:
    sandbox.move_to(NOW + 30 * DAY)
    day = (NOW + 30 * DAY).date()
    sent = [new_refund() for _ in range(203)]
    for asked in sent:
        await payment.send(asked)
    listed = await payment.of_day(day)
    assert not isinstance(listed, Unknown)
    assert [each.reference for each in listed] == [each.refund_id for each in sent]
    assert await payment.of_day(day + DAY) == []
    sandbox.plan("payments", f"day {day}", calls=["NONE", "TIME_OUT_BEFORE", "UNREADABLE"])
    assert await payment.of_day(day) == listed
    sandbox.plan("payments", f"day {day}", calls=["NONE", *["ERROR_BEFORE"] * READS_MAX])
    assert await payment.of_day(day) == Unknown(code="HTTP_500")
    sandbox.move_to(NOW)


async def test_with_another_key_nothing_is_a_no(sandbox: Sandbox) -> None:
    stranger = PaymentPort(line_to(f"{sandbox.url}/payments", "x", seconds=SECONDS))
    asked = new_refund()
    assert await stranger.send(asked) == await stranger.look(asked) == Unknown(code="HTTP_401")
    await stranger.close()


async def test_nobody_there_is_not_known() -> None:
    nobody = PaymentPort(line_to("http://127.0.0.1:9", "x", seconds=SECONDS))
    assert await nobody.send(new_refund()) == Unknown(code="NO_ANSWER")
    await nobody.close()


async def test_a_label_is_made_once_though_its_key_was_forgotten(sandbox: Sandbox) -> None:
    port = CarrierPort(line_to(f"{sandbox.url}/carrier", companies.KEY, seconds=SECONDS))
    asked = AskedLabel(label_id=uuid4().hex, order_id="O1", pieces=2, currency="EUR")
    sandbox.plan("carrier", asked.label_id, calls=["TIME_OUT_AFTER"])
    assert await port.label(asked, sent_before=False) == Unknown(code="NO_ANSWER")
    sandbox.move_to(NOW + 2 * DAY)
    label = await port.label(asked, sent_before=True)
    assert isinstance(label, Label)
    assert len(sandbox.book("carrier", asked.label_id)) == 1
    assert await port.void(label.carrier_ref) == await port.void(label.carrier_ref) == Voided()
    await port.close()
    sandbox.move_to(NOW)


async def test_pieces_are_kept_once_and_given_back(sandbox: Sandbox) -> None:
    port = StockPort(line_to(f"{sandbox.url}/stock", companies.KEY, seconds=SECONDS))
    sku = f"shoe-{uuid4().hex[:8]}"
    sandbox.article(sku, stock=1, price_minor=6499)
    asked = AskedPieces(reservation_id=uuid4().hex, sku=sku, quantity=1, currency="EUR")
    sandbox.plan("stock", asked.reservation_id, calls=["ERROR_AFTER"])
    assert await port.reserve(asked, sent_before=False) == Unknown(code="HTTP_500")
    kept = await port.reserve(asked, sent_before=True)
    assert isinstance(kept, Reserved)
    assert kept.price_minor == 6499
    other = AskedPieces(reservation_id=uuid4().hex, sku=sku, quantity=1, currency="EUR")
    assert await port.reserve(other, sent_before=False) == OutOfStock()
    for _ in range(2):
        assert await port.release(asked.reservation_id, kept=0) == Released()
    assert isinstance(await port.reserve(other, sent_before=True), Reserved)
    assert await port.release("nobody-s", kept=0) == Released()
    await port.close()


async def test_of_what_is_kept_a_part_is_given_back_once_and_what_was_kept_twice(
    sandbox: Sandbox,
) -> None:
    port = StockPort(line_to(f"{sandbox.url}/stock", companies.KEY, seconds=SECONDS))
    sku = f"shoe-{uuid4().hex[:8]}"
    sandbox.article(sku, stock=6, price_minor=6499)
    asked = AskedPieces(reservation_id=uuid4().hex, sku=sku, quantity=3, currency="EUR")
    sandbox.plan("stock", asked.reservation_id, forget=True)
    for _ in range(2):
        assert isinstance(await port.reserve(asked, sent_before=False), Reserved)
    sandbox.plan("stock", asked.reservation_id, calls=["NONE", "ERROR_AFTER"])
    assert await port.release(asked.reservation_id, kept=1) == Unknown(code="HTTP_500")
    for _ in range(2):
        assert await port.release(asked.reservation_id, kept=1) == Released()
    held = [
        (each["status"], each["quantity"]) for each in sandbox.book("stock", asked.reservation_id)
    ]
    assert held == [("RESERVED", 1), ("RELEASED", 3)]
    five, six = (
        AskedPieces(reservation_id=uuid4().hex, sku=sku, quantity=many, currency="EUR")
        for many in (5, 6)
    )
    assert await port.reserve(six, sent_before=False) == OutOfStock()
    assert isinstance(await port.reserve(five, sent_before=False), Reserved)
    await port.close()


@pytest.mark.parametrize(
    ("body", "headers", "is_read"),
    [
        (ANSWER_BYTES_MAX * b"1", {}, True),
        (ANSWER_BYTES_MAX * b"1" + b"1", {}, False),
        (gzip.compress(b"{}"), {"Content-Encoding": "gzip"}, False),
    ],
)
async def test_an_answer_is_as_long_as_it_comes(
    body: bytes, headers: dict[str, str], is_read: bool
) -> None:
    def answered(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(body))

    async with httpx.AsyncClient(
        transport=httpx.MockTransport(answered), base_url="https://pay"
    ) as client:
        heard = await Line(client, seconds=SECONDS).get("/refunds")
    assert heard == (Heard(status=200, body=body) if is_read else Unknown(code=UNREADABLE))
