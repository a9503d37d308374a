"""The gateway's YAML in a real Envoy: what is documented comes through, and what is refused is
refused in the words that the services have.
"""

import asyncio
import json
import re
import socket
import ssl
import time
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from deploy_tools.host_mode import TLS, HostGateway
from deploy_tools.routes import SERVICES, document_of, operations
from deploy_tools.upstreams import Upstreams
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey
from local_stack import issuer
from shared_runtime.edge import SHARED_WITH_ORIGINS

PROBLEM = "application/problem+json"
SHOP = "https://shop.aftersales.example"
CHALLENGE = 'Bearer error="invalid_token"'
LARGER_THAN_A_BODY = b" " * (256 * 1024 + 1)
pytestmark = pytest.mark.servers
of_every_service = pytest.mark.parametrize("service", SERVICES)


def token(folder: Path, sub: str = "B1", **claims: object) -> str:
    """One of the issuer's, with claims that are not as they should be."""
    key = ECKey.import_key(json.loads(issuer.key_file(folder).read_text()))
    return signed(key, {"sub": sub, **claims})


def signed(key: ECKey | OKPKey, claims: dict[str, object], algorithm: str = "ES256") -> str:
    now = int(time.time())
    told = {
        "iss": "https://issuer.aftersales.example",
        "aud": issuer.AUDIENCE,
        "roles": ["BUYER"],
        "iat": now,
        "exp": now + 600,
    }
    header = {"alg": algorithm, "kid": key.kid}
    return jwt.encode(header, told | claims, key, algorithms=[algorithm])


def unsigned(of: str) -> str:
    header = urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    return f"{header}.{of.split('.')[1]}."


def trusting(tls: TLS) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=tls.certificate)


