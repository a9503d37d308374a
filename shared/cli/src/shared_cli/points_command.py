"""A command of a vector of accounts and cases in, what the service's own rules take out."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from reputation_service.domain.account_rules import ACCOUNT_RULES
from reputation_service.domain.account_state import Account
from reputation_service.domain.case_rules import CASE_RULES
from reputation_service.domain.known import ClaimFacts, Known
from reputation_service.domain.points_policy import ALWAYS, PointsPolicy, Policies, policies
from shared_runtime.decider import Actor, FieldError, InvalidValue
from shared_runtime.rule import By, Sent

COMMANDS = {row.name: row.command for row in (*ACCOUNT_RULES, *CASE_RULES)}
DAYS = "_days"
TERMS = "credit.term_days"
LEVELS = "credit.levels"
WORDS = "s1.key.words.event.text.cipher"
"""As a text is sealed; no rule reads it."""
UNDER_SUSPICION = ClaimFacts(lost=1_000, orders=1_000, warned=True)
"""The vectors say nothing of a buyer's claims: who is accused of too many has made too many."""

type Fields = Mapping[str, Any]


def policies_of(told: Fields) -> Policies:
    """The policy of a case, in days, counts and points."""
    numbers: dict[str, Any] = {}
    for key, value in told.items():
        name = key.replace(".", "_")
        if key == TERMS:
            for severity, days in value.items():
                numbers[f"credit_term_{severity.lower()}"] = timedelta(days=days)
        elif key == LEVELS:
            levels = ("credit_normal", "credit_reduced", "credit_restricted")
            numbers |= dict(zip(levels, value, strict=True))
        elif name.endswith(DAYS):
            numbers[name.removesuffix(DAYS)] = timedelta(days=value)
        elif name != "policy_version":
            numbers[name] = value
    version = told.get("policy_version", "vector")
    try:
        policy = PointsPolicy(version=version, **numbers)
    except (TypeError, ValueError) as fault:
        raise msgspec.ValidationError(f"policy {version}: {fault}") from fault
    return policies([(ALWAYS, version)], [policy])


def sent(told: Fields, known: Policies, whose: Fields, account: Account | None) -> Sent[Any, Known]:
    """`whose`: the account of the case; `account`: as it stands, if it was opened. Raises
    InvalidValue for fields that are not well-formed, ValidationError for no command.
    """
    facts = Known(
        policies=known,
        party_orgs=frozenset(told.get("party_orgs", ())),
        is_safety_case=told.get("safety_case", False),
        open_ids=frozenset(told.get("open_ids", ())),
        has_account=True,
        claims=UNDER_SUSPICION,
    )
    actor = msgspec.convert(told["actor"], Actor)
    now = msgspec.convert(told["now"], datetime)
    return Sent(said_in(told, whose, account), By(actor=actor, now=now, known=facts))


def said_in(told: Fields, whose: Fields, account: Account | None) -> Struct:
    name = told["type"]
    if name not in COMMANDS:
        raise msgspec.ValidationError(f"no command to an account or a case: {name}")
    command = COMMANDS[name]
    fields = {field.name for field in msgspec.structs.fields(command)}
    whole = {**made_up(whose, account), **told, **named(told, account)}
    if not told.get("facts", WORDS):
        whole["facts"] = None
    try:
        said: Struct = msgspec.convert({key: whole[key] for key in fields & whole.keys()}, command)
    except msgspec.ValidationError as fault:
        raise InvalidValue(errors=[FieldError(field="", bound=str(fault))]) from fault
    return said


def made_up(whose: Fields, account: Account | None) -> dict[str, Any]:
    """What the vectors leave out: ids, words that are sealed, plain words."""
    return {
        "kind": whose["account_kind"],
        "holder_id": whose["account_id"],
        "account_kind": whose["account_kind"],
        "account_id": whose["account_id"],
        "case_id": account.notice.case_id if account and account.notice else "C1",
        "text": WORDS,
        "facts": WORDS,
        "explanation": "In plain words.",
    }


def named(told: Fields, account: Account | None) -> dict[str, Any]:
    """A measure by its id, where the vectors have its name; a case only where one is meant."""
    match told["type"]:
        case "LiftMeasure":
            held = account.measures.values() if account else ()
            ids = (each.measure_id for each in held if each.measure == told["measure"])
            return {"measure_id": next(ids, "none"), "case_id": told.get("case_id")}
        case "CancelTermination" if told["reason"] != "CASE_REVERSED":
            return {"case_id": None}
        case _:
            return {}
