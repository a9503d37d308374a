"""Decisions and passed deadlines in, the platform's own words about them out: sealed for whom they
go against.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared_events.reputation import ViolationAppealDecided, ViolationConfirmed
from shared_runtime.keys import KeyStore, new_key
from shared_runtime.sealing import PersonKey

from reputation_service.domain.case_state import Case


@dataclass(frozen=True, slots=True)
class Words:
    """`keys`: of everybody to whom something is said."""

    keys: Mapping[str, PersonKey]

    def sealed(self, who: str, text: str) -> str:
        """Nobody can open what an erased one is told."""
        return (self.keys.get(who) or new_key(who)).unsealed(text)


async def words_for(persons: Iterable[str], keys: KeyStore) -> Words:
    """Keys are fetched where there is something to say, all at once."""
    wanted = {*persons}
    return Words(await keys.keys_of(wanted) if wanted else {})


def facts_of_decision(event: ViolationConfirmed | ViolationAppealDecided) -> str:
    """What points, or a notice, rest on."""
    rules = ", ".join(event.rule_ids)
    if isinstance(event, ViolationAppealDecided):
        return (
            f"The appeal in case {event.case_id} was decided: {event.rule}, by {rules}, stands "
            f"with {event.points} points. The statement of that decision tells the facts."
        )
    how = "by rule, since nothing was said against it" if event.automatic else "by a person"
    return (
        f"The case {event.case_id} was confirmed {how}: {event.rule}, by {rules}. The statement of "
        "that decision tells the facts."
    )


def facts_of_silence(case: Case) -> str:
    """What the platform confirms by itself, and why it may."""
    opened = case.opened
    events = ", ".join(opened.evidence_event_ids)
    return (
        f"{opened.rule} was recorded about {opened.cause_key} (event {events}). Until "
        f"{opened.statement_until:%Y-%m-%d %H:%M} UTC nothing was said against it."
    )
