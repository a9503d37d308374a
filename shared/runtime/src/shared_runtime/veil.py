"""A Consistency-Token in, one for parties' eyes out: it tells nothing, and nobody makes it up.

A token is a place in a log, `review.events/28:8`. Whoever may ask for any place, or compare two of
his own, learns that something was recorded in between: that the other side has written. So
parties get tokens encrypted, and may send only those. Feeds, staff and auditors see the places.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from secrets import token_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared_runtime.auth import CALLER, Caller
from shared_runtime.decider import Role

HEADER = "Consistency-Token"
NONCE_BYTES = 12
TOKEN_LENGTH = 80
"""All are as long: a longer number would tell that the log has grown beyond a power of ten."""
LENGTH_MAX = 512
NOT_OURS = "-"  # no token at all: refused like any other that is none
PARTIES: frozenset[Role] = frozenset({"BUYER", "SELLER"})


class Veil:
    """Encrypts tokens: AES-256-GCM under a key that all services have."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(sha256(b"consistency token\x00" + secret).digest())

    def over(self, token: str) -> str:
        nonce = token_bytes(NONCE_BYTES)
        padded = token.ljust(TOKEN_LENGTH).encode()
        return urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, padded, None)).decode()

    def lifted(self, veiled: str) -> str | None:
        """The token under it; None if it is none of ours."""
        if len(veiled) > LENGTH_MAX:
            return None
        try:
            raw = urlsafe_b64decode(veiled)
            told = self._cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], None)
            return told.decode().rstrip()
        except (ValueError, InvalidTag):
            return None


class VeilTokens:
    """Middleware behind the authentication."""

    def __init__(self, app: ASGIApp, veil: Veil) -> None:
        self._app = app
        self._veil = veil

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller: Caller | None = scope.get(CALLER)
        if caller is None:
            await self._app(scope, receive, send)
            return
        is_party = not caller.roles.isdisjoint(PARTIES)
        self._lift(scope, is_party=is_party)

        async def veiled(message: Message) -> None:
            if is_party and message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if token := headers.get(HEADER):
                    headers[HEADER] = self._veil.over(token)
            await send(message)

        await self._app(scope, receive, veiled)

    def _lift(self, scope: Scope, *, is_party: bool) -> None:
        headers = MutableHeaders(scope=scope)
        if (sent := headers.get(HEADER)) is not None:
            headers[HEADER] = self._veil.lifted(sent) or (NOT_OURS if is_party else sent)
