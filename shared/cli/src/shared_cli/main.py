"""The command `aftersales`: one line for each of its parts."""

from importlib.metadata import version as version_of
from typing import Annotated

import typer
from typer import Option, Typer

from shared_cli import (
    audit,
    clock,
    dispute,
    export_,
    import_,
    log,
    parked,
    points,
    projections,
    refund,
    returns,
    score,
    stack,
    token,
)
from shared_cli.terminal import Commands

app = Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
    help="The after-sales platform at the terminal.",
    epilog="Exit codes: 0 done or equal, 1 refused or different, 2 usage, 3 something does not "
    "answer.",
)
app.add_typer(stack.app, name="stack")
app.add_typer(import_.app, name="import")
app.add_typer(export_.app, name="export")
app.add_typer(score.app, name="score")
app.add_typer(dispute.app, name="dispute")
app.add_typer(points.app, name="points")
app.add_typer(refund.app, name="refund")
app.add_typer(returns.app, name="returns")
app.add_typer(audit.app, name="audit")
app.add_typer(projections.app, name="projections")
app.add_typer(parked.app, name="parked")
app.add_typer(log.app, name="log")
app.add_typer(clock.app, name="clock")
app.command()(token.token)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"aftersales {version_of('shared-cli')}")
        raise typer.Exit


@app.callback()
def aftersales(
    *,
    version: Annotated[
        bool,
        Option("--version", is_eager=True, callback=_tell_version, help="Print the version."),
    ] = False,
) -> None:
    """The after-sales platform at the terminal."""
