"""The made-up companies: what they do when all goes well, and when they are told to misbehave."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from local_stack import companies
from local_stack.sandbox_kit import Sandbox, sandbox_process
from local_stack.sandboxes.app import Sandboxes, sandbox_app
from local_stack.sandboxes.faults import Control, Plan, Rates
from local_stack.sandboxes.telling import Telling, signed
from shared_runtime.testing import ManualClock
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

NOW = datetime(2025, 3, 10, 10, tzinfo=UTC)
DAY = timedelta(days=1)
F1 = {"reference": "f1", "order_ref": "O1", "amount_minor": 5399, "currency": "EUR"}
LABEL = {"reference": "R1", "order_ref": "O1", "pieces": 2, "currency": "EUR"}
PIECES = {"reference": "R1", "sku": "shoe-42", "quantity": 2, "currency": "EUR"}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def sandboxes(clock: ManualClock) -> Sandboxes:
    telling = Telling(secret=companies.WEBHOOK_SECRET, now=clock)
    return Sandboxes(telling, doors="http://returns/v1/webhooks", key="key")


@pytest.fixture
async def client(sandboxes: Sandboxes) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(sandbox_app(sandboxes)),
        base_url="http://sandbox",
        headers={"Authorization": "Bearer key"},
    ) as client:
        yield client


async def ask(
    client: httpx.AsyncClient, body: dict[str, Any] = F1, key: str = "f1", path: str = "payments"
) -> httpx.Response:
    plural = {"payments": "refunds", "carrier": "labels", "stock": "reservations"}[path]
    headers = {"Idempotency-Key": key}
    return await client.post(f"/{path}/v1/{plural}", json=body, headers=headers)


async def plan(
    client: httpx.AsyncClient, subject: str, path: str = "payments", **told: object
) -> None:
    answered = await client.put(f"/control/{path}/plans/{subject}", json=told)
    assert answered.status_code == 204, answered.text


def told(sandboxes: Sandboxes) -> list[str]:
    return [
        f"{said['type']} {said['data']['reference']}"
        for said in (
            httpx.Response(200, content=each.body).json() for each in sandboxes.telling.waiting
        )
    ]


async def test_a_refund_is_paid_once_for_a_key_that_is_remembered(
    client: httpx.AsyncClient,
) -> None:
    first, again = await ask(client), await ask(client)
    assert first.status_code == 201
    assert again.status_code == 200
    assert first.json()["status"] == "PAID"
    assert first.json() == again.json()


async def test_a_key_that_was_forgotten_pays_again(
    client: httpx.AsyncClient, clock: ManualClock
) -> None:
    first = (await ask(client)).json()
    clock.at = NOW + DAY - timedelta(seconds=1)
    assert (await ask(client)).json()["id"] == first["id"]
    clock.at = NOW + DAY
    assert (await ask(client)).json()["id"] != first["id"]
    found = (await client.get("/payments/v1/refunds?reference=f1")).json()["items"]
    assert len(found) == 2


async def test_a_key_is_for_one_request(client: httpx.AsyncClient) -> None:
    await ask(client)
    other = await ask(client, F1 | {"amount_minor": 5400})
    assert (other.status_code, other.json()["error"]["code"]) == (422, "KEY_REUSED")


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"amount_minor": 1.5},
        {"currency": "eur"},
        {"x": 1},
    ],
)
async def test_what_is_no_refund_is_refused(
    client: httpx.AsyncClient, sandboxes: Sandboxes, wrong: dict[str, Any]
) -> None:
    assert (await ask(client, F1 | wrong)).status_code == 422
    assert not sandboxes.payments.things


async def test_nobody_asks_without_the_key_of_the_account(client: httpx.AsyncClient) -> None:
    client.headers["Authorization"] = "Bearer another"
    assert (await ask(client)).status_code == 401


async def test_a_no_is_final_and_a_no_for_now_is_not(
    client: httpx.AsyncClient, sandboxes: Sandboxes
) -> None:
    await plan(client, "O1", refuse="CARD_CLOSED")
    assert (await ask(client)).json()["status"] == "REFUSED"
    await plan(client, "f2", not_now="BALANCE_TOO_LOW")
    f2 = F1 | {"reference": "f2", "order_ref": "O2"}
    no = await ask(client, f2, "f2")
    assert (no.status_code, no.json()["error"]) == (
        402,
        {"code": "BALANCE_TOO_LOW", "final": False},
    )
    assert (await ask(client, f2, "f2")).json()["status"] == "PAID"
    assert told(sandboxes) == ["refund.refused f1", "refund.paid f2"]


async def test_a_result_comes_days_later_and_the_bank_sends_it_back(
    client: httpx.AsyncClient, clock: ManualClock
) -> None:
    await plan(client, "f1", delay_seconds=3 * 86400, bounce_after_seconds=86400)
    refund = (await ask(client)).json()
    assert refund["status"] == "PENDING"
    clock.at = NOW + 3 * DAY
    assert (await client.get(f"/payments/v1/refunds/{refund['id']}")).json()["status"] == "PAID"
    clock.at = NOW + 4 * DAY
    back = (await client.get(f"/payments/v1/refunds/{refund['id']}")).json()
    assert (back["status"], back["code"]) == ("BOUNCED", "ACCOUNT_CLOSED")
    assert back["days"] == ["2025-03-10", "2025-03-13", "2025-03-14"]


async def test_what_is_not_paid_yet_can_be_stopped(
    client: httpx.AsyncClient, clock: ManualClock
) -> None:
    await plan(client, "f1", delay_seconds=60)
    refund = (await ask(client)).json()
    stop = f"/payments/v1/refunds/{refund['id']}/cancel"
    assert (await client.post(stop)).json()["status"] == "CANCELLED"
    assert (await client.post(stop)).json()["status"] == "CANCELLED"
    clock.at = NOW + DAY
    assert (await client.get("/payments/v1/refunds?reference=f1")).json()["items"][0][
        "status"
    ] == "CANCELLED"
    paid = (await ask(client, F1 | {"reference": "f2"}, "f2")).json()
    late = await client.post(f"/payments/v1/refunds/{paid['id']}/cancel")
    assert (late.status_code, late.json()["error"]["code"]) == (409, "PAID")


async def test_a_day_is_listed_page_by_page(client: httpx.AsyncClient) -> None:
    for n in range(5):
        await ask(client, F1 | {"reference": f"f{n}"}, f"f{n}")
    seen, cursor = list[str](), ""
    while True:
        page = (
            await client.get(f"/payments/v1/refunds?day=2025-03-10&limit=2&cursor={cursor}")
        ).json()
        seen += [each["reference"] for each in page["items"]]
        if not (cursor := page["next_cursor"]):
            break
    assert seen == ["f0", "f1", "f2", "f3", "f4"]
    assert (await client.get("/payments/v1/refunds?day=2025-03-11")).json()["items"] == []


async def test_calls_go_wrong_one_after_the_other_as_planned(
    client: httpx.AsyncClient, sandboxes: Sandboxes
) -> None:
    await plan(client, "O1", calls=["ERROR_BEFORE", "ERROR_AFTER", "UNREADABLE", "IN_PROGRESS"])
    assert (await ask(client)).status_code == 500
    assert not sandboxes.payments.things
    assert (await ask(client)).status_code == 500
    assert len(sandboxes.payments.things) == 1
    unreadable = await ask(client)
    assert not unreadable.content.startswith(b"{")
    assert (await ask(client)).status_code == 409
    assert (await ask(client)).json()["status"] == "PAID"


async def test_webhooks_are_lost_repeated_and_late(
    client: httpx.AsyncClient, sandboxes: Sandboxes
) -> None:
    await plan(client, "f1", lose=True)
    await plan(client, "f2", copies=3)
    await plan(client, "f3", late_seconds=86400)
    for name in ("f1", "f2", "f3"):
        await ask(client, F1 | {"reference": name}, name)
    waiting = sandboxes.telling.waiting
    assert told(sandboxes) == ["refund.paid f2"] * 3 + ["refund.paid f3"]
    assert len({each.message_id for each in waiting}) == 2
    assert [each.due - NOW for each in waiting] == [timedelta(0)] * 3 + [DAY]


def test_the_same_seed_draws_the_same_faults_in_any_order() -> None:
    rates = Rates(seed=7, time_out_before=200, refuse=100, repeat=100, lose=50)

    def drawn(subjects: list[str]) -> dict[str, Any]:
        control = Control(rates=rates)
        return {each: (control.meets(each), control.plan_of(each)) for each in subjects}

    subjects = [f"f{n}" for n in range(1000)]
    once = drawn(subjects)
    assert once == drawn(subjects[::-1])
    assert 150 < sum(call == "TIME_OUT_BEFORE" for call, _ in once.values()) < 250
    assert 50 < sum(plan.refuse is not None for _, plan in once.values()) < 150


def test_a_plan_is_nobody_elses() -> None:
    control = Control(rates=Rates(time_out_before=1000))
    control.plan("O1", Plan(calls=("ERROR_BEFORE",)))
    assert [control.meets("f1", "O1") for _ in range(2)] == ["ERROR_BEFORE", "NONE"]
    assert control.meets("f2", "O2") == "TIME_OUT_BEFORE"
    control.behave()
    assert control.meets("f2", "O2") == "NONE"


async def test_a_label_has_a_price_and_can_be_taken_back_until_it_is_used(
    client: httpx.AsyncClient, sandboxes: Sandboxes
) -> None:
    label = (await ask(client, LABEL, "R1", "carrier")).json()
    assert (label["carrier"], label["cost_minor"]) == ("sandbox-post", 390)
    assert (await ask(client, LABEL, "R1", "carrier")).json() == label
    scan = {"tracking_id": label["tracking_id"], "kind": "HANDED_OVER"}
    assert (await client.post("/control/carrier/scans", json=scan)).status_code == 204
    void = await client.post(f"/carrier/v1/labels/{label['id']}/void")
    assert (void.status_code, void.json()["error"]["code"]) == (409, "USED")
    other = (await ask(client, LABEL | {"reference": "R2"}, "R2", "carrier")).json()
    voided = await client.post(f"/carrier/v1/labels/{other['id']}/void")
    assert voided.json()["status"] == "VOIDED"
    assert (
        await client.post("/control/carrier/losses", json={"tracking_id": label["tracking_id"]})
    ).status_code == 204
    unknown = {"tracking_id": "SP9", "kind": "HANDED_OVER"}
    assert (await client.post("/control/carrier/scans", json=unknown)).status_code == 404
    assert told(sandboxes) == ["parcel.scanned R1", "parcel.lost R1"]


async def test_pieces_are_reserved_as_long_as_there_are_some(client: httpx.AsyncClient) -> None:
    article = {"stock": 3, "price_minor": 6499}
    assert (await client.put("/control/stock/articles/shoe-42", json=article)).status_code == 204
    kept = (await ask(client, PIECES, "R1", "stock")).json()
    assert (kept["price_minor"], kept["status"]) == (6499, "RESERVED")
    no = await ask(client, PIECES | {"reference": "R2"}, "R2", "stock")
    assert (no.status_code, no.json()["error"]) == (422, {"code": "OUT_OF_STOCK", "final": True})
    release = f"/stock/v1/reservations/{kept['id']}/release"
    assert (await client.post(release)).json()["status"] == "RELEASED"
    assert (await client.post(release)).json()["status"] == "RELEASED"
    again = await ask(client, PIECES | {"reference": "R3"}, "R3", "stock")
    assert again.status_code == 201


def test_a_webhook_is_signed_as_the_standard_says() -> None:
    body = b'{"type":"refund.paid"}'
    headers = signed(companies.WEBHOOK_SECRET, "msg_1", body, datetime.now(UTC))
    assert Webhook(companies.WEBHOOK_SECRET).verify(body, headers) == {"type": "refund.paid"}
    with pytest.raises(WebhookVerificationError):
        Webhook(companies.WEBHOOK_SECRET).verify(body + b" ", headers)


# --- The process


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox_process(
        tmp_path_factory.mktemp("sandbox"), returns_url="http://127.0.0.1:9"
    ) as running:
        yield running


def post(process: Sandbox, reference: str) -> httpx.Response:
    return httpx.post(
        f"{process.url}/payments/v1/refunds",
        json=F1 | {"reference": reference},
        headers={"Authorization": f"Bearer {companies.KEY}", "Idempotency-Key": reference},
        timeout=1,
    )


@pytest.mark.parametrize(("fault", "made"), [("TIME_OUT_BEFORE", 0), ("TIME_OUT_AFTER", 1)])
def test_a_time_out_says_nothing_of_whether_it_was_done(
    process: Sandbox, fault: str, made: int
) -> None:
    process.plan("payments", fault, calls=[fault])
    with pytest.raises(httpx.ReadTimeout):
        post(process, fault)
    assert len(process.book("payments", fault)) == made


def test_its_time_is_that_of_the_stack(process: Sandbox) -> None:
    process.move_to(NOW)
    process.plan("payments", "later", delay_seconds=86400)
    assert post(process, "later").json()["status"] == "PENDING"
    process.move_to(NOW + DAY + timedelta(seconds=1))
    (later,) = process.book("payments", "later")
    assert later["status"] == "PAID"
    assert later["days"] == ["2025-03-10", "2025-03-11"]
