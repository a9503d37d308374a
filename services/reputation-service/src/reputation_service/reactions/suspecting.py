"""What may be a violation in; a case of it, or a hint, out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from msgspec.structs import replace
from shared_events.dispute import DisputeClosed
from shared_events.envelope import Recorded
from shared_events.reputation import CaseOpened
from shared_runtime.decider import Actor
from shared_runtime.delivery import Connection
from shared_runtime.log import Ask, Decisions
from shared_runtime.rule import By, Sent
from shared_runtime.subscription import decide_or_log

from reputation_service.domain.automatic import Hint, suspicions
from reputation_service.domain.case_opening import OpenCase
from reputation_service.domain.case_rules import CASES
from reputation_service.domain.known import ClaimFacts
from reputation_service.domain.points_policy import Policies
from reputation_service.domain.streams import case_stream
from reputation_service.fact_rows import write_hints
from reputation_service.facts import FactsOf, Span, account_person, read_claims, read_facts, span_at
from reputation_service.matters import lock_people
from reputation_service.matters import opened as row_of
from reputation_service.reactions.orders import open_accounts

WATCHING = Actor(role="SYSTEM", id="rules")
NOTHING = ClaimFacts()


class Suspected(NamedTuple):
    """A case that is to be opened, and what has told of it."""

    said: OpenCase
    recorded: Recorded[Any]


async def suspect(
    decisions: Decisions, told: Sequence[Recorded[Any]], policies: Policies, db: Connection
) -> None:
    """Opens what the rules open by themselves, under the lock of whom it is about: of one cause
    one case. Somebody of whom other services tell has ordered something, though the order may
    come later than they do.
    """
    found: list[Suspected] = []
    hints: list[tuple[Hint, datetime]] = []
    spans = {each.event_id: span for each in told if (span := span_of(each, policies))}
    claims = await read_claims({*spans.values()}, db)
    for recorded in told:
        policy = policies.in_force(recorded.time)
        span = spans.get(recorded.event_id)
        of_buyer = claims[span] if span else NOTHING
        for each in suspicions(recorded.event, recorded.event_id, of_buyer, policy):
            if isinstance(each, Hint):
                hints.append((each, recorded.time))
            else:
                found.append(Suspected(each, recorded))
    await write_hints(hints, db)
    if not found:
        return
    people = {account_person(each.said) for each in found}
    await lock_people(people, db)
    await open_accounts(
        decisions,
        [(each.said.account_kind, each.said.account_id, each.recorded) for each in found],
        policies,
        db,
    )
    facts = {**await read_facts(people, db)}
    await decisions.read(case_stream(each.said.case_id) for each in found)
    for suspected in found:
        who = account_person(suspected.said)
        events = decide_or_log(decisions, CASES, asking(suspected, facts[who], policies))
        rows = [row_of(event) for event in events if isinstance(event, CaseOpened)]
        facts[who] = replace(facts[who], cases=(*facts[who].cases, *rows))


def asking(found: Suspected, of_person: FactsOf, policies: Policies) -> Ask[Any]:
    said, recorded = found
    known = replace(of_person.known(policies, recorded.time, said=said), has_account=True)
    return Ask(
        stream=case_stream(said.case_id),
        command=Sent(said, By(actor=WATCHING, now=recorded.time, known=known)),
        cause=recorded.event_id,
        correlation=said.account_id,
        traceparent=recorded.traceparent,
    )


def span_of(recorded: Recorded[Any], policies: Policies) -> Span | None:
    """What counts of a buyer whose dispute was closed against him: up to then, however many of his
    are in a batch.
    """
    event = recorded.event
    if isinstance(event, DisputeClosed) and event.liable == "BUYER":
        return span_at(event.buyer_id, recorded.time, policies)
    return None
