"""Events in, rows out: what moderators have to decide about each review.

A case is one side's review of one order. It is open while a flag, a hold or an appeal is; then its
row says since when, by when, and who may not decide. It does not know the stars.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace
from shared_events import review
from shared_events.envelope import Recorded
from shared_events.review import (
    EvaluationClosed,
    Flagger,
    FlagReason,
    Ground,
    ModerationAppealDecided,
    ModerationAppealed,
    ReviewFlagged,
    ReviewHeld,
    ReviewKept,
    ReviewReleased,
    ReviewRestricted,
    ReviewWithdrawn,
    Side,
)
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import Rows

from review_service.domain.streams import review_ref

# The one index of the open cases is what the queue, its counts and the next case are read from.
MODERATION_CASES_DDL = """
    CREATE TABLE moderation_case (
        case_id text PRIMARY KEY,
        order_id text NOT NULL,
        side text NOT NULL,
        seller_id text NOT NULL,
        buyer_id text NOT NULL,
        review_id text NOT NULL,
        flags jsonb NOT NULL,
        hold jsonb,
        appeals jsonb NOT NULL,
        kept_by jsonb NOT NULL,
        restricted_by text,
        decisions bigint NOT NULL,
        opened_at timestamptz,
        due_at timestamptz,
        barred jsonb NOT NULL,
        flagged boolean NOT NULL GENERATED ALWAYS AS (flags <> '[]') STORED,
        held boolean NOT NULL GENERATED ALWAYS AS (hold IS NOT NULL) STORED,
        appealed boolean NOT NULL GENERATED ALWAYS AS (appeals <> '[]') STORED
    );
    CREATE INDEX moderation_case_queue ON moderation_case (opened_at, case_id)
        INCLUDE (due_at, flagged, held, appealed) WHERE opened_at IS NOT NULL;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFlag:
    flag_id: str
    reason: FlagReason
    flagger_role: Flagger
    flagger_id: str
    flagged_at: datetime
    decide_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHold:
    ground: Ground
    held_at: datetime
    hold_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAppeal:
    """`decided_by` took the decision that is appealed, and may not decide on it again."""

    appeal_id: str
    against: Literal["RESTRICTED", "KEPT"]
    appellant_id: str
    decided_by: str | None
    appealed_at: datetime
    decide_by: datetime


class ModerationCase(Struct, frozen=True, kw_only=True):
    """`opened_at` and `due_at` are those of its oldest and its most urgent matter: none when
    nothing is open. `kept_by`: who last kept the review against a flag, by whose it was.
    `decisions` counts what people have decided so far.
    """

    case_id: str
    order_id: str
    side: Side
    seller_id: str
    buyer_id: str
    review_id: str
    flags: list[OpenFlag]
    hold: OpenHold | None = None
    appeals: list[OpenAppeal]
    kept_by: dict[str, str]
    restricted_by: str | None = None
    decisions: int = 0
    opened_at: datetime | None = None
    due_at: datetime | None = None
    barred: list[str]


class SideClosed(Struct, frozen=True, kw_only=True):
    """What the end of an evaluation is for one of its sides."""

    order_id: str
    side: Side


type ReviewMatter = (
    ReviewFlagged
    | ReviewHeld
    | ReviewReleased
    | ReviewKept
    | ReviewRestricted
    | ReviewWithdrawn
    | ModerationAppealed
    | ModerationAppealDecided
)
type CaseEvent = ReviewMatter | SideClosed
SIDES: tuple[Side, ...] = ("BUYER", "SELLER")
ROWS = Rows(table="moderation_case", key="case_id", row=ModerationCase)


async def moderation_cases(
    batch: Sequence[Recorded[ReviewMatter | EvaluationClosed]], db: Connection
) -> None:
    told = [each for recorded in batch for each in of_cases(recorded)]
    await ROWS.fold_recorded(told, db, key_of=case_of, evolve=evolve)


def of_cases(recorded: Recorded[ReviewMatter | EvaluationClosed]) -> list[Recorded[CaseEvent]]:
    """An evaluation ends for both of its sides."""
    told: Recorded[Any] = recorded
    if not isinstance(recorded.event, EvaluationClosed):
        return [told]
    order_id = recorded.event.order_id
    return [replace(told, event=SideClosed(order_id=order_id, side=side)) for side in SIDES]


def case_of(event: CaseEvent) -> str:
    """A case is named like the review that it is about."""
    return review_ref(event.order_id, event.side)


