"""The environment and the running stack in, where everything is and who we are there out.

What is set in the environment wins: `AFTERSALES_<SERVICE>_URL`, `AFTERSALES_KAFKA`,
`AFTERSALES_<SERVICE>_DATABASE_URL`, `AFTERSALES_TOKEN`. The rest is the running stack's.
"""

import os
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import httpx
import typer
from local_stack import description, issuer
from local_stack.databases import SERVICES
from local_stack.errors import StackError
from shared_runtime.database import CONNECT_SECONDS_MAX
from shared_runtime.decider import Role
from shared_runtime.delivery import WORLD_FAILURES

SUB = "aftersales-cli"


def service_url(service: str) -> str:
    """Where the API of a service answers."""
    return (
        os.environ.get(f"AFTERSALES_{service.upper()}_URL") or description.running().urls[service]
    )


def kafka() -> str:
    return os.environ.get("AFTERSALES_KAFKA") or description.running().kafka


def databases() -> dict[str, str]:
    """The databases that can be read, by service: those that the environment names, or the
    stack's.
    """
    named = {service: os.environ.get(_database_setting(service)) for service in SERVICES}
    if any(named.values()):
        return {service: url for service, url in named.items() if url}
    return {name: database.app_url for name, database in description.running().databases.items()}


def database(service: str) -> str:
    """The database of one service, in the role that its processes have."""
    check_service(service)
    found = databases()
    if service not in found:
        raise StackError(f"{_database_setting(service)} is not set")
    return found[service]


def token(role: Role, sub: str = SUB) -> str:
    """A token in this role, of this account."""
    if given := os.environ.get("AFTERSALES_TOKEN"):
        return given
    return issuer.mint(Path(description.running().issuer_key).parent, sub=sub, roles=[role])


def bearer(role: Role, sub: str = SUB) -> dict[str, str]:
    """The header that says who is calling."""
    return {"Authorization": f"Bearer {token(role, sub)}"}


def check_service(service: str) -> None:
    """Raises typer.BadParameter unless there is such a service."""
    if service not in SERVICES:
        raise typer.BadParameter(f"no such service: {service}; there are {', '.join(SERVICES)}")


@asynccontextmanager
async def connected(service: str, url: str) -> AsyncGenerator[asyncpg.Connection]:
    """A connection to a service's database. Raises StackError when it does not answer."""
    with reaching(f"the database of {service}-service"):
        db = await asyncpg.connect(url, timeout=CONNECT_SECONDS_MAX)
        try:
            yield db
        finally:
            await db.close()


@contextmanager
def reaching(what: str, *kinds: type[Exception]) -> Generator[None]:
    """Failures of the world (or only of these kinds) become the message that `what` does not
    answer: StackError.
    """
    expected = kinds or (*WORLD_FAILURES, httpx.TransportError)
    try:
        yield
    except expected as failure:
        reason = str(failure) or type(failure).__name__
        raise StackError(f"{what} does not answer: {reason}") from failure


def _database_setting(service: str) -> str:
    return f"AFTERSALES_{service.upper()}_DATABASE_URL"
