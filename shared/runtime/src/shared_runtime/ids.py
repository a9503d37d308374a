"""A cause in, the id of what comes of it out: the same id whenever it is made again.

UUIDs of version 5 (RFC 9562), like `uuid.uuid5`, from text to text: ids are made for every event,
and the objects in between cost more than all the rest of it.
"""

from hashlib import sha1

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def derived_id(cause: str, name: str) -> str:
    """`str(uuid5(UUID(cause), name))`. Raises ValueError if the cause is no UUID."""
    namespace = bytes.fromhex(cause.replace("-", ""))
    if len(namespace) != 16:  # noqa: PLR2004 - bytes of a UUID
        raise ValueError(f"no UUID: {cause}")
    told = sha1(namespace + name.encode(), usedforsecurity=False).hexdigest()
    version, variant = "5", _VARIANT[told[16]]
    return f"{told[:8]}-{told[8:12]}-{version}{told[13:16]}-{variant}{told[17:20]}-{told[20:32]}"
