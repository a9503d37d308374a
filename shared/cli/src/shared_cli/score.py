"""Vector files in, agreement or every difference out: `aftersales score check FILE...`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from typer import Argument, Option, Typer

from shared_cli.terminal import err, out
from shared_cli.vectors import Checked, Difference, NotAVectorFile, check_file

DIFFERENT: Final = 1  # exit code: something computed is not what a file expects

app = Typer(no_args_is_help=True, help="Seller scores.")


@app.callback()
def score() -> None:
    """Seller scores."""


@app.command()
def check(
    files: Annotated[list[Path], Argument(help="Vector files: cases, tables of expected values.")],
    *,
    as_json: Annotated[bool, Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Compute vector files with the service's own fold and read, and print each difference.

    Exit code 0 when all agree, 1 when something differs, 2 when a file is no vector file.
    """
    try:
        checked = [check_file(path) for path in files]
    except NotAVectorFile as failure:
        raise typer.BadParameter(str(failure)) from failure
    agree = not any(file.differences for file in checked)
    if as_json:
        report = {"agree": agree, "files": [asdict(file) for file in checked]}
        typer.echo(msgspec.json.encode(report))
    else:
        _print(checked)
    if not agree:
        raise typer.Exit(DIFFERENT)


def _print(checked: list[Checked]) -> None:
    for file in checked:
        for difference in file.differences:
            out.print(_line(file, difference), markup=False)
        count = len(file.differences)
        verdict = "agree" if count == 0 else f"{count} of {file.values} differ"
        err.print(f"{Path(file.file).name}: {file.values} values, {verdict}", markup=False)


def _line(file: Checked, difference: Difference) -> str:
    return (
        f"{Path(file.file).name}: {difference.where}: "
        f"expected {_text(difference.expected)}, computed {_text(difference.computed)}"
    )


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
