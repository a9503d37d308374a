"""Vector files in, agreement or every difference out: `aftersales score check FILE...`."""

from typer import Typer

from shared_cli.checked import AsJson, Files, tell
from shared_cli.vectors import check_file

app = Typer(no_args_is_help=True, help="Seller scores.")


@app.callback()
def score() -> None:
    """Seller scores."""


@app.command()
def check(files: Files, *, as_json: AsJson = False) -> None:
    """Compute vector files with the service's own fold and read, and print each difference.

    Exit code 0 when all agree, 1 when something differs, 2 when a file is no vector file.
    """
    tell(files, check_file, as_json=as_json)
