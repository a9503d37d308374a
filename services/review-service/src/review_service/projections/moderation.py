"""Events in, rows out: what moderators have to decide about each review.

A case is one side's review of one order, with the reply and the follow-up under it. It is open
while a flag, a hold or an appeal is; then its row says since when, by when, and who may not decide.
It does not know the stars. What people have written to say why is sealed here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

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
    Part,
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
from shared_runtime.worklist import CASE_COLUMNS, Case, OpenItem, queue, summed_up

from review_service.domain.review_state import part_of
from review_service.domain.streams import review_digest
from review_service.domain.subject import SIDES

type CaseKind = Literal["FLAG", "HOLD", "APPEAL"]

MODERATION_CASES_DDL = f"""
    CREATE TABLE moderation_case (
        {CASE_COLUMNS},
        order_id text NOT NULL,
        side text NOT NULL,
        seller_id text NOT NULL,
        review_id text NOT NULL,
        flags jsonb NOT NULL,
        hold jsonb,
        appeals jsonb NOT NULL,
        reasons text[] NOT NULL,
        kept_by jsonb NOT NULL,
        restricted_by jsonb NOT NULL
    );
    CREATE INDEX moderation_case_of_seller ON moderation_case (seller_id, opened_at, case_id)
        WHERE opened_at IS NOT NULL;
    {queue("moderation_case")}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFlag:
    """`part`: it is about that alone."""

    flag_id: str
    part: Part | None = None
    reason: FlagReason
    flagger_role: Flagger
    flagger_id: str
    text: str | None
    flagged_at: datetime
    decide_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHold:
    ground: Ground
    held_at: datetime
    hold_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAppeal:
    """`decided_by` took the decision that is appealed, and may not decide on it again. `part`: it
    is about that alone.
    """

    appeal_id: str
    against: Literal["RESTRICTED", "KEPT"]
    part: Part | None = None
    appellant_id: str
    text: str | None
    decided_by: str | None
    appealed_at: datetime
    decide_by: datetime


class ModerationCase(Case, frozen=True, kw_only=True):
    """`reasons`: of the flags and the hold that are open. `kept_by`: who last kept the review, or a
    part of it, against a flag, by what it was about and whose it was. `restricted_by`: who last
    restricted what.
    """

    order_id: str
    side: Side
    seller_id: str
    review_id: str
    flags: list[OpenFlag]
    hold: OpenHold | None = None
    appeals: list[OpenAppeal]
    reasons: list[Ground]
    kept_by: dict[str, str]
    restricted_by: dict[str, str]


class SideClosed(Struct, frozen=True, kw_only=True):
    """What the end of an evaluation is for one of its sides."""

    order_id: str
    side: Side


type ModerationEvent = (
    ReviewFlagged
    | ReviewHeld
    | ReviewReleased
    | ReviewKept
    | ReviewRestricted
    | ReviewWithdrawn
    | ModerationAppealed
    | ModerationAppealDecided
)
type ModerationCaseEvent = ModerationEvent | SideClosed
ROWS = Rows(table="moderation_case", key="case_id", row=ModerationCase)


async def moderation_cases(
    batch: Sequence[Recorded[ModerationEvent | EvaluationClosed]], db: Connection
) -> None:
    of_sides = [each for recorded in batch for each in of_cases(recorded)]
    await ROWS.fold_recorded(of_sides, db, key_of=case_of, evolve=evolve)


def of_cases(
    recorded: Recorded[ModerationEvent | EvaluationClosed],
) -> list[Recorded[ModerationCaseEvent]]:
    """An evaluation ends for both of its sides."""
    each: Recorded[Any] = recorded
    if not isinstance(recorded.event, EvaluationClosed):
        return [each]
    order_id = recorded.event.order_id
    return [replace(each, event=SideClosed(order_id=order_id, side=side)) for side in SIDES]


def case_of(event: ModerationCaseEvent) -> str:
    """A case is found as the review is that it is about."""
    return review_digest(event.order_id, event.side)


def evolve(
    before: ModerationCase | None, recorded: Recorded[ModerationCaseEvent]
) -> ModerationCase | None:
    event = recorded.event
    if isinstance(event, SideClosed):
        # Nothing is shown any more, so there is nothing to keep or hold. A restriction of before
        # may still be reversed: an appeal that was lodged in time is heard.
        return before and with_open_items(replace(before, flags=[], hold=None))
    after = evolve_open_items(before or first(event), event, recorded.time)
    return with_open_items(replace(after, review_id=event.review_id))


