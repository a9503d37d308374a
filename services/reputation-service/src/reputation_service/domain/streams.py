"""Ids in, the names of streams and the ids that follow from others out."""

from uuid import UUID, uuid5

from shared_events.fields import Party
from shared_events.reputation import AccountFact

POINTS = UUID("3b8c1f5a-6a0e-5f7d-8b42-51d0c7a9e613")
"""The namespace of ids that follow from those of accounts and cases."""


def account_stream(kind: Party, holder_id: str) -> str:
    return f"{kind.lower()}-{holder_id}"


def stream_of(person: str) -> str:
    """The same of a person as keys and rows name him: `buyer:B-1`."""
    kind, _, holder_id = person.partition(":")
    return f"{kind}-{holder_id}"


def holder_id_of(event: AccountFact) -> str:
    """Whose account an event is about."""
    holder_id = event.buyer_id if event.account_kind == "BUYER" else event.seller_id
    assert holder_id is not None
    return holder_id


def case_stream(case_id: str) -> str:
    return f"case-{case_id}"


def is_case(stream: str) -> bool:
    return stream.startswith("case-")


def penalty_id_of(case_id: str, decision_no: int) -> str:
    """A decision of a case costs points once: the first, or what an appeal makes of it."""
    return str(uuid5(POINTS, f"{case_id}/penalty/{decision_no}"))


def measure_id_of(kind: Party, holder_id: str, number: int) -> str:
    """The measures of an account are counted."""
    return str(uuid5(POINTS, f"{account_stream(kind, holder_id)}/measure/{number}"))


def case_id_of(cause: str, purpose: str) -> str:
    """The case that an event brings about by itself. `purpose`: an event may bring about two."""
    return str(uuid5(POINTS, f"{cause}/case/{purpose}"))
