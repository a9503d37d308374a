"""A command of a refund vector in, what the service's own rules take out."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from returns_service.domain.goodwill import GiveGoodwill
from returns_service.domain.known import Known
from returns_service.domain.ledger_rules import LEDGER_RULES
from returns_service.domain.policy import ALWAYS, Policies, ReturnsPolicy, policies
from shared_casework.order_facts import OrderFacts
from shared_runtime.decider import Actor, FieldError, InvalidValue
from shared_runtime.rule import By, Sent

COMMANDS = {row.name: row.command for row in LEDGER_RULES}
SECONDS = "_seconds"

type Fields = Mapping[str, Any]


def policies_of(told: Fields) -> Policies:
    """The policy of a case, in seconds, counts and units of the reference currency."""
    numbers: dict[str, Any] = {}
    for key, value in told.items():
        name = key.replace(".", "_")
        if name.endswith(SECONDS):
            numbers[name.removesuffix(SECONDS)] = timedelta(seconds=value)
        elif name != "policy_version":
            numbers[name] = value
    version = told.get("policy_version", "vector")
    try:
        policy = ReturnsPolicy(version=version, **numbers)
    except (TypeError, ValueError) as fault:
        raise msgspec.ValidationError(f"policy {version}: {fault}") from fault
    return policies([(ALWAYS, version)], [policy])


def order_of(told: Fields) -> OrderFacts:
    """The order as it was placed and paid; what the ledger does not look at is made up."""
    made_up: dict[str, Any] = {
        "marketplace_id": "M1",
        "country": "DE",
        "stage": "PAID",
        "withdrawal_right": True,
        "withdrawal_informed": True,
        "placed_at": ALWAYS,
    }
    lines = [{"sku": "sku", "category": "any", **line} for line in told["lines"]]
    return msgspec.convert({**made_up, **told, "lines": lines}, OrderFacts)


def sent(told: Fields, known: Policies, order: OrderFacts) -> Sent[Struct, Known]:
    """Raises InvalidValue for fields that are not well-formed, ValidationError for no command."""
    now = msgspec.convert(told["now"], datetime)
    actor = msgspec.convert(told["actor"], Actor)
    facts = Known(policies=known, order=order, party_orgs=frozenset(told.get("party_orgs", ())))
    return Sent(said_in(told, order.currency), By(actor=actor, now=now, known=facts))


def said_in(told: Fields, currency: str) -> Struct:
    """Every amount of a vector is in the currency of its order."""
    name = told["type"]
    if name not in COMMANDS:
        raise msgspec.ValidationError(f"no command to a ledger: {name}")
    command = GiveGoodwill if told.get("source") == "GOODWILL" else COMMANDS[name]
    fields = {field.name for field in msgspec.structs.fields(command)}
    whole = {"currency": currency, **{key: each for key, each in told.items() if each is not None}}
    try:
        return msgspec.convert({key: whole[key] for key in fields & whole.keys()}, command)
    except msgspec.ValidationError as fault:
        raise InvalidValue(errors=[FieldError(field="", bound=str(fault))]) from fault
