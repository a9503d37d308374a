"""The `ref` of a review in, the order and the side that it is of out; and back.

Everybody is told of a review by its `ref`: an order's id and a side, digested and then encrypted
with a key of the service. So nobody reads the order from it, and who guesses the order's id cannot
check the guess. Inside, in rows and cases, it is the digest alone.

Whoever has written a review is told its `ref` in the answer, and may name it at once. So its row is
written in the transaction that records the review, wherever that is: by a person, in bulk. The
reaction to own events writes it again, which changes nothing.
"""

import re
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB
from shared_events.review import Side
from shared_runtime.log import Database

from review_service.domain.streams import digest_bytes

REF = re.compile(r"[0-9a-f]{32}")
NO_REVIEWS = ""
"""A digest that is before all others and no review's."""
NEAREST = """
    (SELECT order_id, side, ref = $1 AS is_it FROM facts.review WHERE ref >= $1
     ORDER BY ref LIMIT 1)
    UNION ALL
    (SELECT order_id, side, false FROM facts.review ORDER BY ref LIMIT 1)
    LIMIT 1
"""

type RefOf = Callable[[str, Side], str]
"""An order's id and a side in, the `ref` of that side's review out."""


class Refs:
    """Makes the `ref`s, and knows what is under one: AES-256, of the one block that a digest is.

    The same review has the same `ref` as long as the key is the same.
    """

    def __init__(self, secret: bytes) -> None:
        key = sha256(b"refs of reviews\x00" + secret).digest()
        # Nothing is said of blocks that are alike: there is one, and no two reviews have the same.
        cipher = Cipher(AES256(key), ECB())  # noqa: S305
        self._encryptor, self._decryptor = cipher.encryptor(), cipher.decryptor()

    def of(self, order_id: str, side: Side) -> str:
        return self._encryptor.update(digest_bytes(order_id, side)).hex()

    def digest(self, ref: str) -> str:
        """What is under it: of what was not made here, what no review has."""
        if not REF.fullmatch(ref):
            return NO_REVIEWS
        return self._decryptor.update(bytes.fromhex(ref)).hex()


class Referred(NamedTuple):
    """Where a review is; or, if `is_it` is false, where another one is."""

    order_id: str
    side: Side
    is_it: bool


async def find_review(db: Database, digest: str) -> Referred | None:
    """The review with this digest, or else another one; None where there is none at all.

    Read the other one too, before you say that there is none: that it takes as long as with one
    that may not be known of tells nobody that there is one.
    """
    row = await db.fetchrow(NEAREST, digest)
    return None if row is None else Referred(*row)
