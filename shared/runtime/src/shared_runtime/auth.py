"""A bearer token in, the caller out; a route's roles in, a refusal or nothing out.

Tokens are verified here, whatever a gateway has done before: signature by a key of the JWKS,
issuer, audience, lifetime. Everything under /v1 needs one, before anything else is looked at.
"""

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPException as HTTPClientError
from typing import Annotated, Any, cast, get_args
from urllib.request import urlopen

import structlog
from fastapi import APIRouter, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from joserfc import jws, jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import Key, KeySet
from starlette.types import ASGIApp, Receive, Scope, Send

from shared_runtime.clock import Clock
from shared_runtime.decider import Actor, Role, RoleNotAllowed
from shared_runtime.fields import ID_LENGTH_MAX
from shared_runtime.problems import Unauthenticated, Unavailable, problem

# RFC 9864 gives EdDSA over Ed25519 a name of its own; issuers send either.
ALGORITHMS = ("ES256", "EdDSA", "Ed25519")
LEEWAY_SECONDS = 5
KEYS_FRESH = timedelta(minutes=10)
REFRESH_PAUSE = timedelta(seconds=10)
"""A token with an unknown key makes us fetch the keys again, this often at most."""
FETCH_SECONDS_MAX = 3.0
JWKS_BYTES_MAX = 256 * 1024
TOKEN_LENGTH_MAX = 8 * 1024
PROTECTED = "/v1"
CALLER = "aftersales.caller"
ROLES = frozenset(get_args(Role.__value__))

log = structlog.get_logger()
bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="ES256 or EdDSA, by JWKS")


class InvalidToken(Exception):  # noqa: N818 - it answers a question
    """The token does not prove who is calling."""


class KeysUnreachable(Exception):  # noqa: N818 - a state of the world
    """There is no key to verify with, and none can be fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who a token speaks for. `seller_id`: the seller account that a SELLER is a member of."""

    sub: str
    roles: frozenset[Role]
    seller_id: str
    org_id: str | None = None

    def actor(self, *roles: Role, on_behalf_of: Role | None = None) -> Actor:
        """The actor in the first of these roles that the caller has.

        A SELLER's organisation is his seller account, which the party check compares. Raises
        `RoleNotAllowed` if he has none of the roles.
        """
        role: Role | None = next((role for role in roles if role in self.roles), None)
        if role is None:
            raise RoleNotAllowed(allowed_roles=list(roles))
        org_id = self.seller_id if role == "SELLER" else self.org_id
        return Actor(
            role=role,
            id=self.sub,
            org_id=org_id,
            seller_id=self.seller_id,
            on_behalf_of=on_behalf_of,
        )


class _Registry(jws.JWSRegistry):
    """Only the asymmetric algorithms of `ALGORITHMS`; `none` and HMAC are unknown to it."""

    def get_alg(self, name: str) -> Any:  # noqa: ANN401 - the library's type is private
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(f"algorithm {name}")
        return self.algorithms[name]


class Verifier:
    """Verifies tokens of one issuer for one audience, with keys from file:///… or https://….

    `now` is the time of the world where tokens are issued: never a clock that was moved ahead.
    """

    def __init__(self, jwks_url: str, *, issuer: str, audience: str, now: Clock) -> None:
        self._url = jwks_url
        self._now = now
        self._registry = _Registry(strict_check_header=False)
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now().timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        self._keys: KeySet | None = None
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._fetching = asyncio.Lock()

    async def verify(self, token: str) -> Caller:
        """Raises `InvalidToken`, or `KeysUnreachable` if there is nothing to verify it with."""
        if len(token) > TOKEN_LENGTH_MAX:
            raise InvalidToken
        try:
            header = jws.extract_compact(token.encode("ascii"), registry=self._registry).headers()
            key = await self._key(header.get("kid"))
            decoded = jwt.decode(token, key, registry=self._registry)
            self._claims.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise InvalidToken from error
        return _caller(decoded.claims)

    async def _key(self, kid: object) -> Key:
        if kid is not None and not isinstance(kid, str):
            raise InvalidToken
        keys = await self._current_keys()
        if not _has(keys, kid):
            keys = await self._fetch(seen=keys)
        return keys.get_by_kid(kid)

    async def _current_keys(self) -> KeySet:
        stale = self._fetched_at is None or self._now() - self._fetched_at >= KEYS_FRESH
        if self._keys is None or stale:
            return await self._fetch(seen=self._keys)
        return self._keys

    async def _fetch(self, seen: KeySet | None) -> KeySet:
        """Newer keys than those seen, if it is not too soon to ask; else the ones there are."""
        async with self._fetching:
            if self._keys is seen and not self._asked_lately():
                self._tried_at = self._now()
                try:
                    self._keys = await asyncio.to_thread(_download, self._url)
                    self._fetched_at = self._tried_at
                except (OSError, HTTPClientError, ValueError, KeyError, JoseError) as failure:
                    log.warning("keys not fetched", failure=type(failure).__name__)
            if self._keys is None:
                raise KeysUnreachable
            return self._keys

    def _asked_lately(self) -> bool:
        # Without any key every request is refused: then each may ask, one at a time.
        if self._keys is None or self._tried_at is None:
            return False
        return self._now() - self._tried_at < REFRESH_PAUSE