@pytest.fixture
async def ask(gateway: HostGateway, tls: TLS) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the gateway; a test says the host of a service."""
    async with asking_from(None, gateway, tls) as client:
        yield client


def asking_from(address: str | None, gateway: HostGateway, tls: TLS) -> httpx.AsyncClient:
    few = httpx.Limits(max_connections=10)  # to begin one takes as long as many requests on it
    way = httpx.AsyncHTTPTransport(verify=trusting(tls), limits=few, local_address=address)
    return httpx.AsyncClient(base_url=gateway.url, transport=way, timeout=30)


class At:
    """Asks one service for one account."""

    def __init__(self, client: httpx.AsyncClient, service: str, bearer: str | None) -> None:
        self._client = client
        self._headers = {"Host": f"{service}.aftersales.example"}
        if bearer is not None:
            self._headers["Authorization"] = f"Bearer {bearer}"

    async def __call__(
        self, method: str, path: str, *, content: bytes | None = None, **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client.request(
            method, path, content=content, headers=self._headers | named
        )


def is_problem(answer: httpx.Response, status: int, slug: str) -> None:
    assert (answer.status_code, answer.headers.get("content-type")) == (status, PROBLEM)
    told = answer.json()
    assert (told["type"], told["status"]) == (f"/problems/{slug}", status)
    assert told["title"]
    assert told["detail"]


@of_every_service
async def test_each_operation_reaches_its_service(
    service: str, ask: httpx.AsyncClient, issuer_folder: Path
) -> None:
    asked = 0
    for each in operations(service, document_of(service)):
        path = re.sub(r"{\w+}", "X1", each.path)
        # A company that signs has no token, nor has who follows a link.
        bearer = None if each.kind == "signed" else token(issuer_folder, f"{service}-{asked}")
        answer = await At(ask, service, bearer)(each.method, path)
        if each.kind is None:
            is_problem(answer, 404, "not-found")
            continue
        told = answer.json()
        reached = (told["service"], told["method"], told["path"])
        assert (answer.status_code, *reached) == (200, service, each.method, path)
        # The service verifies the same token again.
        assert told["headers"].get("authorization") == (f"Bearer {bearer}" if bearer else None)
        asked += 1
    assert asked > 40


@of_every_service
async def test_health_metrics_and_what_is_not_documented_reach_nobody(
    service: str, ask: httpx.AsyncClient, issuer_folder: Path
) -> None:
    for bearer in (None, token(issuer_folder)):
        at = At(ask, service, bearer)
        for path in ("/livez", "/readyz", "/metrics", "/docs", "/", "/v1", "/v1/nothing/at/all"):
            is_problem(await at("GET", path), 404, "not-found")


async def test_a_host_that_is_nobodys_is_not_there(
    ask: httpx.AsyncClient, issuer_folder: Path
) -> None:
    at = At(ask, "somebody", token(issuer_folder))
    is_problem(await at("GET", "/v1/orders/O-1"), 404, "not-found")


async def test_an_id_of_any_script_comes_as_it_was_sent(
    ask: httpx.AsyncClient, issuer_folder: Path
) -> None:
    path = f"/v1/orders/{quote('Ä 1;%?#', safe='')}"
    answer = await At(ask, "review", token(issuer_folder))("GET", path)
    assert answer.json()["path"] == path


@pytest.mark.parametrize("path", ["/v1/orders/O-1", "/v1/orders/bulk", "/v1/media"])
async def test_who_does_not_prove_who_he_is_is_told_how(
    path: str, ask: httpx.AsyncClient, issuer_folder: Path
) -> None:
    foreign = ECKey.generate_key("P-256", {"kid": "foreign"})
    own = json.loads(issuer.key_file(issuer_folder).read_text())
    stolen_name = ECKey.generate_key("P-256", {"kid": own["kid"]})
    refused = {
        "missing": None,
        "expired": token(issuer_folder, exp=int(time.time()) - 120),
        "foreign": signed(foreign, {"sub": "B1"}),
        "foreign, by our key's name": signed(stolen_name, {"sub": "B1"}),
        "none": unsigned(token(issuer_folder)),
        "of another issuer": token(issuer_folder, iss="https://evil.example"),
        "for another audience": token(issuer_folder, aud="else"),
        "no token": "x",
    }
    for what, bearer in refused.items():
        answer = await At(ask, "review", bearer)("POST", path)
        is_problem(answer, 401, "unauthenticated")
        assert answer.headers.get("www-authenticate") == CHALLENGE, what
    answer = await At(ask, "review", token(issuer_folder))("POST", path)
    assert answer.status_code == 200


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
async def test_a_token_is_signed_by_an_edwards_curve_too_under_its_older_name(
    ask: httpx.AsyncClient, edwards: OKPKey
) -> None:
    """The services know the newer one besides."""
    taken = At(ask, "review", signed(edwards, {"sub": "B1"}, "EdDSA"))
    assert (await taken("GET", "/v1/orders/O-1")).status_code == 200
    newer = At(ask, "review", signed(edwards, {"sub": "B1"}, "Ed25519"))
    is_problem(await newer("GET", "/v1/orders/O-1"), 401, "unauthenticated")


async def test_a_token_in_the_address_is_none(ask: httpx.AsyncClient, issuer_folder: Path) -> None:
    path = f"/v1/orders/O-1?access_token={token(issuer_folder)}"
    is_problem(await At(ask, "review", None)("GET", path), 401, "unauthenticated")


async def test_whose_bucket_it_is_is_said_by_the_token_alone(
    ask: httpx.AsyncClient, issuer_folder: Path
) -> None:
    at = At(ask, "review", token(issuer_folder, "B7"))
    told = (await at("GET", "/v1/orders/O-1", x_aftersales_account="ADMIN")).json()
    assert told["headers"]["x-aftersales-account"] == "B7"
    signed_route = At(ask, "returns", None)
    told = (await signed_route("POST", "/v1/webhooks/carrier", x_aftersales_account="B7")).json()
    assert "x-aftersales-account" not in told["headers"]


async def test_a_body_has_the_size_that_a_service_takes_unless_it_streams(
    ask: httpx.AsyncClient, issuer_folder: Path
) -> None:
    bearer = token(issuer_folder, "large")
    at = At(ask, "review", bearer)
    answer = await at("POST", "/v1/orders", content=LARGER_THAN_A_BODY)
    is_problem(answer, 413, "body-too-large")
    assert answer.json()["limit_bytes"] == len(LARGER_THAN_A_BODY) - 1
    fits = await at("POST", "/v1/orders", content=LARGER_THAN_A_BODY[1:])
    assert fits.json()["bytes"] == len(LARGER_THAN_A_BODY) - 1
    webhook = At(ask, "returns", None)
    answer = await webhook("POST", "/v1/webhooks/payments", content=LARGER_THAN_A_BODY)
    is_problem(answer, 413, "body-too-large")
    for path in ("/v1/orders/bulk", "/v1/media"):
        streamed = await at("POST", path, content=16 * LARGER_THAN_A_BODY)
        assert streamed.json()["bytes"] == 16 * len(LARGER_THAN_A_BODY), path


async def in_a_hurry(at: At, path: str, times: int) -> list[httpx.Response]:
    """Asks as often at once."""
    return await asyncio.gather(*(at("GET", path) for _ in range(times)))


@pytest.mark.parametrize(
    ("service", "path", "limit"), [("review", "/v1/orders/O-1", 50), ("dispute", "/v1/media", 20)]
)
async def test_an_account_that_asks_too_often_waits_and_no_other_does(
    *, service: str, path: str, limit: int, ask: httpx.AsyncClient, issuer_folder: Path
) -> None:
    """The same limits, of an hour each: this machine may take its time."""
    eager, other = (
        At(ask, f"hourly-{service}", token(issuer_folder, name)) for name in ("eager", "other")
    )
    await is_limited(eager, path, limit)
    assert [each.status_code for each in await in_a_hurry(other, path, limit)] == [200] * limit


async def is_limited(eager: At, path: str, limit: int) -> None:
    """So many requests are answered, and the next ones are told to wait."""
    answers = await in_a_hurry(eager, path, limit + 5)
    assert Counter(each.status_code for each in answers) == {200: limit, 429: 5}
    for each in answers:
        if each.status_code != 200:
            is_problem(each, 429, "rate-limited")
            assert each.headers["retry-after"] == "1"


async def test_an_address_that_asks_too_often_without_a_token_waits_and_no_other_does(
    gateway: HostGateway, tls: TLS
) -> None:
    path, limit = "/media/X1", 200
    async with asking_from("127.0.0.1", gateway, tls) as eager:
        await is_limited(At(eager, "hourly-review", None), path, limit)
    async with asking_from("127.0.0.2", gateway, tls) as other:
        answers = await in_a_hurry(At(other, "hourly-review", None), path, limit)
    assert [each.status_code for each in answers] == [200] * limit


async def test_a_service_that_is_down_is_unavailable_for_a_moment(
    ask: httpx.AsyncClient, issuer_folder: Path, upstreams: Upstreams
) -> None:
    at = At(ask, "reputation", token(issuer_folder, "patient"))
    with upstreams.down("reputation"):
        answer = await at("GET", "/v1/scores")
        is_problem(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == "1"
    assert (await at("GET", "/v1/scores")).status_code == 200


@pytest.mark.parametrize("status", [401, 403, 404, 413, 429, 500, 503])
async def test_what_a_service_says_itself_is_left_as_it_is(
    status: int, ask: httpx.AsyncClient, issuer_folder: Path
) -> None:
    at = At(ask, "dispute", token(issuer_folder))
    answer = await at("GET", "/v1/disputes/D-1", answer_with=str(status))
    assert (answer.status_code, answer.json()["service"]) == (status, "dispute")


async def test_a_client_is_told_to_come_by_tls_alone(
    ask: httpx.AsyncClient, issuer_folder: Path
) -> None:
    for path, bearer in (("/v1/orders/O-1", token(issuer_folder)), ("/", None)):
        answer = await At(ask, "review", bearer)("GET", path)
        assert answer.headers["strict-transport-security"] == "max-age=31536000", path


async def test_what_fails_in_the_gateway_itself_is_told_as_a_service_would(
    ask: httpx.AsyncClient, issuer_folder: Path
) -> None:
    answer = await At(ask, "broken", token(issuer_folder))("GET", "/v1/orders/O-1")
    is_problem(answer, 500, "internal-error")


def test_a_client_that_does_not_send_what_it_has_announced_is_told_so(
    silent_client: Future[tuple[float, HTTPResponse, bytes]],
) -> None:
    seconds, told, body = silent_client.result(timeout=60)
    assert (told.status, told.headers["content-type"]) == (408, PROBLEM)
    assert json.loads(body)["type"] == "/problems/request-timeout"
    assert json.loads(body)["detail"] == "The body did not come in time."
    assert 28 <= seconds <= 40


@pytest.fixture(scope="module", autouse=True)
def silent_client(
    gateway: HostGateway, tls: TLS, issuer_folder: Path
) -> Iterator[Future[tuple[float, HTTPResponse, bytes]]]:
    """It sends a head and nothing after it; asked for first, as the slow one is."""

    def ask_silently() -> tuple[float, HTTPResponse, bytes]:
        client = HTTPSConnection("127.0.0.1", gateway.port, timeout=60, context=trusting(tls))
        client.putrequest("POST", "/v1/orders", skip_host=True)
        client.putheader("Host", gateway.host("review"))
        client.putheader("Authorization", f"Bearer {token(issuer_folder, 'silent')}")
        client.putheader("Content-Type", "application/json")
        client.putheader("Content-Length", "10")
        client.endheaders()
        began = time.monotonic()
        told = client.getresponse()
        return time.monotonic() - began, told, told.read()

    with ThreadPoolExecutor(1) as beside:
        yield beside.submit(ask_silently)


HOST = b"Host: review.aftersales.example\r\n"
HEADS: dict[str, tuple[bytes, int, str]] = {
    "no HTTP": (b"hello\r\n\r\n", 400, "malformed-request"),
    "another method": (b"FOO / HTTP/1.1\r\n" + HOST, 400, "malformed-request"),
    "no host": (b"GET / HTTP/1.1\r\n", 400, "malformed-request"),
    "a field that is none": (b"GET / HTTP/1.1\r\n" + HOST + b"none\r\n", 400, "malformed-request"),
    "a NUL": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n", 400, "malformed-request"),
    "a path with a NUL": (b"GET /v1/%00 HTTP/1.1\r\n" + HOST, 400, "malformed-request"),
    "a path with a fragment": (b"GET /v1#a HTTP/1.1\r\n" + HOST, 400, "malformed-request"),
    "two lengths": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n",
        400,
        "malformed-request",
    ),
    "a length and chunks": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        400,
        "malformed-request",
    ),
    "another coding": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n",
        501,
        "not-implemented",
    ),
    "the server itself": (b"OPTIONS * HTTP/1.1\r\n" + HOST, 404, "not-found"),
    "a tunnel": (b"CONNECT a.example:443 HTTP/1.1\r\n" + HOST, 404, "not-found"),
    "of old": (b"GET / HTTP/1.0\r\n" + HOST, 426, "upgrade-required"),
    "large": (
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 61440 + b"\r\n",
        431,
        "head-too-large",
    ),
    "of many fields": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 100, 431, "head-too-large"),
    "a long path": (b"GET /" + b"a" * 61440 + b" HTTP/1.1\r\n" + HOST, 431, "head-too-large"),
}
"""What no route is asked for."""


@pytest.mark.parametrize("head", HEADS)
def test_a_head_that_is_not_taken_is_told_so_as_all_else_is(
    head: str, gateway: HostGateway, tls: TLS
) -> None:
    sent, status, slug = HEADS[head]
    _, told, body = sent_by_hand(gateway, tls, sent + b"\r\n")
    is_told(told, body, status, slug)


def test_a_body_in_chunks_that_are_none_is_told_so_too(
    gateway: HostGateway, tls: TLS, issuer_folder: Path
) -> None:
    for path in (b"/v1/orders", b"/v1/media"):
        bearer = b"Authorization: Bearer " + token(issuer_folder, "chunks").encode() + b"\r\n"
        head = b"POST " + path + b" HTTP/1.1\r\n" + HOST + bearer
        _, told, body = sent_by_hand(
            gateway, tls, head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
        )
        is_told(told, body, 400, "malformed-request")


def test_a_head_of_sixty_kibibytes_and_a_hundred_fields_is_taken(
    gateway: HostGateway, tls: TLS
) -> None:
    """One of them is the host, and what is around them counts."""
    for fields in (b"X: " + b"a" * 60_000 + b"\r\n", b"X: a\r\n" * 99):
        _, told, body = sent_by_hand(gateway, tls, b"GET / HTTP/1.1\r\n" + HOST + fields + b"\r\n")
        is_told(told, body, 404, "not-found")


def is_told(told: HTTPResponse, body: bytes, status: int, slug: str) -> None:
    assert (told.status, told.headers["content-type"]) == (status, PROBLEM)
    problem = json.loads(body)
    assert (problem["type"], problem["status"]) == (f"/problems/{slug}", status)


def sent_by_hand(
    gateway: HostGateway, tls: TLS, sent: bytes, seconds: float = 20
) -> tuple[float, HTTPResponse, bytes]:
    """How long it took, and what was answered."""
    with (
        socket.create_connection(("127.0.0.1", gateway.port), timeout=seconds) as plain,
        trusting(tls).wrap_socket(plain, server_hostname=gateway.host("review")) as spoken,
    ):
        began = time.monotonic()
        spoken.sendall(sent)
        told = HTTPResponse(spoken)
        told.begin()
        return time.monotonic() - began, told, told.read()


def test_a_client_that_does_not_send_its_head_to_its_end_is_told_so(
    unfinished_head: Future[tuple[float, HTTPResponse, bytes]],
) -> None:
    seconds, told, body = unfinished_head.result(timeout=60)
    is_told(told, body, 408, "request-timeout")
    assert json.loads(body)["detail"] == "The head did not come in time."
    assert 9 <= seconds <= 20


@pytest.fixture(scope="module", autouse=True)
def unfinished_head(
    gateway: HostGateway, tls: TLS
) -> Iterator[Future[tuple[float, HTTPResponse, bytes]]]:
    """Begun first, as the silent one is."""
    with ThreadPoolExecutor(1) as beside:
        yield beside.submit(sent_by_hand, gateway, tls, b"GET / HTTP/1.1\r\nHost: rev", 50)


def test_a_service_that_does_not_answer_is_not_waited_for(
    slow_answer: Future[httpx.Response],
) -> None:
    answer = slow_answer.result(timeout=40)
    is_problem(answer, 504, "gateway-timeout")
    assert answer.headers["retry-after"] == "1"
    assert answer.elapsed.total_seconds() >= 14


@pytest.fixture(scope="module", autouse=True)
def slow_answer(
    gateway: HostGateway, tls: TLS, issuer_folder: Path
) -> Iterator[Future[httpx.Response]]:
    """Asked for first, and waited for last: the others go on meanwhile."""
    headers = {
        "Host": gateway.host("review"),
        "Authorization": f"Bearer {token(issuer_folder, 'waiting')}",
    }
    with ThreadPoolExecutor(1) as beside:
        yield beside.submit(
            httpx.get,
            f"{gateway.url}/v1/orders/slow",
            headers=headers,
            verify=trusting(tls),
            timeout=40,
        )


def names(header: str) -> set[str]:
    return {name.strip().lower() for name in header.split(",")}


@of_every_service
async def test_a_page_of_the_shop_may_ask_and_read_what_a_service_answers(
    service: str, ask: httpx.AsyncClient, issuer_folder: Path
) -> None:
    """Its browser asks beforehand, without a token."""
    paths = (
        each.path for each in operations(service, document_of(service)) if each.kind == "ordinary"
    )
    path = re.sub(r"{\w+}", "X1", next(paths))
    before = await At(ask, service, None)(
        "OPTIONS",
        path,
        Origin=SHOP,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="if-match",
    )
    assert before.status_code == 200
    told = before.headers
    assert told["access-control-allow-origin"] == SHOP
    for shared, header in (
        ("allow_methods", "access-control-allow-methods"),
        ("allow_headers", "access-control-allow-headers"),
    ):
        assert names(told[header]) == {name.lower() for name in SHARED_WITH_ORIGINS[shared]}

    bearer = token(issuer_folder, f"page-{service}")
    answer = await At(ask, service, bearer)("GET", path, Origin=SHOP)
    assert answer.headers.get_list("access-control-allow-origin") == [SHOP]
    exposed = names(answer.headers["access-control-expose-headers"])
    assert exposed == {name.lower() for name in SHARED_WITH_ORIGINS["expose_headers"]}


@of_every_service
async def test_a_page_of_the_shop_may_fetch_a_file_by_its_link(
    service: str, ask: httpx.AsyncClient
) -> None:
    path = "/media/M-1?expires=1768644000&signature=c2ln"
    at = At(ask, service, None)
    before = await at("OPTIONS", path, Origin=SHOP, Access_Control_Request_Method="GET")
    assert (before.status_code, before.headers["access-control-allow-origin"]) == (200, SHOP)
    answer = await at("GET", path, Origin=SHOP)
    assert answer.json()["service"] == service
    assert answer.headers.get_list("access-control-allow-origin") == [SHOP]
    other = await at("GET", path, Origin="https://other.example")
    assert "access-control-allow-origin" not in other.headers


async def test_a_page_of_somebody_else_is_told_nothing(ask: httpx.AsyncClient) -> None:
    """And so its browser does not ask."""
    answer = await At(ask, "review", None)(
        "OPTIONS",
        "/v1/orders/X1",
        Origin="https://other.example",
        Access_Control_Request_Method="GET",
    )
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
