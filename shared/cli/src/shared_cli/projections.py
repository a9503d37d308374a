"""A service's read models in, what they are and how far they have come out; and made anew."""

import asyncio
import subprocess
import sys
from typing import Annotated

import asyncpg
import msgspec
import typer
from local_stack import description
from local_stack.services import environment_of
from typer import Argument, Option, Typer

from shared_cli import reach
from shared_cli.terminal import err, out

LIST = """
    SELECT projection.name, projection.version, projection.generation,
           coalesce(sum(cursor.position), 0)::bigint AS events
    FROM es.projection AS projection LEFT JOIN es.cursor AS cursor
        ON cursor.subscription = projection.name || '/' || projection.generation
    GROUP BY projection.name ORDER BY projection.name
"""

app = Typer(no_args_is_help=True, help="Read models: tables that can be made again from the log.")


@app.command("list")
def list_projections(
    *,
    as_json: Annotated[bool, Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """List the projections of all services: version, generation, events that are in them."""
    found = [
        {"service": service} | dict(row)
        for service, url in reach.databases().items()
        for row in asyncio.run(_listed(service, url))
    ]
    if as_json:
        typer.echo(msgspec.json.encode({"projections": found}))
        return
    for row in found:
        out.print(
            f"{row['service']:12}{row['name']:28}version {row['version']}  "
            f"generation {row['generation']}  {row['events']:,} events",
            markup=False,
        )


@app.command()
def rebuild(
    service: Annotated[str, Argument(help="review, dispute, returns or reputation.")],
    name: Annotated[
        str | None, Argument(help="The projection, as `list` names it; all, if not named.")
    ] = None,
    *,
    processes: Annotated[
        int | None,
        Option(
            min=1,
            help="A named one in so many, if not one for each core (four at most) if it is large.",
        ),
    ] = None,
) -> None:
    """Make a projection again from the log, beside the live one, and switch its readers to it.

    Exit code 0 when the new rows equal the old ones (or belong to a new version), 1 when the old
    ones were not what the log says (they are replaced), 2 when there is no such projection, 3 when
    it could not be made (the old one stays).
    """
    reach.check_service(service)
    # Projections are a service's own code: the service makes them, in a process of its own.
    command = [sys.executable, "-m", f"{service}_service", "rebuild"]
    if name is not None:
        command += [name, str(processes)] if processes else [name]
    elif processes is not None:
        raise typer.BadParameter("which projection, is to be said with it")
    environment = environment_of(service, description.running())
    code = subprocess.run(command, env=environment, check=False).returncode  # noqa: S603 - ours
    if code:
        raise typer.Exit(code)
    err.print(f"{name or 'every projection'} is made anew, and equal", markup=False)


async def _listed(service: str, url: str) -> list[asyncpg.Record]:
    async with reach.connected(service, url) as db:
        return await db.fetch(LIST)
