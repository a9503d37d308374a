"""An order's id in, the names of its streams out; and back."""

from hashlib import md5
from uuid import UUID, uuid5

from shared_events.review import Side


def order_stream(order_id: str) -> str:
    return f"order-{order_id}"


def evaluation_stream(order_id: str) -> str:
    return f"evaluation-{order_id}"


def order_id_of(stream: str) -> str:
    """The id behind either name. The names of streams have no other hyphen before it."""
    return stream.partition("-")[2]


REVIEWS = UUID("a7c7a6a4-6f0b-5a7e-8f0e-3d1c2b9f4e60")


def review_id_of(order_id: str, side: Side) -> str:
    """The id of one side's review: nobody chooses it, so that no two reviews have the same."""
    return str(uuid5(REVIEWS, f"{order_id}/{side}"))


def review_digest(order_id: str, side: Side) -> str:
    """By which one side's review is found, in all rows: it has no key, so that rows built again are
    the same. So who guesses an order's id could check the guess, and is told another name
    (`Refs`).
    """
    return digest_bytes(order_id, side).hex()


def digest_bytes(order_id: str, side: Side) -> bytes:
    """The same, as what it is made of."""
    return md5(f"{side}/{order_id}".encode(), usedforsecurity=False).digest()
