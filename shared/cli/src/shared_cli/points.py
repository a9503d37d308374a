"""Vector files in, agreement or every difference out: `aftersales points check FILE...`."""

from typer import Typer

from shared_cli.checked import AsJson, Files, tell
from shared_cli.points_vectors import check_file

app = Typer(no_args_is_help=True, help="Credit points, measures and cases.")


@app.callback()
def points() -> None:
    """Credit points, measures and cases."""


@app.command()
def check(files: Files, *, as_json: AsJson = False) -> None:
    """Decide vector files of accounts and cases with the service's own rules, and print each
    difference.

    Exit code 0 when all agree, 1 when something differs, 2 when a file is no vector file.
    """
    tell(files, check_file, as_json=as_json)
