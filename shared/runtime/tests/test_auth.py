"""Who is calling: only a token that proves it goes on, and only to routes of the caller's roles."""

import asyncio
import gc
import hmac
import json
import tracemalloc
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, cast

import httpx
import pytest
from fastapi import Depends
from hypothesis import example, given
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, OKPKey
from shared_runtime import auth
from shared_runtime.auth import (
    JWKS_BYTES_MAX,
    KEYS_AGE_MAX,
    KEYS_FRESH,
    LEEWAY_SECONDS,
    REFRESH_PAUSE,
    SCOPED_SECONDS_MAX,
    Caller,
    InvalidToken,
    KeysUnreachable,
    Verifier,
    require,
)
from shared_runtime.decider import RoleNotAllowed
from shared_runtime.http import service_app
from shared_runtime.routers import Router
from shared_runtime.testing import ManualClock

PATIENCE_SECONDS = 20
DEADLINE_SECONDS = 0.5
DRIP_SECONDS = 0.05
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
FAR = int((NOW + timedelta(days=9)).timestamp())
ISSUER = "https://issuer.example"
EC_KEY = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"})
ED_KEY = OKPKey.generate_key("Ed25519", {"kid": "ed", "use": "sig"})
STRANGE_KEY = ECKey.generate_key("P-256", {"kid": "ec"})
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": "aftersales",
    "sub": "B1",
    "roles": ["BUYER"],
    "exp": int((NOW + timedelta(hours=1)).timestamp()),
}
SCOPED: dict[str, Any] = {
    "scope": "withdrawal",
    "order_id": "O-1",
    "iat": CLAIMS["exp"] - SCOPED_SECONDS_MAX,
}


def token(key: ECKey | OKPKey = EC_KEY, algorithm: str = "ES256", **claims: object) -> str:
    changed = {k: v for k, v in (CLAIMS | claims).items() if v is not None}
    return jwt.encode({"alg": algorithm, "kid": key.kid}, changed, key, algorithms=[algorithm])


def forged(header: object, sign: Callable[[bytes], bytes]) -> str:
    """A token as an attacker puts it together, who knows the public key."""
    parts = [urlsafe_b64encode(json.dumps(part).encode()) for part in (header, CLAIMS)]
    signed = b".".join(part.rstrip(b"=") for part in parts)
    return b".".join([signed, urlsafe_b64encode(sign(signed)).rstrip(b"=")]).decode()


def unsigned(_: bytes) -> bytes:
    return b""


def with_the_public_key_as_secret(text: bytes) -> bytes:
    return hmac.digest(EC_KEY.as_pem(private=False), text, "sha256")


def ec_signature(text: bytes) -> bytes:
    return jws.JWSRegistry.algorithms["ES256"].sign(text, EC_KEY)


def publish(folder: Path, *keys: ECKey | OKPKey) -> None:
    (folder / "jwks.json").write_text(json.dumps(KeySet(list(keys)).as_dict(private=False)))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def verifier(tmp_path: Path, clock: ManualClock) -> Verifier:
    publish(tmp_path, EC_KEY, ED_KEY)
    url = f"file://{tmp_path}/jwks.json"
    return Verifier(url, issuer=ISSUER, audience="aftersales", now=clock)


@pytest.fixture
async def client(verifier: Verifier) -> AsyncIterator[httpx.AsyncClient]:
    router = Router("/v1/desk")

    @router.get("")
    async def desk(caller: Annotated[Caller, Depends(require("BUYER", "AGENT"))]) -> str:
        return str(caller.actor("BUYER", "AGENT"))

    by_link = require("BUYER", "AGENT", scopes=["withdrawal"])

    @router.get("/withdrawal")
    async def withdrawal(caller: Annotated[Caller, Depends(by_link)]) -> list[str]:
        return sorted(caller.roles)

    async def ready() -> None: ...

    app = service_app(title="desk", version="1", routers=[router], verifier=verifier, ready=ready)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        yield client


