"""What a person writes in, a sealed text in an event out; and opened for whoever may read it.

A text is sealed with its writer's key when the event that has it is decided, and bound to that
event and field. Whoever may not read it is given no sealed text by a view; what is left in an
answer is opened on its way out. Nothing opened is ever stored.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from secrets import token_bytes
from typing import Any, Literal, Protocol, Self, cast

import msgspec
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct
from msgspec.structs import replace
from shared_events.characters import ID_LENGTH_MAX
from shared_events.sealed import SCHEME, SealedParts, parts_of, sealed_fields
from starlette.responses import Response

from shared_runtime.decider import Actor

KEY_BYTES = 32
NONCE_BYTES = 12
DIGEST_BYTES = 16
MEDIA = "media"
"""The fields whose sealed text is the id of a file."""
SEALED_STRING = re.compile(
    # A quote after a backslash is inside a string; a string before a colon is a member's name.
    # The first quote comes before it is looked behind of: such a pattern is searched for fast.
    rb'"(?<!\\")(' + SCHEME.encode() + rb'(?:\.[0-9A-Za-z_/-]+){5})"(?!\s*:)'
)

log = structlog.get_logger()


class DoesNotOpen(Exception):  # noqa: N818 - a state of what was sealed
    """It was sealed with another key, for another place, or has been altered."""


def person(kind: Literal["buyer", "seller", "staff"], account: str) -> str:
    """Whose key it is, as the key store names people: `buyer:B1`."""
    return f"{kind}:{account}"


def person_of(actor: Actor) -> str:
    """Who writes: the buyer, the seller account (whoever of its members writes), or staff.

    An importer writes for a party that only the command names: use `person`.
    """
    match actor.role:
        case "BUYER":
            return person("buyer", actor.id)
        case "SELLER":
            return person("seller", actor.org_id or actor.id)
        case _:
            assert actor.on_behalf_of not in ("BUYER", "SELLER"), "whose text is it?"
            return person("staff", actor.id)


class Unsealed(str):
    """A text on its way into an event: `s1.<key id>.<digest>` for all who compare or print it.

    It takes its final form when the event that has it is decided, and is never encoded before.
    """

    __slots__ = ("key", "text")

    key: bytes
    text: str

    def __new__(cls, identity: str, *, text: str, key: bytes) -> Self:
        made = super().__new__(cls, identity)
        made.text = text
        made.key = key
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonKey:
    """The key of one person. From its secret come one key for texts, one for files, one for
    digests.
    """

    person: str
    key_id: str
    secret: bytes = field(repr=False)

    def unsealed(self, text: str) -> Unsealed:
        """The text for a command: comparable by its keyed digest, which is all that shows."""
        identity = f"{SCHEME}.{self.key_id}.{self.digest(text)}"
        return Unsealed(identity, text=text, key=self.derived("text"))

    def digest(self, text: str) -> str:
        """Equal for equal texts of this person; tells nothing to those who lack the key."""
        made = hmac.digest(self.derived("digest"), text.encode(), "sha256")
        return to_base64(made[:DIGEST_BYTES])

    def seal_bytes(self, data: bytes, bound_to: str) -> bytes:
        """A file, readable with this key and under the same name alone."""
        return encrypt(self.derived("file"), data, bound_to)

    def open_bytes(self, data: bytes, bound_to: str) -> bytes:
        """Raises `DoesNotOpen`."""
        return decrypt(self.derived("file"), data, bound_to)

    def derived(self, label: str) -> bytes:
        """A key for one purpose: none of them tells anything of the others (HKDF, RFC 5869)."""
        info = f"aftersales {label}".encode()
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self.secret)


def encrypt(key: bytes, data: bytes, bound_to: str) -> bytes:
    """AES-256-GCM under a random nonce, which comes first."""
    nonce = token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, bound_to.encode())


def decrypt(key: bytes, data: bytes, bound_to: str) -> bytes:
    """Raises `DoesNotOpen`."""
    try:
        return AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], bound_to.encode())
    except (InvalidTag, ValueError) as failure:
        raise DoesNotOpen from failure


def to_base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64(text: str) -> bytes:
    """Raises `DoesNotOpen` for anything but what `to_base64` gives: bits that no byte is made of
    would be an alteration that nobody sees.
    """
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as failure:
        raise DoesNotOpen from failure
    if to_base64(data) != text:
        raise DoesNotOpen
    return data


_sealed_fields = cache(sealed_fields)


def seal_event[E: Struct](event: E, event_id: str) -> E:
    """The event with each unsealed text in its final form, bound to this id and its field."""
    if not (names := _sealed_fields(type(event))):
        return event
    sealed = {
        name: _sealed(value, event_id, name)
        for name in names
        if (value := getattr(event, name)) is not None
    }
    return replace(event, **sealed)


def _sealed(value: str | list[str], event_id: str, path: str) -> str | list[str]:
    if isinstance(value, Unsealed):
        ciphertext = encrypt(value.key, value.text.encode(), f"{event_id}/{path}")
        return f"{value}.{event_id}.{path}.{to_base64(ciphertext)}"
    if isinstance(value, str):
        return value
    return [cast("str", _sealed(each, event_id, f"{path}/{n}")) for n, each in enumerate(value)]


def misplaced(event: Struct, event_id: str) -> str | None:
    """Where an event has a sealed text that was not made for that place, if it has one."""
    for name in _sealed_fields(type(event)):
        value: str | list[str] | None = getattr(event, name)
        places = [(name, value)] if isinstance(value, str) else _numbered(name, value)
        for path, sealed in places:
            parts = parts_of(sealed)
            if (parts.event_id, parts.path) != (event_id, path):
                return path
    return None


def _numbered(name: str, values: list[str] | None) -> list[tuple[str, str]]:
    return [(f"{name}/{n}", each) for n, each in enumerate(values or ())]


def open_text(sealed: str, key: PersonKey) -> str:
    """What was written. Raises `DoesNotOpen`."""
    parts = parts_of(sealed)
    bound_to = f"{parts.event_id}/{parts.path}"
    text = decrypt(key.derived("text"), from_base64(parts.ciphertext), bound_to).decode()
    if not hmac.compare_digest(parts.digest, key.digest(text)):
        raise DoesNotOpen
    return text


class Keys(Protocol):
    """Where the keys of sealed texts are: a key store."""

    async def keys(self, key_ids: Iterable[str]) -> dict[str, PersonKey]:
        """The keys with these ids, but for those that were destroyed."""
        ...


class Opener:
    """Opens sealed texts for whoever may read them. `link` gives the signed URL of a file."""

    def __init__(self, keys: Keys, link: Callable[[str], str]) -> None:
        self._keys = keys
        self._link = link

    async def texts(self, sealed: Iterable[str]) -> dict[str, str | None]:
        """Each with what was written; None if its key is gone, or if it does not open."""
        parts = {each: parts_of(each) for each in sealed}
        if not parts:
            return {}
        keys = await self._keys.keys({each.key_id for each in parts.values()})
        return {each: _opened(each, told, keys.get(told.key_id)) for each, told in parts.items()}

    async def opened(self, body: bytes) -> bytes:
        """A JSON document with every string that is a sealed text opened.

        The text takes its place; of a file, `{"media_id": …, "url": …}`; null if its key is gone.
        Opened once: what somebody has written stays as it is, whatever it looks like.
        """
        texts = await self.texts(
            found[1].decode() for found in SEALED_STRING.finditer(body) if _is_sealed(found[1])
        )
        return SEALED_STRING.sub(partial(self._instead, texts), body) if texts else body

    async def response(self, response: Response) -> Response:
        """An answer whose body is JSON, opened."""
        body = bytes(response.body)
        opened = await self.opened(body)
        if opened is body:
            return response
        headers = {n: v for n, v in response.headers.items() if n != "content-length"}
        return Response(opened, response.status_code, headers, background=response.background)

    def _instead(self, texts: dict[str, str | None], found: re.Match[bytes]) -> bytes:
        if not _is_sealed(found[1]):
            return found[0]
        sealed = found[1].decode()
        text = texts[sealed]
        shown: Any = text
        if text is not None and parts_of(sealed).path.partition("/")[0] == MEDIA:
            shown = {"media_id": text, "url": self._link(text)}
        return msgspec.json.encode(shown)


def _is_sealed(string: bytes) -> bool:
    """Ids may look like anything, and are shorter; all other text that people send is sealed."""
    return len(string) > ID_LENGTH_MAX


def _opened(sealed: str, parts: SealedParts, key: PersonKey | None) -> str | None:
    if key is None:
        return None
    with suppress(DoesNotOpen):
        return open_text(sealed, key)
    log.error("a sealed text does not open", event_id=parts.event_id, path=parts.path)
    return None
