"""Keys that a service's worker has set aside in, the same with what was decided about them out."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

import asyncpg
import msgspec
import typer
from shared_runtime.parking import ask_retry, discard_first, list_parked
from typer import Argument, Option, Typer

from shared_cli import reach
from shared_cli.terminal import err, out

REFUSED = 1
REASON_LENGTH_MAX = 500

app = Typer(
    no_args_is_help=True,
    help="Events that could not be applied: their keys wait, other keys go on.",
)

Service = Annotated[str, Argument(help="review, dispute, returns or reputation.")]
SubscriptionName = Annotated[str, Argument(help="Who stumbled, as `list` names it.")]
Key = Annotated[str, Argument(help="The account whose events wait.")]
Topic = Annotated[str | None, Option(help="Only in this topic.")]


@app.command("list")
def list_keys(
    service: Annotated[str | None, Argument(help="One service; all, if not named.")] = None,
    *,
    as_json: Annotated[bool, Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """List the parked keys, oldest first, with why they are and how many events wait."""
    urls = {service: reach.database(service)} if service else reach.databases()
    parked = [
        {"service": name} | dict(row)
        for name, url in urls.items()
        for row in asyncio.run(_listed(name, url))
    ]
    if as_json:
        typer.echo(msgspec.json.encode({"parked": parked}))
        return
    for row in parked:
        out.print(_line(row), markup=False)
    if not parked:
        out.print("Nothing is parked.")


@app.command()
def retry(service: Service, subscription: SubscriptionName, key: Key, topic: Topic = None) -> None:
    """Have the worker try a key again: all its waiting events, in order.

    Exit code 1 when the key is not parked.
    """

    async def ask(db: asyncpg.Connection) -> bool:
        return await ask_retry(db, subscription=subscription, key=key, topic=topic)

    done = asyncio.run(_decided(service, ask))
    _tell(done, f"{key} will be tried again within a second", f"{key} is not parked")


@app.command()
def discard(
    service: Service,
    subscription: SubscriptionName,
    key: Key,
    reason: Annotated[str, Option(help="Why the event is left out: kept with it.")],
    topic: Topic = None,
) -> None:
    """Give up the first waiting event of a key, for good. The ones behind it wait for a retry.

    Exit code 1 when no event of the key waits.
    """
    if not reason.strip() or len(reason) > REASON_LENGTH_MAX:
        raise typer.BadParameter(f"a reason of 1 to {REASON_LENGTH_MAX} characters is needed")

    async def give_up(db: asyncpg.Connection) -> bool:
        return await discard_first(
            db, subscription=subscription, key=key, reason=reason, topic=topic
        )

    done = asyncio.run(_decided(service, give_up))
    _tell(done, f"the first waiting event of {key} is left out", f"no event of {key} waits")


async def _listed(service: str, url: str) -> list[asyncpg.Record]:
    async with reach.connected(service, url) as db:
        return await list_parked(db)


async def _decided(service: str, decide: Callable[[asyncpg.Connection], Awaitable[bool]]) -> bool:
    async with reach.connected(service, reach.database(service)) as db:
        return await decide(db)


def _line(row: Mapping[str, Any]) -> str:
    asked = ", to be tried again" if row["retry_asked_at"] else ""
    first = (
        f"the first is {row['topic']}/{row['partition']}:{row['first_position']}"
        if row["events"]
        else "a retry frees the key"
    )
    return (
        f"{row['service']}: {row['subscription']} {row['key']}: {row['events']} events wait, "
        f"{first}; parked "
        f"{row['parked_at']:%Y-%m-%dT%H:%M:%SZ}{asked}: {row['reason']}"
    )


def _tell(done: bool, yes: str, no: str) -> None:
    if not done:
        err.print(no, markup=False)
        raise typer.Exit(REFUSED)
    out.print(yes, markup=False)
