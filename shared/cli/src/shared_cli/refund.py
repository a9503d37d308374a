"""Vector files in, agreement or every difference out: `aftersales refund check FILE...`."""

from typer import Typer

from shared_cli.checked import AsJson, Files, tell
from shared_cli.refund_vectors import check_file

app = Typer(no_args_is_help=True, help="Refunds.")


@app.callback()
def refund() -> None:
    """Refunds."""


@app.command()
def check(files: Files, *, as_json: AsJson = False) -> None:
    """Decide vector files of the ledger with the service's own rules, and print each difference.

    Not those of who decides a request for a return. Exit code 0 when all agree, 1 when something
    differs, 2 when a file is no vector file.
    """
    tell(files, check_file, as_json=as_json)
