"""The reason of a dispute in, the kinds of evidence that are expected of whom out.

Nothing is refused for want of it: it is what an adjudicator looks for, and may ask for.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from shared_events.dispute import Author, DisputeReason, EvidenceKind
from shared_events.fields import Party

from dispute_service.domain.dispute_state import Dispute


class Expected(Struct, frozen=True):
    """Any of these kinds will do."""

    of: Party
    kinds: tuple[EvidenceKind, ...]


class Item(Struct, frozen=True, kw_only=True):
    """What is expected of whom, and the pieces that are there. `of` is None for what nobody had to
    bring.
    """

    of: Party | None
    kinds: tuple[EvidenceKind, ...]
    evidence_ids: tuple[str, ...]


SHOWN = Expected("BUYER", ("PHOTO", "VIDEO"))
OFFERED = Expected("SELLER", ("LISTING_SNAPSHOT",))
PACKED = Expected("SELLER", ("PHOTO", "VIDEO"))
TRACKED = Expected("SELLER", ("TRACKING",))
EXPECTED: Mapping[DisputeReason, Sequence[Expected]] = {
    "NOT_RECEIVED": (TRACKED, Expected("BUYER", ("COMMUNICATION",))),
    "NOT_AS_DESCRIBED": (SHOWN, OFFERED),
    "DAMAGED": (SHOWN, PACKED),
    "WRONG_ITEM": (SHOWN, OFFERED, PACKED),
    "MISSING_PARTS": (SHOWN, OFFERED, PACKED),
    "COUNTERFEIT": (SHOWN, Expected("BUYER", ("EXPERT",)), Expected("SELLER", ("RECEIPT",))),
    "SIZE_MISFIT": (Expected("BUYER", ("MEASUREMENT",)), OFFERED),
    "SELLER_REFUSED_RETURN": (SHOWN, PACKED),
}


def checklist(dispute: Dispute) -> list[Item]:
    """What is expected, each with what is there of it; then whatever is there besides."""
    expected = EXPECTED[dispute.reason]
    items = [
        Item(of=each.of, kinds=each.kinds, evidence_ids=there(dispute, each.of, each.kinds))
        for each in expected
    ]
    counted = {evidence_id for item in items for evidence_id in item.evidence_ids}
    besides: dict[EvidenceKind, tuple[str, ...]] = {}
    for evidence_id, piece in dispute.evidence.items():
        if evidence_id not in counted:
            kind = piece.lodged.kind
            besides[kind] = (*besides.get(kind, ()), evidence_id)
    return items + [Item(of=None, kinds=(kind,), evidence_ids=ids) for kind, ids in besides.items()]


def there(dispute: Dispute, by: Author, kinds: Sequence[EvidenceKind]) -> tuple[str, ...]:
    return tuple(
        evidence_id
        for evidence_id, piece in dispute.evidence.items()
        if piece.lodged.by_role == by and piece.lodged.kind in kinds
    )