async def status(client: httpx.AsyncClient, token: str, path: str = "/v1/desk") -> int:
    answered = await client.get(path, headers={"Authorization": f"Bearer {token}"})
    if answered.status_code == 401:
        assert answered.headers["WWW-Authenticate"].startswith("Bearer")
        assert answered.headers["Content-Type"] == "application/problem+json"
        assert answered.json()["type"] == "/problems/unauthenticated"
    return answered.status_code


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
async def test_a_token_of_either_algorithm_is_taken(client: httpx.AsyncClient) -> None:
    assert await status(client, token()) == 200
    assert await status(client, token(ED_KEY, "EdDSA")) == 200
    assert await status(client, token(ED_KEY, "Ed25519")) == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": int(NOW.timestamp()) - LEEWAY_SECONDS},
        {"nbf": int(NOW.timestamp()) + LEEWAY_SECONDS + 1},
        {"sub": None},
        {"sub": ""},
        {"sub": "B" * 65},
        {"sub": "B\u0000"},
        {"sub": "B\u200d"},
        {"sub": "B/1"},
        {"org_id": "O,1"},
        {"sub": 7},
        {"roles": "BUYER"},
        {"seller_id": ["S1"]},
        {"scope": ["withdrawal"]},
        {"scope": "withdrawal"},
        {"order_id": "O-1"},
        {"scope": "openid", "order_id": "O-1"},
        SCOPED | {"order_id": "O/1"},
        SCOPED | {"iat": None},
        SCOPED | {"iat": int(NOW.timestamp()) - 1},
    ],
    ids=str,
)
async def test_a_wrong_claim_is_no_proof(client: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    assert await status(client, token(**wrong)) == 401


async def test_a_token_lives_until_it_expires(client: httpx.AsyncClient) -> None:
    barely = int(NOW.timestamp()) - LEEWAY_SECONDS + 1
    assert await status(client, token(exp=barely)) == 200


async def test_a_token_that_was_taken_is_looked_at_again_each_time(
    client: httpx.AsyncClient, clock: ManualClock
) -> None:
    one = token()
    assert await status(client, one) == 200
    clock.advance(timedelta(hours=1))
    assert await status(client, one) == 200, "the leeway"
    clock.advance(timedelta(seconds=LEEWAY_SECONDS))
    assert await status(client, one) == 401
    clock.advance(timedelta(hours=-2))
    assert await status(client, one) == 200


async def test_a_token_that_was_taken_is_verified_again_by_another_key_of_the_name(
    client: httpx.AsyncClient, clock: ManualClock, tmp_path: Path
) -> None:
    one, other = token(exp=FAR), token(STRANGE_KEY, exp=FAR)
    assert [await status(client, each) for each in (one, other)] == [200, 401]
    publish(tmp_path, STRANGE_KEY)
    clock.advance(KEYS_AGE_MAX)
    assert [await status(client, each) for each in (one, other)] == [401, 200]


async def test_more_tokens_than_are_known_again_are_taken_all_the_same(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "SIGNED_MAX", 2)
    several = [token(jti=f"{n}") for n in range(4)] * 2
    assert {await status(client, each) for each in several} == {200}


async def test_of_a_token_no_more_is_kept_than_whom_it_speaks_for(verifier: Verifier) -> None:
    groups = [f"group {n}" for n in range(300)]
    several = [token(jti=f"{n}", groups=groups) for n in range(100)]
    await verifier.verify(token())
    tracemalloc.start()
    try:
        for each in several:
            await verifier.verify(each)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < len(several) * 4_000


async def test_a_signature_of_another_key_is_no_proof(client: httpx.AsyncClient) -> None:
    assert await status(client, token(STRANGE_KEY)) == 401


async def test_other_algorithms_are_refused(client: httpx.AsyncClient) -> None:
    assert await status(client, forged({"alg": "none"}, unsigned)) == 401
    assert await status(client, forged({"alg": "none", "kid": "ec"}, unsigned)) == 401
    assert await status(client, forged({"alg": "ES256", "kid": "ec"}, unsigned)) == 401
    hmac_token = forged({"alg": "HS256", "kid": "ec"}, with_the_public_key_as_secret)
    assert await status(client, hmac_token) == 401
    other = ECKey.generate_key("P-384", {"kid": "ec384"})
    assert await status(client, token(other, "ES384")) == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Bearer a.b.c", "Basic QTpC", "ä"])
async def test_what_is_no_token_is_refused(client: httpx.AsyncClient, header: str) -> None:
    answered = await client.get("/v1/desk", headers={b"Authorization": header.encode("latin-1")})
    assert answered.status_code == 401


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)
MEMBERS = st.sampled_from(
    [
        "alg",
        "kid",
        "crit",
        "b64",
        "typ",
        "cty",
        "jku",
        "jwk",
        "x5u",
        "x5c",
        "x5t",
        "enc",
        "zip",
        "x",
    ]
)


