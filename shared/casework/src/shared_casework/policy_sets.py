"""A policy as people write it in, a version of it out; and back.

A set is complete: it names every entry of the policy and nothing else. Numbers are JSON integers,
spans of time ISO 8601 ("P15D", "PT48H"), sets lists of words.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, get_type_hints

import msgspec
from shared_runtime.decider import FieldError, InvalidValue

from shared_casework.policy import FaultyPolicyError, Policy

MISSING = "there: a set is complete"
UNKNOWN = "an entry of this policy"
WHOLE = "entries"


def read_set[P: Policy](kind: type[P], told: Mapping[str, object]) -> P:
    """Raises `InvalidValue` that names all that is wrong; what depends on several entries is
    looked at once each is well-formed.
    """
    entries = {each.name: each for each in read_entries(kind, told)}
    if errors := [each.wrong for each in entries.values() if each.wrong]:
        raise InvalidValue(errors=errors)
    try:
        return kind(**{name: each.value for name, each in entries.items()})
    except FaultyPolicyError as faulty:
        wrong = [FieldError(field=name, bound=said) for name, said in faulty.faults]
        raise InvalidValue(errors=wrong) from None
    except ValueError as unsound:  # what a service asks of the whole: its tables of rules
        raise InvalidValue(errors=[FieldError(field=WHOLE, bound=str(unsound))]) from None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as it was told, or what is wrong with it."""

    name: str
    value: Any = None
    wrong: FieldError | None = None


def read_entries(kind: type[Policy], told: Mapping[str, object]) -> Iterator[Entry]:
    types = types_of(kind)
    for name, expected in types.items():
        if name not in told:
            yield Entry(name=name, wrong=FieldError(field=name, bound=MISSING))
            continue
        try:
            yield Entry(name=name, value=msgspec.convert(told[name], expected))
        except msgspec.ValidationError as wrong:
            yield Entry(name=name, wrong=FieldError(field=name, bound=str(wrong)))
    for name in told.keys() - types.keys():
        yield Entry(name=name, wrong=FieldError(field=name, bound=UNKNOWN))


def types_of(kind: type[Policy]) -> dict[str, Any]:
    types = get_type_hints(kind, include_extras=True)
    return {each.name: types[each.name] for each in fields(kind)}


def written_set(policy: Policy) -> dict[str, Any]:
    """What `read_set` reads, as JSON has it."""
    written: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(policy, order="sorted"))
    return written
