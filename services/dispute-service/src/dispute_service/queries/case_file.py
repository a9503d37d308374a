"""A dispute as whoever decides may know it in, its file out: all of it in the order of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared_events.dispute import DisputeReason, EvidenceKind
from shared_events.envelope import Recorded
from shared_events.fields import Party
from shared_runtime.decider import Actor
from shared_runtime.history import EventView, event_views, readable_history

from dispute_service.domain.checklist import checklist
from dispute_service.domain.dispute_state import Dispute
from dispute_service.domain.readers import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistItem:
    """Evidence of one of these kinds, expected `of` a party; null: nobody had to bring it."""

    of: Party | None
    kinds: list[EvidenceKind]
    is_there: bool
    evidence_ids: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFileView:
    """All that is known of a dispute, oldest first; and what evidence its reason asks for."""

    dispute_id: str
    reason: DisputeReason
    checklist: list[ChecklistItem]
    entries: list[EventView]


def case_file_view(
    reading: Reading, history: Sequence[Recorded[Any]], actor: Actor
) -> CaseFileView:
    state = reading.state
    assert isinstance(state, Dispute)
    return CaseFileView(
        dispute_id=state.dispute_id,
        reason=state.reason,
        checklist=[
            ChecklistItem(
                of=item.of,
                kinds=[*item.kinds],
                is_there=bool(item.evidence_ids),
                evidence_ids=[*item.evidence_ids],
            )
            for item in checklist(state)
        ],
        entries=event_views(readable_history(history, reading, actor)),
    )
