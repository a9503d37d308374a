"""A cause in, the id of what comes of it out: the same id whenever it is made again.

UUIDs of version 5 (RFC 9562), like `uuid.uuid5`, from text to text: ids are made for every event,
and the objects in between cost more than all the rest of it.
"""

from hashlib import sha1

_VERSION_MASK, _VERSION_5 = ~(0xF000 << 64), 5 << 76
_VARIANT_MASK, _VARIANT = ~(0xC000 << 48), 0x8000 << 48


def derived_id(cause: str, name: str) -> str:
    """`str(uuid5(UUID(cause), name))`. Raises ValueError if the cause is no UUID."""
    namespace = bytes.fromhex(cause.replace("-", ""))
    if len(namespace) != 16:  # noqa: PLR2004 - bytes of a UUID
        raise ValueError(f"no UUID: {cause}")
    digest = sha1(namespace + name.encode(), usedforsecurity=False).digest()
    number = int.from_bytes(digest[:16])
    number = number & _VERSION_MASK | _VERSION_5
    text = f"{number & _VARIANT_MASK | _VARIANT:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