def evolve(before: ModerationCase | None, recorded: Recorded[CaseEvent]) -> ModerationCase | None:
    event = recorded.event
    if isinstance(event, SideClosed):
        # Nothing is shown any more, so there is nothing to keep or hold. A restriction of before
        # may still be reversed: an appeal that was lodged in time is heard.
        return before and summed_up(replace(before, flags=[], hold=None))
    case = before or ModerationCase(
        case_id=case_of(event),
        order_id=event.order_id,
        side=event.side,
        seller_id=event.seller_id,
        buyer_id=event.buyer_id,
        review_id=event.review_id,
        flags=[],
        appeals=[],
        kept_by={},
        barred=[],
    )
    after = evolve_matters(case, event, recorded.time)
    return summed_up(replace(after, review_id=event.review_id))


def evolve_matters(  # noqa: PLR0911 - one arm for each event
    case: ModerationCase, event: ReviewMatter, at: datetime
) -> ModerationCase:
    match event:
        case ReviewFlagged():
            return replace(case, flags=[*case.flags, open_flag(event, at)])
        case ReviewHeld():
            hold = OpenHold(ground=event.ground, held_at=at, hold_until=event.hold_until)
            return replace(case, hold=hold)
        case ReviewReleased(how="HOLD_EXPIRED"):
            return replace(case, hold=None)
        case ReviewReleased():
            return decided(replace(case, hold=None))
        case ReviewKept():
            return decided(without_flags(case, event))
        case ReviewRestricted():
            return decided(replace(case, flags=[], hold=None, restricted_by=event.decided_by))
        case ReviewWithdrawn():
            return replace(case, flags=[], hold=None)
        case ModerationAppealed():
            return replace(case, appeals=[*case.appeals, open_appeal(case, event, at)])
        case ModerationAppealDecided():
            appeals = [each for each in case.appeals if each.appeal_id != event.appeal_id]
            return decided(replace(case, appeals=appeals))


def decided(case: ModerationCase) -> ModerationCase:
    return replace(case, decisions=case.decisions + 1)


def open_flag(event: ReviewFlagged, at: datetime) -> OpenFlag:
    return OpenFlag(
        flag_id=event.flag_id,
        reason=event.reason,
        flagger_role=event.flagger_role,
        flagger_id=event.flagger_id,
        flagged_at=at,
        decide_by=event.decide_by,
    )


def without_flags(case: ModerationCase, event: ReviewKept) -> ModerationCase:
    """Each flagger may appeal what was decided of his last one, and that alone."""
    closed = [flag for flag in case.flags if flag.flag_id in event.flag_ids]
    return replace(
        case,
        flags=[flag for flag in case.flags if flag not in closed],
        kept_by=case.kept_by
        | {f"{flag.flagger_role}/{flag.flagger_id}": event.decided_by for flag in closed},
    )


def open_appeal(case: ModerationCase, event: ModerationAppealed, at: datetime) -> OpenAppeal:
    return OpenAppeal(
        appeal_id=event.appeal_id,
        against=event.against,
        appellant_id=event.appellant_id,
        decided_by=case.restricted_by if event.against == "RESTRICTED" else kept_by(case, event),
        appealed_at=at,
        decide_by=event.decide_by,
    )


def kept_by(case: ModerationCase, event: ModerationAppealed) -> str | None:
    """Who dismissed the appellant's flag. The first appeals did not say in which role they are."""
    for flagger, decided_by in case.kept_by.items():
        role, _, flagger_id = flagger.partition("/")
        if flagger_id == event.appellant_id and event.appellant_role in (None, role):
            return decided_by
    return None


def summed_up(case: ModerationCase) -> ModerationCase:
    """Since when, by when and for whom not, of all that is open."""
    holds = [case.hold] if case.hold else []
    began = [
        *(flag.flagged_at for flag in case.flags),
        *(hold.held_at for hold in holds),
        *(appeal.appealed_at for appeal in case.appeals),
    ]
    due = [
        *(flag.decide_by for flag in case.flags),
        *(hold.hold_until for hold in holds),
        *(appeal.decide_by for appeal in case.appeals),
    ]
    barred = {
        case.seller_id,
        case.buyer_id,
        *(flag.flagger_id for flag in case.flags),
        *(appeal.appellant_id for appeal in case.appeals),
        *(appeal.decided_by for appeal in case.appeals if appeal.decided_by),
    }
    return replace(
        case,
        opened_at=min(began, default=None),
        due_at=min(due, default=None),
        barred=sorted(barred),
    )


MODERATION_CASES = Projection(
    name="moderation_cases",
    version=2,
    topics=(review.TOPIC,),
    handles=(
        ReviewFlagged,
        ReviewHeld,
        ReviewReleased,
        ReviewKept,
        ReviewRestricted,
        ReviewWithdrawn,
        ModerationAppealed,
        ModerationAppealDecided,
        EvaluationClosed,
    ),
    tables=("moderation_case",),
    ddl=MODERATION_CASES_DDL,
    apply=moderation_cases,
)