class Authenticate:
    """Middleware: under /v1 nothing goes on without a valid token, not even to a 404."""

    def __init__(self, app: ASGIApp, verifier: Verifier) -> None:
        self._app = app
        self._verifier = verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_protected(scope["path"]):
            try:
                scope[CALLER] = await self._verifier.verify(_token(scope))
            except InvalidToken:
                await problem(Unauthenticated())(scope, receive, send)
                return
            except KeysUnreachable:
                await problem(Unavailable())(scope, receive, send)
                return
        await self._app(scope, receive, send)


@dataclass(frozen=True, slots=True)
class RolesRequired:
    """A dependency: the caller, who has one of these roles."""

    roles: tuple[Role, ...]

    def __call__(self, request: Request, _: Annotated[object, Security(bearer)]) -> Caller:
        caller = caller_of(request)
        if caller.roles.isdisjoint(self.roles):
            raise RoleNotAllowed(allowed_roles=list(self.roles))
        return caller


class BySignature:
    """The base of dependencies that take a signed address in the place of a token.

    A route with one is outside of /v1, for whoever has the address.
    """


def require(*roles: Role) -> RolesRequired:
    """Who may use a route: `Annotated[Caller, Depends(require("BUYER", "SELLER"))]`."""
    return RolesRequired(roles)


def caller_of(request: Request) -> Caller:
    """Who sent the request. Under /v1 only."""
    return cast("Caller", request.scope[CALLER])


def check_roles_declared(routers: Iterable[APIRouter]) -> None:
    """Raises at start-up if a route is outside of /v1, or does not say who may use it. The
    exception is a route whose addresses are signed.
    """
    for router in routers:
        for route in router.routes:
            if not isinstance(route, APIRoute):
                raise TypeError(f"{route!r}: declare routes directly on their router")
            if any(_dependencies(route.dependant, lambda call: isinstance(call, BySignature))):
                if _is_protected(route.path):
                    raise ValueError(f"{route.path}: under {PROTECTED} everyone has a token")
                continue
            if not _is_protected(route.path):
                raise ValueError(f"{route.path}: paths start with {PROTECTED}/")
            if not any(
                _dependencies(route.dependant, lambda call: isinstance(call, RolesRequired))
            ):
                raise ValueError(f"{route.path}: no roles; add Depends(require(…))")


def _dependencies(of: Dependant, wanted: Callable[[object], bool]) -> Iterable[Dependant]:
    for dependency in of.dependencies:
        if wanted(dependency.call):
            yield dependency
        yield from _dependencies(dependency, wanted)


def _is_protected(path: str) -> bool:
    return path == PROTECTED or path.startswith(f"{PROTECTED}/")


def _token(scope: Scope) -> str:
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(values) != 1:
        raise InvalidToken
    scheme, _, token = values[0].decode("latin-1").partition(" ")
    if scheme.lower() != "bearer":
        raise InvalidToken
    return str(token.strip())


def _caller(claims: dict[str, Any]) -> Caller:
    roles = claims.get("roles", [])
    if not isinstance(roles, list):
        raise InvalidToken
    named = {role for role in cast("list[object]", roles) if isinstance(role, str)}
    sub = _account(claims["sub"])
    org_id = claims.get("org_id")
    return Caller(
        sub=sub,
        # An issuer may serve others too: roles that are not ours are no business of ours.
        roles=cast("frozenset[Role]", ROLES & named),
        seller_id=_account(claims.get("seller_id", sub)),
        org_id=None if org_id is None else _account(org_id),
    )


def _account(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= ID_LENGTH_MAX:
        raise InvalidToken
    if not value.isprintable():
        raise InvalidToken
    return value


def _has(keys: KeySet, kid: str | None) -> bool:
    return len(keys.keys) == 1 if kid is None else any(key.kid == kid for key in keys.keys)


def _download(url: str) -> KeySet:
    # The settings take file:///… and https://… only.
    with urlopen(url, timeout=FETCH_SECONDS_MAX) as answer:  # noqa: S310
        return KeySet.import_key_set(json.loads(answer.read(JWKS_BYTES_MAX)))
