"""Ids in, the names of streams out."""


def ledger_stream(order_id: str) -> str:
    return f"refunds-{order_id}"
