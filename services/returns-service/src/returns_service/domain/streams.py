"""Ids in, the names of streams and the ids that follow from others out."""

from uuid import UUID, uuid5

REFUNDS = UUID("8c2f7a64-3f0e-5d0b-9a51-6b7d40c3e1a2")
"""The namespace of ids that follow from the id of a refund."""
RETURNS = UUID("3f4b8e02-7c5d-5e1a-8a64-d91b2f60c7a8")
"""The namespace of ids that follow from what has happened to a return."""

RETURN = "return-"


def ledger_stream(order_id: str) -> str:
    return f"refunds-{order_id}"


def again_id_of(refund_id: str, outside_id: str) -> str:
    """What is asked again, because this money of others was undone."""
    return str(uuid5(REFUNDS, f"{refund_id}/again/{outside_id}"))


def anew_id_of(refund_id: str) -> str:
    """What is asked in the place of a refund that was stopped."""
    return str(uuid5(REFUNDS, f"{refund_id}/anew"))


def step_id_of(event_id: str, purpose: str) -> str:
    """What is begun because of an event: a refund, or a return."""
    return str(uuid5(RETURNS, f"{event_id}/{purpose}"))


def return_stream(return_id: str) -> str:
    return f"{RETURN}{return_id}"


def is_return(stream: str) -> bool:
    return stream.startswith(RETURN)
