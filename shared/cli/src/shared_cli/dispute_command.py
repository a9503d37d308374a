"""A command of a dispute vector in, what the service's own rules take out.

What a vector leaves to the service (sealed words, ids that follow from others) is put in here.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from dispute_service.domain.contest import OpenContest
from dispute_service.domain.dispute_state import DisputeState, Unopened
from dispute_service.domain.known import Known, UnitFacts
from dispute_service.domain.overdue import owed
from dispute_service.domain.policy import ALWAYS, DisputePolicy, Policies, policies
from dispute_service.domain.rules import RULES
from dispute_service.domain.streams import file_id_of, refusal_id_of, remedy_id_of
from msgspec import Struct
from shared_casework.money import LedgerFacts
from shared_casework.order_facts import OrderFacts
from shared_events.orders import OrderLine
from shared_runtime.decider import Actor, FieldError, InvalidValue
from shared_runtime.rule import By, Sent

DISPUTE_ID = "D1"
CURRENCY = "EUR"
WORDS = "s1.key.digest.event.text.words"
"""A text as it is sealed: nothing here ever opens one."""
UNITS = {"days": timedelta(days=1), "hours": timedelta(hours=1)}
NUMBERS = {
    "dispute_default_partial_max": "dispute_default_partial_max_milli",
    "dispute_blind_offers": "dispute_blind_offers_max",
    "dispute_evidence_appeal": "dispute_evidence_appeal_max",
}
"""Numbers that have another name in the service than their key."""
COMMANDS = {row.name: row.command for row in RULES}
FACTS = frozenset(
    {"order", "ledger", "open_disputes", "withdrawn_disputes", "ceiling_minor", "manual_only"}
    | {"delivery_known", "party_orgs", "erased"}
)
"""What a vector's command says beside its fields."""

type Fields = Mapping[str, Any]


def policies_of(told: Fields) -> Policies:
    """The policy of a case, in days, hours, counts and milli."""
    numbers: dict[str, Any] = {}
    for key, value in told.items():
        name, _, unit = key.replace(".", "_").rpartition("_")
        if key == "policy_version":
            continue
        if unit in UNITS:
            numbers[name] = value * UNITS[unit]
        else:
            whole = key.replace(".", "_")
            numbers[NUMBERS.get(whole, whole)] = value
    version = told.get("policy_version", "vector")
    try:
        policy = DisputePolicy(version=version, **numbers)
    except (TypeError, ValueError) as fault:
        raise msgspec.ValidationError(f"policy {version}: {fault}") from fault
    return policies([(ALWAYS, version)], [policy])


def sent(told: Fields, known: Policies, state: DisputeState) -> Sent[Struct, Known]:
    """Raises InvalidValue for fields that are not well-formed, ValidationError for no command."""
    now = msgspec.convert(told["now"], datetime)
    actor = msgspec.convert(told["actor"], Actor)
    by = By(actor=actor, now=now, known=facts_of(told, known, state))
    return Sent(said_in(told, actor, state), by)


# --- What is said


def said_in(told: Fields, actor: Actor, state: DisputeState) -> Struct:
    name = told["type"]
    if name not in COMMANDS:
        raise msgspec.ValidationError(f"no command to a dispute: {name}")
    command = OpenContest if "return_id" in told else COMMANDS[name]
    said = {key: value for key, value in told.items() if key not in FACTS}
    fields = {field.name for field in msgspec.structs.fields(command)}
    whole = left_out(actor, state) | said | renamed(told) | worded(name, actor)
    if whole.get("amount_minor") is not None:
        whole["currency"] = CURRENCY
    try:
        return msgspec.convert({key: whole[key] for key in fields & whole.keys()}, command)
    except msgspec.ValidationError as fault:
        raise InvalidValue(errors=[FieldError(field="", bound=str(fault))]) from fault


def left_out(actor: Actor, state: DisputeState) -> dict[str, Any]:
    """Ids that the service makes, and sealed words."""
    due = None if isinstance(state, Unopened) else owed(state)
    return {
        "dispute_id": DISPUTE_ID,
        "remedy_id": remedy_id_of(DISPUTE_ID),
        "ref_id": due[1] if due else DISPUTE_ID,
        "org_id": actor.org_id,
        "media": WORDS,
        "text": WORDS,
        "facts": WORDS,
        "facts_for_buyer": WORDS,
        "facts_for_seller": WORDS,
        "question_for_buyer": WORDS,
        "question_for_seller": WORDS,
        "rule_ids": [],
    }