@pytest.fixture(scope="module")
def verify(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Caller]]:
    """For tests without a loop of their own."""
    folder = tmp_path_factory.mktemp("issuer")
    publish(folder, EC_KEY, ED_KEY)
    verifier = Verifier(
        f"file://{folder}/jwks.json", issuer=ISSUER, audience="aftersales", now=lambda: NOW
    )
    with asyncio.Runner() as runner:
        yield lambda token: runner.run(verifier.verify(token))


@given(header=st.dictionaries(MEMBERS, ODD, max_size=4) | ODD, signed=st.booleans())
@example(header={"crit": 5}, signed=False)
@example(header={"crit": ["b64"], "b64": False}, signed=True)
@example(header={"kid": {}}, signed=True)
@example(header={"alg": []}, signed=True)
def test_an_odd_header_is_no_proof_and_no_fault_of_ours(
    verify: Callable[[str], Caller], header: object, *, signed: bool
) -> None:
    """Whatever a stranger puts there, he is told that his token is none; never a 500."""
    if isinstance(header, dict):
        header = {"alg": "ES256", "kid": "ec"} | cast("dict[str, object]", header)
    odd = forged(header, ec_signature if signed else unsigned)
    with suppress(InvalidToken):
        assert verify(odd).sub == "B1"
        assert signed


@pytest.mark.parametrize("header", [b"[" * 5000, b'{"alg":' * 800, b"\xff", b"", b"null"])
async def test_a_header_that_is_no_json_object_is_no_proof(
    client: httpx.AsyncClient, header: bytes
) -> None:
    encoded = urlsafe_b64encode(header).rstrip(b"=").decode()
    assert await status(client, f"{encoded}.e30.c2ln") == 401


async def test_without_a_token_nobody_learns_which_paths_there_are(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.get("/v1/nowhere")).status_code == 401
    assert (await client.post("/v1/desk", content=b"{")).status_code == 401
    assert await status(client, token(), "/v1/nowhere") == 404


async def test_a_route_is_for_its_roles(client: httpx.AsyncClient) -> None:
    answered = await client.get(
        "/v1/desk", headers={"Authorization": f"Bearer {token(roles=['SELLER', 'KING'])}"}
    )
    assert answered.status_code == 403
    assert answered.json()["type"] == "/problems/role-not-allowed"
    assert answered.json()["allowed_roles"] == ["BUYER", "AGENT"]


async def test_a_token_of_a_scope_is_good_for_that_alone_whatever_roles_it_has(
    client: httpx.AsyncClient,
) -> None:
    scoped = {"Authorization": f"Bearer {token(**SCOPED, roles=['SENIOR', 'BUYER'])}"}
    refused = await client.get("/v1/desk", headers=scoped)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/scope-not-allowed")
    assert refused.json()["scopes"] == ["withdrawal"]
    assert (await client.get("/v1/desk/withdrawal", headers=scoped)).json() == ["BUYER"]


async def test_it_is_refused_before_anybody_looks_at_its_roles(client: httpx.AsyncClient) -> None:
    scoped = {"Authorization": f"Bearer {token(**SCOPED, roles=['SELLER'])}"}
    at_the_desk = await client.get("/v1/desk", headers=scoped)
    assert at_the_desk.json()["type"] == "/problems/scope-not-allowed"
    by_link = await client.get("/v1/desk/withdrawal", headers=scoped)
    assert by_link.json()["type"] == "/problems/role-not-allowed"


