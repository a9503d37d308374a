"""Vector files in, agreement or every difference out: `aftersales returns check FILE...`."""

from typer import Typer

from shared_cli.checked import AsJson, Files, tell
from shared_cli.returns_vectors import check_file

app = Typer(no_args_is_help=True, help="Returns.")


@app.callback()
def returns() -> None:
    """Returns."""


@app.command()
def check(files: Files, *, as_json: AsJson = False) -> None:
    """Decide vector files of requests for returns with the service's own tables, and print each
    difference: which rule matches, the lane, who pays for the label, who decides until when.

    Exit code 0 when all agree, 1 when something differs, 2 when a file is no vector file.
    """
    tell(files, check_file, as_json=as_json)
