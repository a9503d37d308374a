"""What is due in matters in, a calendar of it out (RFC 5545): ids and rules, nobody's words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from icalendar import Calendar, Event

from dispute_service.domain.deadlines import RULES, DueName

PRODUCT = "-//aftersales//dispute-service//EN"
TITLES: dict[DueName, str] = {
    "INQUIRY_ANSWER": "The seller is to answer a question by now",
    "INQUIRY_IDLE": "A question is closed",
    "DISPUTE_ANSWER": "The seller is to act in a dispute by now",
    "DISPUTE_ESCALATE": "The platform takes a dispute over",
    "EVIDENCE_DUE": "Evidence is disclosed",
    "REBUTTAL_DUE": "Rebuttals end",
    "DECISION_DUE": "A dispute is to be decided",
    "INFO_DUE": "An answer to the adjudicator is due",
    "APPEAL_WINDOW": "A decision becomes final",
    "APPEAL_ANSWER": "An appeal is to be answered by now",
    "DISPUTE_APPEAL_DUE": "An appeal is to be decided",
    "PLATFORM_DEFAULT": "A dispute ends undecided",
    "EXECUTION_DUE": "A remedy is to be carried out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is due in a matter, and when. `kind` and `matter_id` are its place in the API."""

    kind: str
    matter_id: str
    order_id: str
    name: DueName
    due: datetime


def calendar_of(entries: Iterable[Entry], now: datetime) -> bytes:
    """The soonest first. The same deadline of a matter is always the same event, moved or not."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    for entry in sorted(entries, key=lambda each: (each.due, each.matter_id)):
        event = Event()
        event.add("uid", f"{entry.kind}/{entry.matter_id}/{entry.name}")
        event.add("dtstamp", now)
        event.add("dtstart", entry.due)
        event.add("summary", f"{TITLES[entry.name]}: {entry.matter_id}")
        event.add(
            "description", f"Order {entry.order_id}. When this passes: {RULES[entry.name].then}"
        )
        event.add("transp", "TRANSPARENT")  # it keeps nobody busy
        calendar.add_component(event)
    return calendar.to_ical()
