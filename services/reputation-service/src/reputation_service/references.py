"""An entity and who reads of it in, a name for it out that leads nowhere.

A party is told of facts about others' orders. The id of an entity names the order, or can be
guessed from it; a digest under a key of the service does neither, and two readers cannot compare
theirs. One reader has the same name for the same entity every time.
"""

from base64 import urlsafe_b64encode
from hashlib import sha256
from hmac import digest

LENGTH = 16  # bytes


class References:
    """Makes the names. `key` is the secret that cursors are signed with, for another purpose."""

    def __init__(self, key: bytes) -> None:
        self._key = digest(key, b"references of explanations", sha256)

    def of(self, reader: str, seller_id: str, entity_id: str) -> str:
        """The name under which this reader is told of an entity of this seller."""
        # With their lengths: no two triples are the same text.
        parts = (f"{len(part)}:{part}" for part in (reader, seller_id, entity_id))
        full = digest(self._key, "".join(parts).encode(), sha256)
        return urlsafe_b64encode(full[:LENGTH]).rstrip(b"=").decode()
