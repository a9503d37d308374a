"""What is heard of the companies: nothing is a no but their own definite word."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_stack.sandboxes.telling import signed
from pydantic import SecretStr, ValidationError
from returns_service.ports import carrier, stock
from returns_service.ports.carrier import AskedLabel, Label, Voided
from returns_service.ports.line import Heard, NotNow, Refused, Unknown
from returns_service.ports.payment import (
    Absent,
    AskedRefund,
    Bounced,
    Paid,
    Pending,
    looked_word,
    sent_word,
)
from returns_service.ports.settings import LOCAL_WEBHOOK_SECRET, PortSettings
from returns_service.ports.stock import AskedPieces, OutOfStock, Released, Reserved
from returns_service.ports.webhooks import NotTheirs, verify

F1 = AskedRefund(refund_id="f1", order_id="O1", amount_minor=5399, currency="EUR")
TOLD = {
    "id": "re_1",
    "reference": "f1",
    "order_ref": "O1",
    "amount_minor": 5399,
    "currency": "EUR",
    "status": "PAID",
}


def heard(body: object, status: int = 200) -> Heard:
    return Heard(status=status, body=msgspec.json.encode(body))


def no(status: int, code: str, *, final: bool = True) -> Heard:
    return heard({"error": {"code": code, "final": final}}, status)


def listed(*items: dict[str, Any]) -> Heard:
    return heard({"items": items, "next_cursor": None})


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({}, Paid(gateway_ref="re_1")),
        ({"status": "PENDING"}, Pending(gateway_ref="re_1")),
        ({"status": "REFUSED", "code": "CARD_CLOSED"}, Refused(code="CARD_CLOSED")),
        ({"status": "REFUSED"}, Refused(code="OTHER")),
        ({"status": "REFUSED", "code": "a/b\n"}, Refused(code="OTHER")),
        ({"status": "CANCELLED"}, Refused(code="STOPPED")),
        (
            {"status": "BOUNCED", "code": "ACCOUNT_CLOSED"},
            Bounced(gateway_ref="re_1", code="ACCOUNT_CLOSED"),
        ),
        ({"status": "SETTLING"}, Unknown(code="UNREADABLE")),
        ({"id": "x" * 65}, Unknown(code="UNREADABLE")),
        ({"amount_minor": 539900}, Unknown(code="DIFFERENT")),
        ({"currency": "JPY"}, Unknown(code="DIFFERENT")),
        ({"reference": "f2"}, Unknown(code="DIFFERENT")),
        ({"order_ref": "O2"}, Unknown(code="DIFFERENT")),
    ],
)
def test_the_providers_word_is_taken_for_what_was_asked_alone(
    said: dict[str, Any], word: object
) -> None:
    assert sent_word(F1, heard(TOLD | said, 201)) == word
    assert looked_word(F1, listed(TOLD | said)) == word


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (Unknown(code="NO_ANSWER"), Unknown(code="NO_ANSWER")),
        (Heard(status=201, body=b"<html>"), Unknown(code="UNREADABLE")),
        (Heard(status=500, body=b""), Unknown(code="HTTP_500")),
        (no(500, "CARD_CLOSED"), Unknown(code="HTTP_500")),
        (no(503, "CARD_CLOSED"), Unknown(code="HTTP_503")),
        (no(409, "IN_PROGRESS", final=False), Unknown(code="HTTP_409")),
        (no(409, "PAID"), Unknown(code="HTTP_409")),
        (no(401, "UNAUTHENTICATED"), Unknown(code="HTTP_401")),
        (no(404, "NOT_FOUND"), Unknown(code="HTTP_404")),
        (no(429, "SLOW"), Unknown(code="HTTP_429")),
        (Heard(status=402, body=b"no"), Unknown(code="HTTP_402")),
        (no(402, "BALANCE_TOO_LOW", final=False), NotNow(code="BALANCE_TOO_LOW")),
        (no(422, "CARD_CLOSED"), Refused(code="CARD_CLOSED")),
    ],
)
def test_only_a_definite_no_is_a_no(answer: Heard | Unknown, word: object) -> None:
    assert sent_word(F1, answer) == word


def test_only_an_empty_list_is_a_not_there() -> None:
    assert looked_word(F1, listed()) == Absent()
    for answer in (
        Unknown(code="NO_ANSWER"),
        no(404, "NOT_FOUND"),
        no(422, "NOT_FOUND"),
        Heard(status=200, body=b""),
        heard({}),
        heard(None),
    ):
        assert isinstance(looked_word(F1, answer), Unknown)


def test_of_several_of_one_name_the_one_that_is_paid_counts() -> None:
    refused = TOLD | {"id": "re_0", "status": "REFUSED"}
    pending = TOLD | {"id": "re_2", "status": "PENDING"}
    assert looked_word(F1, listed(refused, pending)) == Pending(gateway_ref="re_2")
    assert looked_word(F1, listed(pending, refused, TOLD)) == Paid(gateway_ref="re_1")


def test_a_list_of_others_refunds_says_nothing() -> None:
    assert looked_word(F1, listed(TOLD | {"reference": "f2"})) == Unknown(code="DIFFERENT")


@given(status=st.integers(100, 599), body=st.binary(max_size=40))
def test_whatever_is_answered_has_a_word(status: int, body: bytes) -> None:
    """What nobody has agreed upon is neither paid nor refused nor absent."""
    answer = Heard(status=status, body=body)
    assert isinstance(sent_word(F1, answer), Unknown)
    assert isinstance(looked_word(F1, answer), Unknown)


# --- Carrier and stock

LABEL = AskedLabel(label_id="R1", order_id="O1", pieces=1, currency="EUR")
THEIRS = {
    "id": "lb_1",
    "reference": "R1",
    "carrier": "post",
    "tracking_id": "SP1",
    "cost_minor": 390,
    "currency": "EUR",
    "status": "CREATED",
}
GOOD = Label(carrier_ref="lb_1", carrier="post", tracking_id="SP1", cost_minor=390)


def test_a_label_is_the_one_that_was_asked_for_in_that_currency() -> None:
    assert carrier.asked_label(LABEL, heard(THEIRS, 201)) == GOOD
    for wrong in ({"currency": "USD"}, {"reference": "R2"}, {"cost_minor": -1}, {"carrier": ""}):
        assert isinstance(carrier.asked_label(LABEL, heard(THEIRS | wrong, 201)), Unknown)
    assert carrier.asked_label(LABEL, no(422, "NO_SERVICE")) == Refused(code="NO_SERVICE")
    assert carrier.asked_label(LABEL, no(500, "X")) == Unknown(code="HTTP_500")


def test_a_label_that_was_taken_back_is_none() -> None:
    old = THEIRS | {"id": "lb_0", "status": "VOIDED"}
    assert carrier.found_label(LABEL, listed(old)) is None
    assert carrier.found_label(LABEL, listed(old, THEIRS)) == GOOD
    assert carrier.voided(heard(old)) == Voided()
    assert carrier.voided(no(409, "USED")) == Unknown(code="HTTP_409")
    assert carrier.voided(no(422, "USED")) == Refused(code="USED")


PIECES = AskedPieces(reservation_id="R1", sku="shoe-42", quantity=1, currency="EUR")
KEPT = {
    "id": "rv_1",
    "reference": "R1",
    "sku": "shoe-42",
    "quantity": 1,
    "price_minor": 6499,
    "currency": "EUR",
    "status": "RESERVED",
}


def test_only_the_stocks_own_word_is_out_of_stock() -> None:
    assert stock.asked_pieces(PIECES, heard(KEPT)) == Reserved(stock_ref="rv_1", price_minor=6499)
    assert stock.asked_pieces(PIECES, no(422, "OUT_OF_STOCK")) == OutOfStock()
    assert stock.asked_pieces(PIECES, no(503, "OUT_OF_STOCK")) == Unknown(code="HTTP_503")
    assert stock.asked_pieces(PIECES, no(422, "OTHER")) == Refused(code="OTHER")
    for wrong in ({"sku": "shoe-43"}, {"quantity": 2}, {"price_minor": -1}, {"currency": "USD"}):
        assert isinstance(stock.asked_pieces(PIECES, heard(KEPT | wrong)), Unknown)


def test_a_reservation_that_was_given_back_is_none() -> None:
    released = KEPT | {"status": "RELEASED"}
    assert stock.found_pieces(PIECES, listed(released)) is None
    assert stock.released(heard(released), 0) == Released()
    assert stock.released(heard(KEPT), 1) == Released()
    assert stock.released(heard(released), 1) == Unknown(code="DIFFERENT")
    assert stock.released(heard(KEPT), 0) == Unknown(code="DIFFERENT")


# --- Webhooks and secrets

BODY = b'{"type":"refund.paid"}'
SECRET = LOCAL_WEBHOOK_SECRET


def headers(**wrong: str) -> dict[str, str]:
    names = {name.replace("_", "-"): value for name, value in wrong.items()}
    return signed(SECRET, "msg_1", BODY, datetime.now(UTC)) | names


def test_i20_g25_a_webhook_is_believed_with_its_signature_and_its_time_alone() -> None:
    verify(SECRET, BODY, headers())
    for wrong in (
        headers(webhook_signature=""),
        headers(webhook_signature="v1"),
        headers(webhook_signature="v1,???"),
        headers(webhook_signature="v2," + headers()["webhook-signature"][3:]),
        headers(webhook_id="msg_2"),
        headers(webhook_timestamp="0"),
        headers(webhook_timestamp="nan"),
        {},
    ):
        with pytest.raises(NotTheirs):
            verify(SECRET, BODY, wrong)
    for body in (BODY + b" ", b"", b"\xff"):
        with pytest.raises(NotTheirs):
            verify(SECRET, body, headers())


@pytest.mark.parametrize("by", [timedelta(minutes=5, seconds=2), -timedelta(minutes=5, seconds=2)])
def test_i20_g25_a_good_signature_of_another_time_is_none(by: timedelta) -> None:
    old = signed(SECRET, "msg_1", BODY, datetime.now(UTC) - by)
    with pytest.raises(NotTheirs):
        verify(SECRET, BODY, old)
    near = signed(SECRET, "msg_1", BODY, datetime.now(UTC) - by * 0.9)
    verify(SECRET, BODY, near)


PRODUCTION: dict[str, Any] = {
    "env": "production",
    "database_url": SecretStr("postgres://"),
    "kafka": "kafka",
    "jwks_url": "https://issuer/jwks",
    "issuer": "issuer",
    "cursor_key": "c" * 32,
    "token_key": "t" * 32,
    "payment_url": "https://payments",
    "payment_key": "k",
    "payment_webhook_secret": SECRET,
    "carrier_url": "https://carrier",
    "carrier_key": "k",
    "carrier_webhook_secret": SECRET,
    "stock_url": "https://stock",
    "stock_key": "k",
}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("payment_key", None, "AFTERSALES_PAYMENT_KEY is needed"),
        ("payment_webhook_secret", None, "AFTERSALES_PAYMENT_WEBHOOK_SECRET is needed"),
        ("payment_webhook_secret", "", "24 bytes"),
        ("payment_webhook_secret", "whsec_", "24 bytes"),
        ("payment_webhook_secret", "whsec_c2hvcnQ=", "24 bytes"),
        ("payment_webhook_secret", "whsec_?!", "base64"),
        ("payment_url", "http://payments", "AFTERSALES_PAYMENT_URL must be https"),
        ("carrier_key", None, "AFTERSALES_CARRIER_KEY is needed"),
        ("carrier_webhook_secret", None, "AFTERSALES_CARRIER_WEBHOOK_SECRET is needed"),
        ("stock_key", "", "AFTERSALES_STOCK_KEY is needed"),
        ("stock_url", "http://stock", "AFTERSALES_STOCK_URL must be https"),
    ],
)
def test_g25_outside_of_one_machine_it_does_not_start_without_a_secret(
    name: str, value: str | None, said: str
) -> None:
    assert PortSettings.model_validate(PRODUCTION).payment_secret == SECRET
    with pytest.raises(ValidationError, match=said):
        PortSettings.model_validate(PRODUCTION | {name: value})


def test_on_one_machine_the_sandboxes_need_no_settings() -> None:
    local = {"env": "local", "jwks_url": "file:///jwks"}
    told = {name: PRODUCTION[name] for name in ("database_url", "kafka", "issuer")}
    assert PortSettings.model_validate(local | told).payment_secret == LOCAL_WEBHOOK_SECRET
