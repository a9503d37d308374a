"""Ids in, the names of streams and the ids that follow from others out."""

from uuid import UUID, uuid5

DISPUTES = UUID("5d0c3f5e-2b1a-5c44-9b53-8f6b7c1d2e90")
"""The namespace of ids that follow from the id of a dispute or a return."""


def inquiry_stream(inquiry_id: str) -> str:
    return f"inquiry-{inquiry_id}"


def dispute_stream(dispute_id: str) -> str:
    return f"dispute-{dispute_id}"


def is_inquiry(stream: str) -> bool:
    return stream.startswith("inquiry-")


def remedy_id_of(dispute_id: str) -> str:
    """A dispute orders one remedy at most."""
    return _made_of(dispute_id, "remedy")


def refusal_id_of(return_id: str) -> str:
    """What a seller did with a return, as his proposal in the contest of it."""
    return _made_of(return_id, "refusal")


def file_id_of(return_id: str) -> str:
    """The file of a return, as evidence in the contest of it."""
    return _made_of(return_id, "file")


def contest_id_of(contested: str) -> str:
    """The dispute that a contest opens; `contested`: the id of the event that tells of it."""
    return _made_of(contested, "dispute")


def opening_proposal_id_of(dispute_id: str) -> str:
    """The buyer's first proposal in a contest, which nobody has written."""
    return _made_of(dispute_id, "proposal")


def _made_of(cause: str, purpose: str) -> str:
    return str(uuid5(DISPUTES, f"{cause}/{purpose}"))
