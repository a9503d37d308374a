"""What a person wrote, as events have it: readable only with that person's key.

A sealed text is one string, `s1.<key id>.<digest>.<event id>.<path>.<ciphertext>`. It names the
key that opens it and the event and field that it was written for, which the cipher binds it to:
in another event or field it does not open. The digest is keyed too. It tells whether somebody
sends the same text again, and tells nothing any more once the key is destroyed.
"""

from typing import Annotated, Any, NamedTuple, TypeAliasType, get_args

from msgspec import Meta, Struct
from msgspec.structs import fields

SCHEME = "s1"
SEALED_LENGTH_MAX = 32_000
"""Room for 5,000 characters of four bytes each, in base64."""

type Sealed = Annotated[
    str, Meta(pattern=r"^s1(\.[0-9A-Za-z_/-]+){5}$", max_length=SEALED_LENGTH_MAX)
]


class SealedParts(NamedTuple):
    """What a sealed text is made of. `path` is `text`, or `media/0` in a list."""

    key_id: str
    digest: str
    event_id: str
    path: str
    ciphertext: str


def parts_of(sealed: str) -> SealedParts:
    """Raises ValueError if this is no sealed text."""
    scheme, *parts = sealed.split(".")
    if scheme != SCHEME or len(parts) != len(SealedParts._fields):
        raise ValueError("not a sealed text")
    return SealedParts(*parts)


def same_text(one: str | None, other: str | None) -> bool:
    """Whether one person has written the same, told by the digests: nothing is opened."""
    return _identity(one) == _identity(other)


def same_texts(some: list[str] | None, others: list[str] | None) -> bool:
    """Whether two lists of sealed texts say the same, in the same order."""
    return [_identity(one) for one in some or ()] == [_identity(one) for one in others or ()]


def _identity(sealed: str | None) -> tuple[str, ...] | None:
    return None if sealed is None else tuple(sealed.split(".", 3)[:3])


def sealed_fields(event_type: type[Struct]) -> tuple[str, ...]:
    """The names of an event's fields that are sealed, or lists of sealed ones."""
    return tuple(each.name for each in fields(event_type) if _is_sealed(each.type))


def _is_sealed(kind: Any) -> bool:  # noqa: ANN401 - annotations have no common type
    if isinstance(kind, TypeAliasType) and kind is not Sealed:
        kind = kind.__value__
    return kind is Sealed or any(_is_sealed(each) for each in get_args(kind))
