"""An order's id in, the names of its streams out; and back."""

from hashlib import md5

from shared_events.review import Side


def order_stream(order_id: str) -> str:
    return f"order-{order_id}"


def evaluation_stream(order_id: str) -> str:
    return f"evaluation-{order_id}"


def order_id_of(stream: str) -> str:
    """The id behind either name. The names of streams have no other hyphen before it."""
    return stream.partition("-")[2]


def review_ref(order_id: str, side: Side) -> str:
    """The name of one side's review for everybody: it tells nothing of the order."""
    return md5(f"{side}/{order_id}".encode(), usedforsecurity=False).hexdigest()