def renamed(told: Fields) -> dict[str, Any]:
    """What the service has under other names, or under ids of its own; an empty text is none."""
    changed: dict[str, Any] = dict.fromkeys(key for key, value in told.items() if value == "")
    if "facts_text" in told:
        facts = WORDS if told["facts_text"] else None
        changed |= {"facts_for_buyer": facts, "facts_for_seller": facts}
    if "evidence_ids" in told:
        changed["evidence_ids"] = [real_id(each) for each in told["evidence_ids"]]
    for key in ("evidence_id", "proposal_id"):
        if key in told:
            changed[key] = real_id(told[key])
    return changed


def worded(name: str, actor: Actor) -> dict[str, Any]:
    """A message of a party has one text, one of an adjudicator one for each party."""
    if name != "AddDisputeMessage" or actor.acts_as in ("BUYER", "SELLER"):
        return {} if name != "AddDisputeMessage" else {"text": WORDS}
    return {"text": None, "text_for_buyer": WORDS, "text_for_seller": WORDS}


def real_id(told: str) -> str:
    """`RT9.refusal` and `RT9.file` stand for ids that follow from the return's."""
    return_id, _, purpose = told.partition(".")
    match purpose:
        case "refusal":
            return refusal_id_of(return_id)
        case "file":
            return file_id_of(return_id)
        case _:
            return told


# --- What other streams tell


def facts_of(told: Fields, known: Policies, state: DisputeState) -> Known:
    pieces = pieces_of(told, state)
    return Known(
        policies=known,
        order=order_of(told, pieces),
        units=pieces,
        ledger=ledger_of(told),
        open_disputes=told.get("open_disputes", 0),
        withdrawn_disputes=told.get("withdrawn_disputes", 0),
        manual_only=told.get("manual_only", False),
        erased_parties=frozenset(told.get("erased", ())),
        party_orgs=frozenset(told.get("party_orgs", ())),
    )


def pieces_of(told: Fields, state: DisputeState) -> tuple[UnitFacts, ...]:
    if not isinstance(state, Unopened):
        return tuple(UnitFacts(unit=unit) for unit in state.units(state.lines))
    return tuple(
        UnitFacts(unit=each)
        if isinstance(each, str)
        else UnitFacts(
            unit=each["unit"],
            in_return=each.get("open_in"),
            ended_by=each.get("ended_by"),
            withdrawn=each.get("withdrawn", 0),
            shipped_at=instant(each.get("shipped_at")),
            delivered_at=instant(each.get("delivered_at")),
        )
        for each in told.get("units", ())
    )


def order_of(told: Fields, pieces: tuple[UnitFacts, ...]) -> OrderFacts:
    order: Fields = told.get("order", {})
    at = {key: instant(value) for key, value in order.items() if key != "state"}
    delivered = at.get("delivered_at")
    if told.get("delivery_known"):
        delivered = instant(told["now"])
    of_line: dict[str, int] = {}
    for piece in pieces:
        of_line[piece.line_id] = of_line.get(piece.line_id, 0) + 1
    return OrderFacts(
        order_id="O1",
        seller_id="S1",
        buyer_id="B1",
        marketplace_id="M1",
        country="DE",
        stage=order.get("state", "COMPLETED"),
        currency=CURRENCY,
        lines=[
            OrderLine(
                line_id=line_id, sku="sku", category="any", quantity=count, unit_price_minor=1
            )
            for line_id, count in of_line.items()
        ],
        order_discount_minor=0,
        shipping_minor=0,
        total_minor=0,
        total_ref_minor=0,
        withdrawal_right=True,
        withdrawal_informed=True,
        placed_at=ALWAYS,
        deliver_by=at.get("deliver_by"),
        paid_at=at.get("paid_at"),
        shipped_at=at.get("shipped_at"),
        delivered_at=delivered,
        received_at=delivered or at.get("completed_at"),
        completed_at=at.get("completed_at"),
    )


def ledger_of(told: Fields) -> LedgerFacts:
    """As it is told, or so that the ceiling of whatever lines is what is told."""
    if (ledger := told.get("ledger")) is not None:
        return LedgerFacts(
            units=ledger["units"],
            left=frozenset(ledger["left"]),
            shipping_minor=ledger["shipping_minor"],
            order_minor=ledger["order_minor"],
        )
    ceiling = told.get("ceiling_minor", 0)
    return LedgerFacts(units={}, left=frozenset(), shipping_minor=ceiling, order_minor=ceiling)


def instant(told: str | None) -> datetime | None:
    return None if told is None else msgspec.convert(told, datetime)
