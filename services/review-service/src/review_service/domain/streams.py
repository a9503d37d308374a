"""An order's id in, the names of its streams out; and back."""


def order_stream(order_id: str) -> str:
    return f"order-{order_id}"


def evaluation_stream(order_id: str) -> str:
    return f"evaluation-{order_id}"


def order_id_of(stream: str) -> str:
    """The id behind either name. The names of streams have no other hyphen before it."""
    return stream.partition("-")[2]
