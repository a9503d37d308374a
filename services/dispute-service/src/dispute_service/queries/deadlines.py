"""A matter as its reader may know it in, each of its deadlines with its reason out.

Days are exact: 24 hours, on which days of the week or in which country does not matter.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from shared_events.dispute import (
    DisputeAppealed,
    DisputeDecided,
    InfoLapsed,
    InfoProvided,
    InfoRequested,
)
from shared_events.envelope import Recorded
from shared_runtime.decider import Decider

from dispute_service.domain.deadlines import (
    RULES,
    Due,
    DueName,
    dues_of_dispute,
    dues_of_inquiry,
    seconds_of,
)
from dispute_service.domain.dispute_state import Dispute, DisputeState
from dispute_service.domain.inquiry_rules import INQUIRIES
from dispute_service.domain.inquiry_state import Inquiry, InquiryState
from dispute_service.domain.policy import DisputePolicy, Policies
from dispute_service.domain.rules import DISPUTES

NEVER = datetime.max.replace(tzinfo=UTC)
STOPPED_BY_QUESTIONS: tuple[DueName, ...] = (
    "DECISION_DUE",
    "DISPUTE_APPEAL_DUE",
    "PLATFORM_DEFAULT",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyNumber:
    """A number of the policy that the matter began with."""

    key: str
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmedBy:
    """What has set it, or moved it to where it is."""

    event_id: str
    type: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """The clock stood still. `until` is null while it does."""

    since: datetime
    until: datetime | None
    why: Literal["INFORMATION_REQUESTED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineView:
    """`due` is null while the clock stands still, with `remaining_seconds` left on it.

    `rule`, and the numbers in it: `policy`, of `policy_version`. `calendar`: every day counts, 24
    hours each, in UTC. `then`: what happens by itself when it passes.
    """

    name: DueName
    due: datetime | None
    remaining_seconds: int | None
    rule: str
    policy: list[PolicyNumber]
    calendar: Literal["EVERY_DAY"]
    armed_by: ArmedBy | None
    pauses: list[Pause]
    then: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinesView:
    policy_version: str
    deadlines: list[DeadlineView]


type KnownEvents = Sequence[Recorded[Any]]
"""What a reader may know of what has happened, as he reads it."""


def dispute_deadlines_view(state: Dispute, known: KnownEvents, policies: Policies) -> DeadlinesView:
    policy = policies.of(state.opened.policy_version)

    def dues_of(then: DisputeState) -> list[Due]:
        return dues_of_dispute(then, policy) if isinstance(then, Dispute) else []

    return deadlines_view(dues_of(state), armed(known, DISPUTES, dues_of), known, policy)


def inquiry_deadlines_view(state: Inquiry, known: KnownEvents, policies: Policies) -> DeadlinesView:
    policy = policies.of(state.opened.policy_version)

    def dues_of(then: InquiryState) -> list[Due]:
        return dues_of_inquiry(then) if isinstance(then, Inquiry) else []

    return deadlines_view(dues_of(state), armed(known, INQUIRIES, dues_of), known, policy)


type Armed = Mapping[tuple[DueName, datetime | None], ArmedBy]


def armed[S](
    known: KnownEvents, decider: Decider[S, Any, Any], dues_of: Callable[[S], Iterable[Due]]
) -> Armed:
    """By which event each deadline has first stood where it was."""
    found: dict[tuple[DueName, datetime | None], ArmedBy] = {}
    state = decider.initial
    for recorded in known:
        state = decider.evolve(state, recorded.event)
        by = ArmedBy(event_id=recorded.event_id, type=recorded.type, time=recorded.time)
        for due in dues_of(state):
            found.setdefault((due.name, due.at), by)
    return found


def deadlines_view(
    dues: Iterable[Due], armed_by: Armed, known: KnownEvents, policy: DisputePolicy
) -> DeadlinesView:
    """The soonest first, what stands still last."""
    pauses = pauses_in(known)
    return DeadlinesView(
        policy_version=policy.version,
        deadlines=[
            DeadlineView(
                name=due.name,
                due=due.at,
                remaining_seconds=due.remaining_seconds,
                rule=RULES[due.name].says,
                policy=[
                    PolicyNumber(key=key, seconds=seconds)
                    for key, seconds in seconds_of(policy, due.numbers).items()
                ],
                calendar="EVERY_DAY",
                armed_by=armed_by.get((due.name, due.at)),
                pauses=pauses if due.name in STOPPED_BY_QUESTIONS else [],
                then=RULES[due.name].then,
            )
            for due in sorted(dues, key=lambda due: due.at or NEVER)
        ],
    )


def pauses_in(known: KnownEvents) -> list[Pause]:
    """Of the clock that runs now: that of a decision ends with it."""
    pauses: list[Pause] = []
    since: datetime | None = None
    for recorded in known:
        match recorded.event:
            case InfoRequested():
                since = recorded.time
            case InfoProvided() | InfoLapsed() if since:
                pauses.append(Pause(since=since, until=recorded.time, why="INFORMATION_REQUESTED"))
                since = None
            case DisputeDecided() | DisputeAppealed() if not since:
                pauses = []
            case _:
                pass
    if since:
        pauses.append(Pause(since=since, until=None, why="INFORMATION_REQUESTED"))
    return pauses
