"""An account at an instant in; its level, the measures in force, and the events that bring both
into line out.

Which measures are in force is a function of the points, the stays and the instant: no history of
commands leads to others.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace
from shared_casework.values import utc
from shared_events.fields import Party
from shared_events.reputation import (
    AccountEvent,
    ConductAssessed,
    Level,
    LevelChanged,
    LiftReason,
    Measure,
    MeasureApplied,
    MeasureLifted,
    PenaltyReversed,
    PenaltyStayed,
)

from reputation_service.domain.account_fold import evolve
from reputation_service.domain.account_state import Account
from reputation_service.domain.points import LEVELS, Lot, level_of
from reputation_service.domain.points_policy import PointsPolicy
from reputation_service.domain.streams import measure_id_of
from reputation_service.domain.violations import VIOLATIONS

WARNING_POINTS = 2
LADDER: Mapping[Party, Mapping[Level, tuple[Measure, ...]]] = {
    "SELLER": {
        "REDUCED": ("REDUCED_EXPOSURE",),
        "RESTRICTED": ("NO_PROMOTIONS", "PAYOUT_HOLD"),
    },
    "BUYER": {
        "REDUCED": ("NO_FAST_LANE",),
        "RESTRICTED": ("MANUAL_ONLY",),
    },
}
"""What comes with a level, and stays with every worse one."""
STAYABLE: Level = "RESTRICTED"
"""From this level on, points that an appeal stays do not count for its measures."""
REASONS: Mapping[type[Struct], LiftReason] = {
    PenaltyReversed: "REVERSED",
    PenaltyStayed: "STAYED",
    ConductAssessed: "EARNED_BACK",
}
"""Why a measure ends, where it is not by time alone."""


class Due(Struct, frozen=True):
    """A measure that ought to be in force, and the penalty that brought it last."""

    measure: Measure
    cause_id: str


def measures_due(account: Account, at: datetime, policy: PointsPolicy) -> dict[Measure, Due]:
    """By points. A suspension is in force for another reason: nothing is said of it."""
    ledger = account.ledger
    lots = ledger.active(at)
    due: list[Due] = []
    if sum(lot.points for lot in lots) >= WARNING_POINTS:
        due.append(Due("WARNING", newest(lots)))
    for level, measures in LADDER[account.kind].items():
        stayed = LEVELS.index(level) >= LEVELS.index(STAYABLE)
        counted = [lot for lot in lots if not (stayed and lot.stayed)]
        reached = level_of(ledger.balance_of(counted, at), policy)
        if LEVELS.index(reached) >= LEVELS.index(level):
            due += [Due(measure, newest(counted)) for measure in measures]
    costly = [lot for lot in lots if VIOLATIONS[lot.rule].costs_rating]
    if account.kind == "BUYER" and costly:
        due.append(Due("RATING_RIGHT_LOST", newest(costly)))
    return {each.measure: each for each in due}


def newest(lots: Iterable[Lot]) -> str:
    return max(lots, key=lambda lot: (lot.applied_at, lot.penalty_id)).penalty_id


def in_force(account: Account, at: datetime, policy: PointsPolicy) -> list[Measure]:
    """All that ought to be, by name."""
    suspended: list[Measure] = ["SUSPENSION"] if account.suspension(at) else []
    return sorted([*measures_due(account, at, policy), *suspended])


def after(account: Account, events: Sequence[AccountEvent]) -> Account:
    for event in events:
        changed = evolve(account, event)
        assert isinstance(changed, Account)
        account = changed
    return account


def in_line(
    before: Account, events: Sequence[AccountEvent], now: datetime, policy: PointsPolicy
) -> list[AccountEvent]:
    """What follows from events that are about to be recorded: level and measures as they ought to
    be at their instant.
    """
    account = after(before, events)
    return [
        *level_told(account, now, policy),
        *lifted(before, account, events, now, policy),
        *newly_applied(account, now, policy),
    ]


def level_told(account: Account, now: datetime, policy: PointsPolicy) -> list[AccountEvent]:
    level = account.real_level(now, policy)
    if level == account.level:
        return []
    return [
        LevelChanged(
            **account.ids,
            from_=account.level,
            to=level,
            public_level=account.public_level(now, policy),
            balance=account.ledger.balance(now),
        )
    ]


def lifted(
    before: Account,
    account: Account,
    events: Sequence[AccountEvent],
    now: datetime,
    policy: PointsPolicy,
) -> list[MeasureLifted]:
    """`before`: what time alone would have lifted by now has expired, whatever else happens."""
    due = measures_due(account, now, policy)
    due_before = measures_due(before, now, policy)
    cause = cause_of(events)
    suspension = account.suspension(now)
    ended: list[MeasureLifted] = []
    for held in account.measures.values():
        if held.measure == "SUSPENSION":
            if held != suspension:
                ended.append(lifting(account, held, "ENDED"))
        elif held.measure not in due:
            by_time = held.measure not in due_before
            ended.append(lifting(account, held, "EXPIRED" if by_time else cause))
    return ended


def cause_of(events: Iterable[AccountEvent]) -> LiftReason:
    for event in events:
        if reason := REASONS.get(type(event)):
            return reason
    return "EXPIRED"


def lifting(account: Account, held: MeasureApplied, reason: LiftReason) -> MeasureLifted:
    return MeasureLifted(
        **account.ids, measure_id=held.measure_id, measure=held.measure, reason=reason
    )


def newly_applied(account: Account, now: datetime, policy: PointsPolicy) -> list[MeasureApplied]:
    held = {each.measure for each in account.measures.values()}
    due = measures_due(account, now, policy).values()
    new = [each for each in due if each.measure not in held]
    return [
        applying(account, each.measure, each.cause_id, now, number=number)
        for number, each in enumerate(new)
    ]


def applying(
    account: Account,
    measure: Measure,
    cause_id: str,
    now: datetime,
    *,
    number: int = 0,
    ends_at: datetime | None = None,
) -> MeasureApplied:
    """`number`: of several that are applied at once."""
    nth = account.measures_ever + number + 1
    applied = MeasureApplied(
        **account.ids,
        measure_id=measure_id_of(account.kind, account.holder_id, nth),
        measure=measure,
        cause_id=cause_id,
        starts_at=utc(now),
    )
    return applied if ends_at is None else replace(applied, ends_at=utc(ends_at))
