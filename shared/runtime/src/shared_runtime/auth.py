"""A bearer token in, the caller out; a route's roles in, a refusal or nothing out.

Tokens are verified here, whatever a gateway has done before: signature by a key of the JWKS,
issuer, audience, lifetime. Everything under /v1 needs one, before anything else is looked at.

A token with a scope of ours is for somebody without an account: for what this scope opens, of the
order that it names, and for nothing else. A route that does not name the scope refuses it.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPException as HTTPClientError
from inspect import signature
from typing import Annotated, Any, TypeAliasType, cast, get_args
from urllib.request import urlopen

import msgspec
import structlog
from fastapi import Request, Security
from fastapi.params import Body, Depends, Param
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from joserfc import jws, jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import JWKRegistry, Key, KeySet
from joserfc.util import urlsafe_b64decode
from shared_events.characters import is_id
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from shared_runtime.clock import Clock
from shared_runtime.decider import Actor, Role, RoleNotAllowed, ScopeNotAllowed, TokenScope
from shared_runtime.problems import Unauthenticated, Unavailable, problem
from shared_runtime.wellformed import well_formed

# RFC 9864 gives EdDSA over Ed25519 a name of its own; issuers send either.
ALGORITHMS = ("ES256", "EdDSA", "Ed25519")
KEY_TYPES = ("EC", "OKP")
"""Of the keys that these algorithms verify with."""
LEEWAY_SECONDS = 5
KEYS_FRESH = timedelta(minutes=10)
"""Older keys are still taken while newer ones are fetched beside."""
KEYS_AGE_MAX = timedelta(hours=6)
"""Older ones are not: an issuer that has not been heard of may have withdrawn them long ago."""
REFRESH_PAUSE = timedelta(seconds=10)
"""A token with an unknown key makes us fetch the keys again, this often at most."""
FETCH_SECONDS_MAX = 3.0
"""From the first look at its name to the last byte of the issuer's answer."""
JWKS_BYTES_MAX = 256 * 1024
JWKS_PART_BYTES = 16 * 1024
TOKEN_LENGTH_MAX = 8 * 1024
SIGNED_MAX = 4096
"""So many tokens whose signatures were verified are known again, by their digests."""
TIMES = ("exp", "nbf", "iat")
PROTECTED = "/v1"
SIGNED = f"{PROTECTED}/webhooks"
"""What companies tell is signed by them: they have no tokens of ours."""
CALLER = "aftersales.caller"
ROLES = frozenset(get_args(Role.__value__))
SCOPES = frozenset(get_args(TokenScope.__value__))
SCOPED_ROLES: frozenset[Role] = frozenset({"BUYER"})
"""A scope takes rights away: whoever has one is no more than a buyer."""
SCOPED_SECONDS_MAX = 3600
"""Its link may be good for as long as it likes: each visit gets a token of its own."""

log = structlog.get_logger()
bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="ES256 or EdDSA, by JWKS")


class InvalidToken(Exception):  # noqa: N818 - it answers a question
    """The token does not prove who is calling."""


class KeysUnreachable(Exception):  # noqa: N818 - a state of the world
    """There is no key to verify with, and none can be fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who a token speaks for. `seller_id`: the seller account that a SELLER is a member of.
    `scopes`: all that it is good for, of the order `order_id` alone; none: what his roles may.
    """

    sub: str
    roles: frozenset[Role]
    seller_id: str
    org_id: str | None = None
    scopes: frozenset[TokenScope] = frozenset()
    order_id: str | None = None

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
            scopes=self.scopes,
        )

    def reaches(self, order_id: str) -> bool:
        """Whether there is such an order for his token."""
        return self.order_id in (None, order_id)


