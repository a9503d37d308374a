"""A dispute that is to be decided in, the adjudicator who is drawn for it out.

Whether somebody is still wanted follows from the history: since it came to be decided, or was told
to be overdue, nobody was assigned. Where nobody is there who may judge it, it is tried again: after
a while, or when somebody comes on duty.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from shared_events.common import DecisionOverdue
from shared_events.dispute import AdjudicationStarted, AdjudicatorAssigned, DisputeAppealed
from shared_events.envelope import Recorded
from shared_runtime.decider import ConflictOfInterest, Refused
from shared_runtime.log import Ask, Database, Decisions
from shared_runtime.rows import columns
from shared_runtime.rule import By, Sent
from shared_runtime.timers import ARM, TIMER, DueTimer, TimerName

from dispute_service.domain.adjudication import AssignAdjudicator
from dispute_service.domain.dispute_state import TO_DECIDE, Dispute
from dispute_service.domain.known import Known
from dispute_service.domain.rules import DISPUTES
from dispute_service.roster import Adjudicator, all_on_duty, note_drawn

ASSIGN = "ASSIGN"
"""The timer of it; the number of the attempt follows."""
AGAIN_AFTER = timedelta(minutes=10)


def wanted_since(history: Sequence[Recorded[Any]]) -> Recorded[Any] | None:
    """What has happened since which somebody is to be drawn, or somebody else."""
    since: Recorded[Any] | None = None
    for recorded in history:
        match recorded.event:
            case AdjudicationStarted() | DisputeAppealed():
                since = recorded
            case DecisionOverdue(what="DISPUTE_DECISION" | "DISPUTE_APPEAL"):
                since = recorded
            case AdjudicatorAssigned():
                since = None
            case _:
                pass
    return since


async def assign(
    decisions: Decisions, timers: Sequence[DueTimer], known: Mapping[str, Known], db: Database
) -> None:
    """Draws for each dispute whoever waited longest of those who may judge it. `known`: by the
    streams of the disputes, which have been read.
    """
    if not timers:
        return
    now = max(timer.now for timer in timers)
    waiting = await all_on_duty(now, db)
    drawn: list[str] = []
    again: list[tuple[Any, ...]] = []
    for timer in timers:
        if who := draw(decisions, timer, known[timer.stream], waiting):
            waiting = [each for each in waiting if each != who] + [who]
            drawn.append(who.adjudicator_id)
        elif is_wanted(decisions, timer):
            name = TimerName(ASSIGN, str(int(timer.name.of) + 1))
            armed_by = decisions.history(timer.stream)[-1].event_id
            again.append((timer.stream, str(name), timer.now + AGAIN_AFTER, armed_by))
    await note_drawn(drawn, now, db)
    if again:
        await db.execute(ARM, *columns(again, 4))


def draw(
    decisions: Decisions, timer: DueTimer, known: Known, waiting: Sequence[Adjudicator]
) -> Adjudicator | None:
    """The first who may judge it, recorded as assigned; None if there is nobody."""
    dispute = decisions.state(DISPUTES, timer.stream)
    if not isinstance(dispute, Dispute) or not is_wanted(decisions, timer):
        return None
    for each in candidates(dispute, waiting):
        said = AssignAdjudicator(
            adjudicator_id=each.adjudicator_id,
            level=each.level,
            org_id=each.org_id,
            seller_id=each.seller_id,
        )
        ask = Ask(
            stream=timer.stream,
            command=Sent(said, By(actor=TIMER, now=timer.now, known=known)),
            cause=timer.cause,
            correlation=dispute.ids["order_id"],
        )
        try:
            if decisions.decide(DISPUTES, ask):
                return each
        except ConflictOfInterest:
            continue
        except Refused:
            return None
    return None


def candidates(dispute: Dispute, waiting: Sequence[Adjudicator]) -> list[Adjudicator]:
    """Of an appeal SENIORs alone; else AGENTs first. Who has it already is none of them."""
    holder = dispute.adjudicator.adjudicator_id if dispute.adjudicator else None
    free = [each for each in waiting if each.adjudicator_id != holder]
    seniors = [each for each in free if each.level == "SENIOR"]
    if dispute.status == "APPEAL":
        return seniors
    return [each for each in free if each.level == "AGENT"] + seniors


def is_wanted(decisions: Decisions, timer: DueTimer) -> bool:
    """Meanwhile somebody may have been assigned by hand, or drawn by another worker."""
    to_decide = decisions.state(DISPUTES, timer.stream).status in TO_DECIDE
    return to_decide and wanted_since(decisions.history(timer.stream)) is not None
