"""The routes of all services in, the table of who may ask for what out.

    python tests/authorization.py > docs/reference/authorization.md      as `make docs` does

Roles are what routes declare: for commands they are those of their rows. Whose object it is, a row
says besides (docs/reference/commands.md), and a foreign one is not there at all.
"""

import asyncio
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, get_args

import asyncpg
from dispute_service.app import SERVICE as DISPUTE
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from reputation_service.app import SERVICE as REPUTATION
from returns_service.app import SERVICE as RETURNS
from review_service.app import SERVICE as REVIEW
from shared_runtime.auth import RolesRequired
from shared_runtime.clock import system_clock
from shared_runtime.decider import Role
from shared_runtime.log import PostgresLog
from shared_runtime.service import Parts, Service
from shared_runtime.testing import InMemoryKeyStore

SERVICES: tuple[Service[Any], ...] = (REVIEW, DISPUTE, RETURNS, REPUTATION)
ROLES: tuple[Role, ...] = get_args(Role.__value__)
LINK = "link"
"""A token for one thing, of somebody without an account."""
NONE = "none"
"""No token at all."""
CALLERS = (*ROLES, LINK, NONE)
YES, NO, SIGNED = "yes", "·", "signed"

HEADER = """\
# Who may ask for what

Every route of every service, and who is let in: written by `make docs` from what the routes
declare, for commands the rows that decide them, and tried over HTTP by a test. A route that is not
here fails it.

- *yes*: whoever has a token with this role. **Whose** it has to be is another question, asked
  behind the door: [commands](commands.md) says it for each, `tests/whose` how a party, a stranger
  and each of the staff fare, and somebody else's object is not there at all (404).
- `·`: 403 `role-not-allowed`; without a token 401.
- *link*: a token of scope `withdrawal`, of somebody without an account, for the one order that it
  names.
- *signed*: no token; the address, or what is sent, carries a signature.
- A SELLER is the seller himself, or a member of his: whose token says `seller_id`.
- Health (`/livez`, `/readyz`) is told to anybody inside; no gateway leads there.
"""


class Entry(NamedTuple):
    """A route, and whom it lets in."""

    method: str
    path: str
    lets_in: frozenset[str]


def entries(service: Service[Any]) -> list[Entry]:
    """Those of a service, by path."""
    found = (
        Entry(method, route.path, _let_in(route))
        for route in _routes(service)
        for method in route.methods or ()
    )
    return sorted(found, key=lambda each: (each.path, each.method))


def _routes(service: Service[Any]) -> list[APIRoute]:
    async def declared() -> list[APIRoute]:
        # Nothing of this is asked for anything while routes are declared.
        settings = service.settings.model_construct(env="local", jwks_url="", issuer="")
        pool = asyncpg.create_pool(min_size=0)
        log = PostgresLog(pool, source=f"/{service.name}", now=system_clock)
        keys = InMemoryKeyStore() if service.seals else None
        parts = Parts(settings=settings, pool=pool, log=log, now=system_clock, key_store=keys)
        routes = [each for router in service.routers(parts) for each in router.routes]
        return [each for each in routes if isinstance(each, APIRoute)]

    return asyncio.run(declared())


def _let_in(route: APIRoute) -> frozenset[str]:
    asked = [call for call in _calls(route.dependant) if isinstance(call, RolesRequired)]
    if not asked:
        return frozenset(CALLERS)
    roles = frozenset[str].intersection(*(frozenset(each.roles) for each in asked))
    return roles.union([LINK] if all(each.scopes for each in asked) else [])


def _calls(of: Dependant) -> Iterator[object]:
    yield of.call
    for each in of.dependencies:
        yield from _calls(each)


def page(services: Iterable[Service[Any]] = SERVICES) -> str:
    return HEADER + "".join(f"\n## {each.name}\n\n{table(entries(each))}\n" for each in services)


def table(of: Iterable[Entry]) -> str:
    rows = [("Route", *CALLERS), ("---",) * (len(CALLERS) + 1), *map(_row, of)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(entry: Entry) -> tuple[str, ...]:
    word = SIGNED if NONE in entry.lets_in else YES
    cells = (word if caller in entry.lets_in else NO for caller in CALLERS)
    return (f"`{entry.method} {entry.path}`", *cells)


def read(text: str) -> dict[str, list[Entry]]:
    """The page, as it is committed: by service."""
    told: dict[str, list[Entry]] = {}
    for line in text.splitlines():
        if line.startswith("## "):
            told[line.removeprefix("## ")] = []
        elif line.startswith("| `"):
            route, *cells = (cell.strip(" `") for cell in line.strip("|").split("|"))
            method, path = route.split(" ")
            let_in = (who for who, cell in zip(CALLERS, cells, strict=True) if cell != NO)
            [*told.values()][-1].append(Entry(method, path, frozenset(let_in)))
    return told


if __name__ == "__main__":
    sys.stdout.write(page())
