"""Vector files in, agreement or every difference out: `aftersales dispute check FILE...`."""

from typer import Typer

from shared_cli.checked import AsJson, Files, tell
from shared_cli.dispute_vectors import check_file

app = Typer(no_args_is_help=True, help="Disputes.")


@app.callback()
def dispute() -> None:
    """Disputes."""


@app.command()
def check(files: Files, *, as_json: AsJson = False) -> None:
    """Decide vector files with the service's own rules, and print each difference.

    Exit code 0 when all agree, 1 when something differs, 2 when a file is no vector file.
    """
    tell(files, check_file, as_json=as_json)
