"""What people may come up to in a dispute in, whole lives of disputes out: for laws of any history.

Between the acts every deadline is met at its instant, as an importer's driver does it; what is
refused changes nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import fields, replace
from shared_events.dispute import DisputedLine, DisputeEvent, Level
from shared_events.fields import Party
from shared_events.registry import encode_data
from shared_runtime.decider import Actor, Refused
from shared_runtime.rules import Row
from shared_runtime.shape import File, Made, Words, unfolded

from dispute_service.domain.adjudication import AssignAdjudicator
from dispute_service.domain.blind_offers import MakeBlindOffer
from dispute_service.domain.dispute_state import Dispute, DisputeState, Unopened
from dispute_service.domain.policy import policies
from dispute_service.domain.proposals import Propose
from dispute_service.domain.remedies import ConfirmExecution
from dispute_service.domain.rules import DISPUTES, RULES, DisputeCommand
from dispute_service.domain.submission import SubmitRebuttal
from dispute_service.domain.timers import (
    Deadline,
    PlatformWords,
    asked_of_dispute,
    dispute_deadlines,
)
from dispute_service.testing import AGENT, BUYER, SELLER, SENIOR, SYSTEM, say, words

PEOPLE: tuple[Actor, ...] = (BUYER, SELLER, AGENT, SENIOR)
TOLD = PlatformWords(for_buyer=words("facts"), for_seller=words("facts"))
FIRED_MAX = 60
"""Far more deadlines than a dispute has: the parties are silent meanwhile."""


class Act(Struct, frozen=True):
    """Somebody tries something, so long after what was before. `which`: of all he could try."""

    who: int
    which: int
    hours: int


class Life(Struct, frozen=True, kw_only=True):
    """A dispute from its opening to where it is by then, and each act that changed it."""

    events: tuple[DisputeEvent, ...]
    state: DisputeState
    now: datetime
    taken: tuple[DisputeCommand, ...] = ()


def lived(
    story: Sequence[DisputeCommand], acts: Iterable[Act], erased: frozenset[Party] = frozenset()
) -> Life:
    """What becomes of a dispute that has come so far. `erased`: who can't act any more."""
    life = Life(events=(), state=Unopened(), now=story[0].now)
    for command in story:
        life = after(life, command)
    for number, act in enumerate(acts):
        now = life.now + timedelta(hours=act.hours)
        life = assigned(replace(met(life, now), now=now))
        tried = [*attempts(life, PEOPLE[act.who % len(PEOPLE)], number, erased)]
        if tried:
            life = after(life, tried[act.which % len(tried)])
    return life


def after(life: Life, command: DisputeCommand) -> Life:
    try:
        events = DISPUTES.decide(life.state, command)
    except Refused:
        return life
    state = life.state
    for event in events:
        encode_data(event)  # the log would take it
        state = DISPUTES.evolve(state, event)
    return Life(
        events=(*life.events, *events),
        state=state,
        now=max(life.now, command.now),
        taken=(*life.taken, command) if events else life.taken,
    )


def assigned(life: Life) -> Life:
    """Whoever is free is drawn at once, as the service does it."""
    state = life.state
    if not isinstance(state, Dispute) or state.adjudicator:
        return life
    level: Level = "SENIOR" if state.status == "APPEAL" else "AGENT"
    judge = SENIOR if level == "SENIOR" else AGENT
    said = AssignAdjudicator(adjudicator_id=judge.id, level=level, org_id=judge.org_id)
    return after(life, say(said, now=life.now, actor=SYSTEM))


# --- Deadlines


def next_deadline(state: DisputeState) -> Deadline | None:
    dues = dispute_deadlines(state, policies())
    return min(dues, key=lambda each: each.due, default=None)


def met(life: Life, until: datetime) -> Life:
    """Every deadline up to an instant, each at its own."""
    for _ in range(FIRED_MAX):
        due = next_deadline(life.state)
        if due is None or due.due > until or not isinstance(life.state, Dispute):
            return life
        said = asked_of_dispute(due.name, due.due, life.state, TOLD)
        assert said, f"{due} asks for nothing"
        fired = after(life, say(said, now=max(due.due, life.now), actor=SYSTEM))
        assert len(fired.events) > len(life.events), f"{due} leads nowhere"
        life = assigned(fired)
    raise AssertionError("deadlines without an end")


def in_silence(life: Life) -> Life:
    """Nobody does anything any more, but for returns-service, which tells what it has done."""
    life = met(life, life.now + timedelta(days=3650))
    state = life.state
    if isinstance(state, Dispute) and state.remedy and not state.closed:
        done = ConfirmExecution(remedy_id=state.remedy.remedy_id, result="REFUNDED", amount_minor=1)
        life = after(life, say(done, now=life.now + timedelta(days=3650), actor=SYSTEM))
    return life


# --- What somebody can try


def attempts(
    life: Life, actor: Actor, number: int, erased: frozenset[Party] = frozenset()
) -> Iterator[DisputeCommand]:
    """All that his role may ever send here, taken or not, in words that are sealed."""
    gone = actor.role in erased
    for row in RULES:
        if actor.acts_as not in row.roles:
            continue
        known: dict[str, Any] = {"erased": gone, "erased_parties": erased}
        by = say(row.example, now=life.now, actor=actor, **known).by
        for matter in row.matters(life.state, by):
            for said in variants(row, matter, by):
                yield say(written(said, number), now=life.now, actor=actor, **known)


def variants(row: Row[DisputeState, Any, Any], matter: Any, by: Any) -> Sequence[Struct]:  # noqa: ANN401
    told: Sequence[Struct] = row.tries(matter, by) if row.tries else [row.example]
    if row.command is Propose:
        lines = (DisputedLine(line_id="1", quantity=1),)
        return [*told, *(part(amount, lines) for amount in (100, 2000))]
    if row.command is MakeBlindOffer:
        return [MakeBlindOffer(amount_minor=each, currency="EUR") for each in (500, 1500, 2500)]
    if row.command is SubmitRebuttal:
        own = matter.lodged_by(by.actor.acts_as)
        return [*told, SubmitRebuttal(text=words(), evidence_ids=tuple(own))]
    return told


def part(amount_minor: int, lines: tuple[DisputedLine, ...]) -> Propose:
    return Propose(
        proposal_id="P",
        outcome="REFUND_PARTIAL",
        lines=lines,
        amount_minor=amount_minor,
        currency="EUR",
    )


def written(said: Struct, number: int) -> Struct:
    """As the door hands it on: words sealed, ids of new things made."""
    changes: dict[str, object] = {}
    for each in fields(said):
        notes = unfolded(each.type)[1]
        value = getattr(said, each.name)
        if value and any(is_sealed(note) for note in notes):
            changes[each.name] = words(f"{each.name}{number}")
        for note in notes:
            if isinstance(note, Made):
                changes[each.name] = f"{note.what}-{number}"
    return replace(said, **changes)


def is_sealed(note: object) -> bool:
    """Whether a field with such a note is sealed on its way in."""
    return isinstance(note, File) or (isinstance(note, Words) and note.sealed_for is not None)
