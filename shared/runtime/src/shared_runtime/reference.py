"""The rows of commands in, the page that tells of each who may send it, from where and what comes
of it, out: in the columns of the design, and from the code itself.
"""

import sys
from collections.abc import Iterable, Mapping
from inspect import cleandoc
from typing import Any

from msgspec.structs import fields

from shared_runtime.rule import Guard
from shared_runtime.rules import Row, Rules

HEADER = """\
# Commands

What may be asked of each kind of stream: written by `make docs` from the rows that decide it, and
compared with them by a test. *human*: a person must decide it. *lapses*: from a timer or a
consumer, what comes too late or once more is nothing. *scope*: also by a link, without an account,
with a token of that scope. Besides the refusals named, every command may
be answered `invalid-value` and `not-found`.
"""
COLUMNS = ("Command", "Who", "From", "Events", "Rule and deadline", "Refusals")


def commands_page(service: str, streams: Mapping[str, Rules[Any, Any, Any]]) -> str:
    """The part of the page about one service; `streams` by what they are of."""
    if not streams:
        return ""
    tables = [f"### {name}\n\n{table(rules)}" for name, rules in streams.items()]
    return "\n" + "\n\n".join([f"## {service}", *tables]) + "\n"


def table(rules: Iterable[Row[Any, Any, Any]]) -> str:
    rows = [COLUMNS, ("---",) * len(COLUMNS), *map(cells, rules)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def cells(row: Row[Any, Any, Any]) -> tuple[str, ...]:
    return (
        signature(row),
        who(row),
        where(row),
        ", ".join(event.__name__ for event in row.events),
        in_line(row.decide.__doc__),
        ", ".join(dict.fromkeys(refusal.slug() for refusal in row.all_refusals)),
    )


def signature(row: Row[Any, Any, Any]) -> str:
    """Its name and what is told; what may be left out has a question mark."""
    names = [each.name + "?" * (not each.required) for each in fields(row.command)]
    return f"{row.name}{{{', '.join(names)}}}" if names else row.name


def who(row: Row[Any, Any, Any]) -> str:
    marks = {"*human*": row.human, "*lapses*": row.lapses}
    told = [told_by(guard) for guard in (row.party, row.impartial) if guard]
    told += [mark for mark, holds in marks.items() if holds]
    told += [f"*scope {scope}*" for scope in row.scopes]
    return "; ".join([", ".join(row.roles), *(each for each in told if each)])


def where(row: Row[Any, Any, Any]) -> str:
    states = ", ".join(row.states)
    stands = told_by(row.stands) if row.stands else ""
    return "; ".join(told for told in (states, stands) if told)


def told_by(guard: Guard[Any, Any, Any]) -> str:
    return in_line(guard.says)


def in_line(doc: str | None) -> str:
    return " ".join(cleandoc(doc or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(HEADER)
