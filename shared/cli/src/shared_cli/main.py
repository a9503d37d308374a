"""The command `aftersales`: one line for each of its parts."""

from typer import Typer

from shared_cli import clock, stack, token
from shared_cli.terminal import Commands

app = Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="The after-sales platform at the terminal.",
)
app.add_typer(stack.app, name="stack")
app.command()(token.token)
app.add_typer(clock.app, name="clock")