async def test_a_token_without_a_scope_of_ours_is_good_for_what_its_roles_may(
    client: httpx.AsyncClient,
) -> None:
    for scope in (None, "", "openid", "withdrawals", "WITHDRAWAL"):
        assert await status(client, token(scope=scope)) == 200
        assert await status(client, token(scope=scope), "/v1/desk/withdrawal") == 200
    with_others: dict[str, Any] = SCOPED | {"scope": "openid withdrawal"}
    assert await status(client, token(**with_others)) == 403


def test_a_caller_with_a_scope_reaches_one_order_and_anybody_else_all() -> None:
    someone = Caller(sub="B1", roles=frozenset({"BUYER"}), seller_id="B1")
    scoped = replace(someone, scopes=frozenset({"withdrawal"}), order_id="O-1")
    assert (scoped.reaches("O-1"), scoped.reaches("O-2")) == (True, False)
    assert someone.reaches("O-2")
    assert scoped.actor("BUYER").scopes == {"withdrawal"}


def test_a_caller_acts_in_the_first_role_that_he_has() -> None:
    caller = Caller(sub="M1", roles=frozenset({"SELLER", "AGENT"}), seller_id="S1", org_id="O1")
    assert str(caller.actor("BUYER", "SELLER")) == "seller:M1"
    assert caller.actor("SELLER").org_id == "S1"
    assert caller.actor("AGENT").org_id == "O1"
    assert caller.actor("AGENT").seller_id == "S1"
    with pytest.raises(RoleNotAllowed):
        caller.actor("BUYER")


def test_a_service_does_not_start_with_a_route_that_names_no_roles(verifier: Verifier) -> None:
    router = Router("/v1/open")

    @router.get("")
    async def for_anyone() -> str:
        return "welcome"

    async def ready() -> None: ...

    with pytest.raises(ValueError, match="no roles"):
        service_app(title="x", version="1", routers=[router], verifier=verifier, ready=ready)


async def test_a_new_key_is_fetched_when_a_token_names_it(
    verifier: Verifier, tmp_path: Path, clock: ManualClock
) -> None:
    await verifier.verify(token())
    new = ECKey.generate_key("P-256", {"kid": "new"})
    with pytest.raises(InvalidToken):
        await verifier.verify(token(new))
    publish(tmp_path, EC_KEY, new)
    with pytest.raises(InvalidToken):  # asked a moment ago
        await verifier.verify(token(new))
    clock.advance(REFRESH_PAUSE)
    assert (await verifier.verify(token(new))).sub == "B1"


async def test_a_withdrawn_key_is_forgotten(
    verifier: Verifier, tmp_path: Path, clock: ManualClock
) -> None:
    await verifier.verify(token())
    publish(tmp_path, ED_KEY)
    clock.advance(KEYS_FRESH)

    async def until_refused() -> None:
        while True:  # the newer keys are fetched beside
            await verifier.verify(token())
            await asyncio.sleep(0)

    with pytest.raises(InvalidToken):
        await asyncio.wait_for(until_refused(), PATIENCE_SECONDS)


async def test_when_all_keys_are_withdrawn_no_token_is_good(
    verifier: Verifier, client: httpx.AsyncClient, tmp_path: Path, clock: ManualClock
) -> None:
    await verifier.verify(token())
    (tmp_path / "jwks.json").write_text('{"keys": []}')
    clock.advance(KEYS_AGE_MAX)
    assert await status(client, token()) == 401


async def test_known_keys_serve_for_some_hours_while_the_issuer_is_away(
    verifier: Verifier, client: httpx.AsyncClient, tmp_path: Path, clock: ManualClock
) -> None:
    await verifier.verify(token(exp=FAR))
    (tmp_path / "jwks.json").unlink()
    clock.advance(KEYS_AGE_MAX - timedelta(microseconds=1))
    assert (await verifier.verify(token(exp=FAR))).sub == "B1"
    clock.advance(timedelta(microseconds=1))
    with pytest.raises(KeysUnreachable):
        await verifier.verify(token(exp=FAR))
    assert await status(client, token(exp=FAR)) == 503
    publish(tmp_path, EC_KEY)
    assert await status(client, token(exp=FAR)) == 200