class _Header(msgspec.Struct):
    """What of a token's header decides how it is verified. Other members are passed over."""

    alg: str
    kid: str | None = None
    crit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Registry(jws.JWSRegistry):
    """Only the asymmetric algorithms of `ALGORITHMS`; `none` and HMAC are unknown to it."""

    def get_alg(self, name: str) -> Any:  # noqa: ANN401 - the library's type is private
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(f"algorithm {name}")
        return self.algorithms[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proved:
    """What of a token is kept to know it again: who it speaks for, and when. What else it claims
    may be many times as much, and is the issuer's business.
    """

    key: Key
    times: dict[str, Any]
    caller: Caller


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
        self._times = jwt.JWTClaimsRegistry(
            now=lambda: int(now().timestamp()), leeway=LEEWAY_SECONDS, exp={"essential": True}
        )
        self._signed: dict[bytes, _Proved] = {}
        self._keys: KeySet | None = None
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._refresh: asyncio.Task[None] | None = None
        # One of its own: a download that hangs, whatever its deadline, takes no thread of others.
        self._thread = ThreadPoolExecutor(1, "keys")

    async def verify(self, token: str) -> Caller:
        """Raises `InvalidToken`, or `KeysUnreachable` if there is nothing to verify it with."""
        if len(token) > TOKEN_LENGTH_MAX:
            raise InvalidToken
        kid = _named_key(token)
        try:
            proved = self._proved(token, await self._key(kid))
            self._times.validate(proved.times)
        except (JoseError, ValueError) as error:
            raise InvalidToken from error
        return proved.caller

    def _proved(self, token: str, key: Key) -> _Proved:
        """Whom it speaks for, if this key has signed it. That it has is known for requests that
        come with the same token; whether its time is over is looked at each time.
        """
        digest = hashlib.sha256(token.encode()).digest()
        known = self._signed.get(digest)
        if known is not None and known.key is key:
            return known
        claims = jwt.decode(token, key, registry=self._registry).claims
        self._claims.validate(claims)
        times = {name: claims[name] for name in TIMES if name in claims}
        proved = _Proved(key=key, times=times, caller=_caller(claims))
        if len(self._signed) >= SIGNED_MAX:
            del self._signed[next(iter(self._signed))]
        self._signed[digest] = proved
        return proved

    async def _key(self, kid: str | None) -> Key:
        """The key of this name. Who names one that is not known waits for newer ones; others do
        not wait for him.
        """
        keys = self._known_keys()
        if keys is None or not _has(keys, kid):
            await self._refreshed()
            keys = self._known_keys()
        if keys is None:
            raise KeysUnreachable
        return keys.get_by_kid(kid)

    def _known_keys(self) -> KeySet | None:
        """Those in hand, unless they are too old. Stale ones are renewed beside."""
        if self._keys is None or self._fetched_at is None:
            return None
        age = self._now() - self._fetched_at
        if age >= KEYS_AGE_MAX:
            self._keys = None
        elif age >= KEYS_FRESH:
            self._begin_refresh()
        return self._keys

    async def _refreshed(self) -> None:
        """Returns when a refresh that is under way, or begun now, has come to its end."""
        if (refresh := self._begin_refresh()) is not None:
            await asyncio.shield(refresh)  # others wait for it too

    def _begin_refresh(self) -> asyncio.Task[None] | None:
        """None if the issuer was asked a moment ago."""
        if self._refresh is not None and not self._refresh.done():
            return self._refresh
        if self._asked_lately():
            return None
        self._tried_at = self._now()
        self._refresh = asyncio.create_task(self._fetch(self._tried_at))
        return self._refresh

    def _asked_lately(self) -> bool:
        # Without any key every request is refused: then each may ask, one at a time.
        if self._keys is None or self._tried_at is None:
            return False
        return self._now() - self._tried_at < REFRESH_PAUSE

    async def _fetch(self, at: datetime) -> None:
        """Takes the issuer's keys, or keeps those there are when it cannot be asked."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(FETCH_SECONDS_MAX):
                self._keys = await loop.run_in_executor(self._thread, _download, self._url)
        except (OSError, HTTPClientError, ValueError, RecursionError) as failure:
            log.warning("keys not fetched", failure=type(failure).__name__)
        else:
            self._fetched_at = at


class Authenticate:
    """Middleware: under /v1 nothing goes on without a valid token, not even to a 404; but for what
    is signed in the place of one.
    """

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
    """A dependency: the caller, who has one of these roles. Who has a token of a scope is refused
    before, unless it is one of these.
    """

    roles: tuple[Role, ...]
    scopes: tuple[TokenScope, ...] = ()

    async def __call__(self, request: Request, _: Annotated[object, Security(bearer)]) -> Caller:
        caller = caller_of(request)
        if caller.scopes and caller.scopes.isdisjoint(self.scopes):
            raise ScopeNotAllowed(scopes=sorted(caller.scopes))
        if caller.roles.isdisjoint(self.roles):
            raise RoleNotAllowed(allowed_roles=list(self.roles))
        return caller


class BySignature:
    """The base of dependencies that take a signature in the place of a token: of an address, for
    whoever has it, outside of /v1; or of what a company tells, under /v1/webhooks.
    """


def require(*roles: Role, scopes: Sequence[TokenScope] = ()) -> RolesRequired:
    """Who may use a route: `Annotated[Caller, Depends(require("BUYER", "SELLER"))]`. One that names
    `scopes` asks whether the order is one that the caller `reaches`.
    """
    return RolesRequired(roles, tuple(scopes))


def caller_of(request: Request) -> Caller:
    """Who sent the request. Under /v1 only."""
    return cast("Caller", request.scope[CALLER])


def check_roles_declared(routes: Iterable[BaseRoute]) -> None:
    """Raises at start-up if a route is outside of /v1, or does not say who may use it. The
    exception is a route whose addresses are signed. Also if one lacks what all routes have.
    """
    known: dict[object, frozenset[object]] = {}
    for route in routes:
        if not isinstance(route, APIRoute):
            raise TypeError(f"{route!r}: declare routes directly on their router")
        asked = _asked_by(route.endpoint, route.dependencies, known)
        if well_formed not in asked:
            raise ValueError(f"{route.path}: declared on a router that is none of ours")
        if any(isinstance(call, BySignature) for call in asked):
            if _is_protected(route.path):
                raise ValueError(f"{route.path}: under {PROTECTED} everyone has a token")
            continue
        if route.path.startswith(f"{SIGNED}/"):
            raise ValueError(f"{route.path}: under {SIGNED} everything is signed")
        if not _is_protected(route.path):
            raise ValueError(f"{route.path}: paths start with {PROTECTED}/")
        if not any(isinstance(call, RolesRequired) for call in asked):
            raise ValueError(f"{route.path}: no roles; add Depends(require(…))")


def _asked_by(
    call: Callable[..., Any], beside: Iterable[Depends], known: dict[object, frozenset[object]]
) -> frozenset[object]:
    """The dependencies of a function, `beside` and those of all these: as they are declared, so
    that no route has to be analysed for it. What is `known` of others is looked at once.
    """
    asked: set[object] = set()
    for each in (*beside, *_declared_by(call)):
        dependency = each.dependency
        assert dependency is not None
        if dependency not in known:
            known[dependency] = _asked_by(dependency, (), known)
        asked |= {dependency, *known[dependency]}
    return frozenset(asked)


def _declared_by(call: Callable[..., Any]) -> Iterator[Depends]:
    """Of several notes on a parameter FastAPI goes by the last, and so does this."""
    for parameter in signature(call).parameters.values():
        told = parameter.annotation
        kind = told.__value__ if isinstance(told, TypeAliasType) else told
        notes = (*getattr(kind, "__metadata__", ()), parameter.default)
        counted = [note for note in notes if isinstance(note, (Depends, Param, Body))]
        if counted and isinstance(counted[-1], Depends):
            yield counted[-1]


def _is_protected(path: str) -> bool:
    inside = path == PROTECTED or path.startswith(f"{PROTECTED}/")
    return inside and not path.startswith(f"{SIGNED}/")


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
    sub = _id(claims["sub"])
    org_id = claims.get("org_id")
    scopes, order_id = _scopes(claims), claims.get("order_id")
    # One that says half of it would be good for everything: it is good for nothing.
    if bool(scopes) != (order_id is not None):
        raise InvalidToken
    if scopes and claims["exp"] - claims.get("iat", 0) > SCOPED_SECONDS_MAX:
        raise InvalidToken
    return Caller(
        sub=sub,
        # An issuer may serve others too: roles that are not ours are no business of ours.
        roles=cast("frozenset[Role]", (SCOPED_ROLES if scopes else ROLES) & named),
        seller_id=_id(claims.get("seller_id", sub)),
        org_id=None if org_id is None else _id(org_id),
        scopes=scopes,
        order_id=None if order_id is None else _id(order_id),
    )


def _scopes(claims: dict[str, Any]) -> frozenset[TokenScope]:
    """Those that are ours, of a text like `openid withdrawal` (RFC 8693, section 4.2)."""
    told = claims.get("scope", "")
    if not isinstance(told, str):
        raise InvalidToken
    return cast("frozenset[TokenScope]", SCOPES.intersection(told.split(" ")))


def _id(value: object) -> str:
    if not isinstance(value, str) or not is_id(value):
        raise InvalidToken
    return value


def _named_key(token: str) -> str | None:
    """The `kid` of a token, if it names one. Raises `InvalidToken`."""
    header, dot, _ = token.partition(".")
    try:
        told = msgspec.json.decode(urlsafe_b64decode(header.encode("ascii")), type=_Header)
    except (ValueError, RecursionError) as error:  # msgspec's and base64's are ValueErrors
        raise InvalidToken from error
    # An extension that must be understood is one that we do not understand (RFC 7515, 4.1.11).
    if not dot or told.alg not in ALGORITHMS or told.crit is not msgspec.UNSET:
        raise InvalidToken
    return told.kid


def _has(keys: KeySet, kid: str | None) -> bool:
    return len(keys.keys) == 1 if kid is None else any(key.kid == kid for key in keys.keys)


def _download(url: str) -> KeySet:
    """Raises OSError, HTTPException, ValueError, or RecursionError."""
    ends_at = time.monotonic() + FETCH_SECONDS_MAX
    document = bytearray()
    # The settings take file:///… and https://… only.
    with urlopen(url, timeout=FETCH_SECONDS_MAX) as answer:  # noqa: S310
        while part := answer.read1(JWKS_PART_BYTES):
            document += part
            # Its timeout is for each part: an issuer that drips would take for ever.
            if time.monotonic() > ends_at:
                raise TimeoutError
            if len(document) > JWKS_BYTES_MAX:
                raise ValueError("a JWK Set of that size")
    return _key_set(json.loads(document))


def _key_set(told: object) -> KeySet:
    """The keys that can be read and are of use. The others are passed over, one by one (RFC 7517,
    section 5). Raises ValueError if it is no JWK Set, or none of its keys can be read.
    """
    published = cast("dict[str, object]", told).get("keys") if isinstance(told, dict) else None
    if not isinstance(published, list):
        raise ValueError("no JWK Set")  # noqa: TRY004 - it was sent to us, not passed
    keys = [key for each in cast("list[object]", published) if (key := _readable(each))]
    if published and not keys:
        raise ValueError("no key of the JWK Set can be read")
    return KeySet(keys)


def _readable(told: object) -> Key | None:
    if not isinstance(told, dict):
        log.warning("key passed over", failure="not an object")
        return None
    published = cast("dict[str, Any]", told)
    if published.get("kty") not in KEY_TYPES:
        return None  # of other algorithms
    try:
        key = JWKRegistry.import_key(published)
        key.check_use("sig")
        key.ensure_kid()
    except Exception as failure:  # noqa: BLE001 - a key can be wrong in as many ways as it has members
        log.warning("key passed over", kid=str(published.get("kid")), failure=str(failure))
        return None
    return key