def first(event: ModerationEvent) -> ModerationCase:
    """The case of the review that an event is about."""
    parties = [event.buyer_id, event.seller_id]
    return ModerationCase(
        case_id=case_of(event),
        kinds=[],
        parties=parties,
        barred=parties,
        order_id=event.order_id,
        side=event.side,
        seller_id=event.seller_id,
        review_id=event.review_id,
        flags=[],
        appeals=[],
        reasons=[],
        kept_by={},
        restricted_by={},
    )


def evolve_open_items(  # noqa: PLR0911 - one arm for each event
    case: ModerationCase, event: ModerationEvent, at: datetime
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
            return decided(restricted(case, event))
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
        part=event.part,
        reason=event.reason,
        flagger_role=event.flagger_role,
        flagger_id=event.flagger_id,
        text=event.text,
        flagged_at=at,
        decide_by=event.decide_by,
    )


def restricted(case: ModerationCase, event: ReviewRestricted) -> ModerationCase:
    """It answers the flags of what it is about. A hold is of the review, not of a part."""
    part = part_of(event.measures)
    return replace(
        case,
        flags=[flag for flag in case.flags if flag.part != part],
        hold=case.hold if part else None,
        restricted_by=case.restricted_by | {subject_of(part): event.decided_by},
    )


def subject_of(part: Part | None) -> str:
    """What a decision is about."""
    return part or "REVIEW"


def without_flags(case: ModerationCase, event: ReviewKept) -> ModerationCase:
    """Each flagger may appeal what was decided of his last one, and that alone."""
    closed = [flag for flag in case.flags if flag.flag_id in event.flag_ids]
    return replace(
        case,
        flags=[flag for flag in case.flags if flag not in closed],
        kept_by=case.kept_by
        | {
            f"{subject_of(flag.part)}/{flag.flagger_role}/{flag.flagger_id}": event.decided_by
            for flag in closed
        },
    )


def open_appeal(case: ModerationCase, event: ModerationAppealed, at: datetime) -> OpenAppeal:
    return OpenAppeal(
        appeal_id=event.appeal_id,
        against=event.against,
        part=event.part,
        appellant_id=event.appellant_id,
        text=event.text,
        decided_by=decided_by(case, event),
        appealed_at=at,
        decide_by=event.decide_by,
    )


def decided_by(case: ModerationCase, event: ModerationAppealed) -> str | None:
    """Who restricted it, or dismissed the appellant's flag. The first appeals did not say in which
    role they are.
    """
    subject = subject_of(event.part)
    if event.against == "RESTRICTED":
        return case.restricted_by.get(subject)
    for flagger, kept_by in case.kept_by.items():
        about, role, flagger_id = flagger.split("/", 2)
        same = (about, flagger_id) == (subject, event.appellant_id)
        if same and event.appellant_role in (None, role):
            return kept_by
    return None


def with_open_items(case: ModerationCase) -> ModerationCase:
    """With what follows from all that is open."""
    grounds: set[Ground] = {flag.reason for flag in case.flags}
    if case.hold:
        grounds.add(case.hold.ground)
    return summed_up(replace(case, reasons=sorted(grounds)), [*open_items(case)])


def open_items(case: ModerationCase) -> Iterator[OpenItem]:
    """Neither who has brought one up nor who decided what is appealed may decide."""
    for flag in case.flags:
        barred = (flag.flagger_id,)
        yield OpenItem(kind="FLAG", since=flag.flagged_at, due=flag.decide_by, barred=barred)
    if case.hold:
        yield OpenItem(kind="HOLD", since=case.hold.held_at, due=case.hold.hold_until)
    for appeal in case.appeals:
        barred = (appeal.appellant_id, *([appeal.decided_by] if appeal.decided_by else ()))
        yield OpenItem(kind="APPEAL", since=appeal.appealed_at, due=appeal.decide_by, barred=barred)


MODERATION_CASES = Projection(
    name="moderation_cases",
    version=4,
    topics=(review.TOPIC,),
    handles=(*get_args(ModerationEvent.__value__), EvaluationClosed),
    tables=("moderation_case",),
    ddl=MODERATION_CASES_DDL,
    apply=moderation_cases,
)
