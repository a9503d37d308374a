"""A buyer's objection to what was done with his return in, a dispute with the file of it out."""

from collections import defaultdict
from typing import Annotated

from msgspec import Meta, Struct
from shared_casework.values import utc
from shared_events.dispute import (
    ContestGround,
    DisputeEvent,
    DisputeOpened,
    EvidenceLodged,
    EvidenceShared,
)
from shared_events.fields import Id, Sha256, Unit
from shared_events.returns import ReturnContested
from shared_runtime.decider import QuantityExceeded
from shared_runtime.shape import ONCE

from dispute_service.domain.dispute_state import Ids, units_in
from dispute_service.domain.known import Sender, line_of
from dispute_service.domain.matter import Opening, OpeningRule
from dispute_service.domain.opening import Contested, opened
from dispute_service.domain.streams import (
    contest_id_of,
    file_id_of,
    opening_proposal_id_of,
    refusal_id_of,
)
from dispute_service.domain.terms import GOODS_AWAY, Terms


class OpenContest(Struct, frozen=True, kw_only=True):
    """Which pieces of which return, and what the seller did with them. `barred_ids`: of staff who
    have decided about that return, or about the remedy behind it.
    """

    dispute_id: Id
    return_id: Id
    units: Annotated[tuple[Unit, ...], Meta(min_length=1), ONCE]
    ground: ContestGround
    seller_at_fault: bool
    barred_ids: tuple[Id, ...] = ()
    file_sha256: Sha256
    proposal_id: Id


def contest_of(event_id: str, told: ReturnContested, deciders: tuple[str, ...]) -> OpenContest:
    """The contest that an event asks for: the same one whenever it comes. `deciders`: of the
    dispute whose remedy the return was.
    """
    dispute_id = contest_id_of(event_id)
    declined_by = (told.declined_by,) if told.declined_by else ()
    return OpenContest(
        dispute_id=dispute_id,
        return_id=told.return_id,
        units=tuple(told.units),
        ground=told.ground,
        seller_at_fault=told.seller_at_fault,
        barred_ids=tuple(dict.fromkeys((*declined_by, *deciders))),
        file_sha256=told.file_sha256,
        proposal_id=opening_proposal_id_of(dispute_id),
    )


def open_contest(opening: Opening, said: OpenContest, by: Sender) -> list[DisputeEvent]:
    """For the buyer, whatever the windows say. The seller's refusal stands as his proposal, so he
    is not silent; the file of the return is there for both from the start.
    """
    require_free(said, by)
    pieces: defaultdict[str, list[str]] = defaultdict(list)
    for unit in said.units:
        pieces[line_of(unit)].append(unit)
    away = said.ground in GOODS_AWAY
    told = opened(
        opening,
        by,
        [units_in(pieces[line_id]) for line_id in sorted(pieces)],
        terms=Terms(outcome="REFUND_FULL" if away else "RETURN_AND_REFUND", lines=()),
        dispute_id=said.dispute_id,
        proposal_id=said.proposal_id,
        reason="SELLER_REFUSED_RETURN",
        contested=Contested(
            return_id=said.return_id,
            ground=said.ground,
            refusal_id=refusal_id_of(said.return_id),
            file_sha256=said.file_sha256,
            seller_at_fault=said.seller_at_fault,
            barred_ids=said.barred_ids,
        ),
    )
    file_id, now = file_id_of(said.return_id), utc(by.now)
    ids = Ids(
        order_id=told.order_id,
        seller_id=told.seller_id,
        buyer_id=told.buyer_id,
        policy_version=told.policy_version,
        dispute_id=told.dispute_id,
    )
    file = EvidenceLodged(
        **ids,
        evidence_id=file_id,
        by_role="SYSTEM",
        kind="RETURN_FILE",
        sha256=said.file_sha256,
        lodged_at=now,
    )
    shared = EvidenceShared(**ids, by_role="SYSTEM", evidence_ids=[file_id], shared_at=now)
    return [told, file, shared]


def require_free(said: OpenContest, by: Sender) -> None:
    """While another dispute has one of the pieces, the contest waits: it is asked again."""
    held = {
        piece.unit for piece in by.known.units if piece.in_dispute not in (None, said.dispute_id)
    }
    for unit in said.units:
        if unit in held:
            line_id = line_of(unit)
            same_line = [each for each in said.units if line_of(each) == line_id]
            raise QuantityExceeded(
                line_id=line_id, free=sum(each not in held for each in same_line)
            )


def is_open(opening: Opening, _: OpenContest, __: Sender) -> bool:
    return opening.dispute is not None


OPEN_CONTEST = OpeningRule(
    OpenContest,
    open_contest,
    roles=("SYSTEM",),
    repeated=is_open,
    refuses=(QuantityExceeded,),
    lapses=True,
    events=(DisputeOpened, EvidenceLodged, EvidenceShared),
    example=OpenContest(
        dispute_id="D-13",
        return_id="R-13",
        units=("1/1",),
        ground="DECLINED",
        seller_at_fault=True,
        file_sha256="0" * 64,
        proposal_id="P-1",
    ),
)
