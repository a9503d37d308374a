"""A buyer who lets it be in, the end of the dispute out."""

from msgspec import Struct
from shared_casework.parties import PARTY
from shared_events.dispute import DisputeClosed, DisputeEvent, DisputeWithdrawn

from dispute_service.domain.dispute_state import BEFORE_DECISION, Dispute
from dispute_service.domain.known import PERSON, Sender
from dispute_service.domain.matter import DisputeRule, while_answering
from dispute_service.domain.remedies import ended


class WithdrawDispute(Struct, frozen=True):
    """It is over; within its window it may be opened again."""


def withdraw_dispute(dispute: Dispute, _: WithdrawDispute, by: Sender) -> list[DisputeEvent]:
    """Until it is decided. Never a defect of the seller; a question that is open lapses with it."""
    stage = dispute.status
    assert stage in ("NEGOTIATING", "EVIDENCE", "REBUTTAL", "REVIEW")
    withdrawn = DisputeWithdrawn(**dispute.ids, stage=stage)
    return [withdrawn, ended(dispute, by, how="WITHDRAWN", result="WITHDRAWN")]


WITHDRAW_DISPUTE = DisputeRule(
    WithdrawDispute,
    withdraw_dispute,
    roles=("BUYER",),
    party=PARTY,
    barred=PERSON,
    states=BEFORE_DECISION,
    window=while_answering,
    events=(DisputeWithdrawn, DisputeClosed),
    example=WithdrawDispute(),
)
