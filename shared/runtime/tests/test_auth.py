"""Who is calling: only a token that proves it goes on, and only to routes of the caller's roles."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey
from shared_runtime.auth import (
    KEYS_FRESH,
    LEEWAY_SECONDS,
    REFRESH_PAUSE,
    Caller,
    InvalidToken,
    KeysUnreachable,
    Verifier,
    require,
)
from shared_runtime.decider import RoleNotAllowed
from shared_runtime.http import service_app
from shared_runtime.testing import ManualClock

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
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


def token(key: ECKey | OKPKey = EC_KEY, algorithm: str = "ES256", **claims: object) -> str:
    changed = {k: v for k, v in (CLAIMS | claims).items() if v is not None}
    return jwt.encode({"alg": algorithm, "kid": key.kid}, changed, key, algorithms=[algorithm])


def forged(header: Mapping[str, str], sign: Callable[[bytes], bytes]) -> str:
    """A token as an attacker puts it together, who knows the public key."""
    parts = [urlsafe_b64encode(json.dumps(part).encode()) for part in (header, CLAIMS)]
    signed = b".".join(part.rstrip(b"=") for part in parts)
    return b".".join([signed, urlsafe_b64encode(sign(signed)).rstrip(b"=")]).decode()


def unsigned(_: bytes) -> bytes:
    return b""


def with_the_public_key_as_secret(text: bytes) -> bytes:
    return hmac.digest(EC_KEY.as_pem(private=False), text, "sha256")


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
    router = APIRouter(prefix="/v1/desk")

    @router.get("")
    async def desk(caller: Annotated[Caller, Depends(require("BUYER", "AGENT"))]) -> str:
        return str(caller.actor("BUYER", "AGENT"))

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
        {"sub": 7},
        {"roles": "BUYER"},
        {"seller_id": ["S1"]},
    ],
    ids=str,
)
async def test_a_wrong_claim_is_no_proof(client: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    assert await status(client, token(**wrong)) == 401


async def test_a_token_lives_until_it_expires(client: httpx.AsyncClient) -> None:
    barely = int(NOW.timestamp()) - LEEWAY_SECONDS + 1
    assert await status(client, token(exp=barely)) == 200


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


def test_a_caller_acts_in_the_first_role_that_he_has() -> None:
    caller = Caller(sub="M1", roles=frozenset({"SELLER", "AGENT"}), seller_id="S1", org_id="O1")
    assert str(caller.actor("BUYER", "SELLER")) == "seller:M1"
    assert caller.actor("SELLER").org_id == "S1"
    assert caller.actor("AGENT").org_id == "O1"
    assert caller.actor("AGENT").seller_id == "S1"
    with pytest.raises(RoleNotAllowed):
        caller.actor("BUYER")


def test_a_service_does_not_start_with_a_route_that_names_no_roles(verifier: Verifier) -> None:
    router = APIRouter(prefix="/v1/open")

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
    with pytest.raises(InvalidToken):
        await verifier.verify(token())


async def test_known_keys_serve_while_the_issuer_is_away(
    verifier: Verifier, tmp_path: Path, clock: ManualClock
) -> None:
    await verifier.verify(token())
    (tmp_path / "jwks.json").unlink()
    clock.advance(KEYS_FRESH)
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