class Issuer:
    """Publishes keys over HTTP; `dripping`, a byte now and then, for ever."""

    def __init__(self) -> None:
        self.dripping = False
        self.asked = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self._server.close_clients()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            self.asked.set()
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while self.dripping:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(DRIP_SECONDS)
            writer.write(json.dumps(KeySet([EC_KEY]).as_dict(private=False)).encode())
            await writer.drain()
        writer.close()


@pytest.fixture
async def far_issuer() -> AsyncIterator[tuple[Issuer, str]]:
    issuer = Issuer()
    yield issuer, await issuer.start()
    await issuer.stop()


async def test_whoever_has_a_known_key_waits_for_no_download(
    far_issuer: tuple[Issuer, str], clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for the refresh of stale keys, and not for one that a stranger's token has brought on."""
    monkeypatch.setattr(auth, "FETCH_SECONDS_MAX", DEADLINE_SECONDS)
    issuer, url = far_issuer
    verifier = Verifier(url, issuer=ISSUER, audience="aftersales", now=clock)
    await verifier.verify(token())
    issuer.dripping = True
    for passed in (KEYS_FRESH, REFRESH_PAUSE):
        issuer.asked.clear()
        clock.advance(passed)
        stranger = asyncio.create_task(verifier.verify(token(ED_KEY, "Ed25519")))
        await issuer.asked.wait()
        assert (await verifier.verify(token())).sub == "B1"
        assert not stranger.done()
        with pytest.raises(InvalidToken):  # the drip has an end
            await asyncio.wait_for(stranger, PATIENCE_SECONDS)
    issuer.dripping = False


GOOD = EC_KEY.as_dict(private=False)
ODD_KEYS: list[object] = [
    GOOD | {"kid": 7},
    GOOD | {"crv": "P-999"},
    GOOD | {"x": "AAAA"},
    GOOD | {"y": GOOD["x"]},
    GOOD | {"x": None},
    GOOD | {"use": "enc"},
    GOOD | {"key_ops": 5},
    {"kty": "EC", "kid": "ec"},
    {"kty": "OKP", "crv": "Ed25519", "kid": "ec", "x": "!"},
    {"kty": "AKP", "kid": "ec", "alg": "ML-DSA-44"},
    {"kty": ["EC"]},
    {},
    [],
    None,
    "EC",
]


@pytest.mark.parametrize("odd", ODD_KEYS)
async def test_a_key_that_cannot_be_read_shuts_nobody_out(
    verifier: Verifier, tmp_path: Path, odd: object
) -> None:
    published = [odd, *KeySet([EC_KEY, ED_KEY]).as_dict(private=False)["keys"]]
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": published}))
    assert (await verifier.verify(token())).sub == "B1"
    assert (await verifier.verify(token(ED_KEY, "Ed25519"))).sub == "B1"


@pytest.mark.parametrize(
    "nonsense",
    ["", "[]", "5", '{"keys": 5}', '{"keys": [5]}', "[" * 50_000, "x" * (JWKS_BYTES_MAX + 1)],
)
async def test_what_is_no_set_of_keys_leaves_those_that_there_are(
    verifier: Verifier, tmp_path: Path, clock: ManualClock, nonsense: str
) -> None:
    await verifier.verify(token())
    (tmp_path / "jwks.json").write_text(nonsense)
    clock.advance(KEYS_FRESH)
    with pytest.raises(InvalidToken):
        await verifier.verify(token(STRANGE_KEY))
    new = ECKey.generate_key("P-256", {"kid": "new"})
    with pytest.raises(InvalidToken):
        await verifier.verify(token(new))
    assert (await verifier.verify(token())).sub == "B1"


async def test_without_any_key_nobody_is_told_that_his_token_is_wrong(
    verifier: Verifier, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    (tmp_path / "jwks.json").unlink()
    with pytest.raises(KeysUnreachable):
        await verifier.verify(token())
    assert await status(client, token()) == 503
    publish(tmp_path, EC_KEY)
    assert await status(client, token()) == 200
