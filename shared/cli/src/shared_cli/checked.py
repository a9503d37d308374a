"""Vector files in, agreement or every difference out: what the commands named `check` share.

A file says what must come of what; each service's own code computes it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from shared_runtime.decider import InvalidValue
from typer import Argument, Option

from shared_cli.terminal import err, out

DIFFERENT: Final = 1  # exit code: something computed is not what a file expects

type Expectation = tuple[str, Any, Any]
"""Where, what the file expects, what is computed."""
# Typer looks into these, but not through a `type` statement.
Files = Annotated[list[Path], Argument(help="Vector files: cases, tables of expected values.")]
AsJson = Annotated[bool, Option("--json", help="One JSON object instead of lines.")]


NOT_AS_TOLD = (msgspec.MsgspecError, InvalidValue, KeyError)
"""What says that a file has the form of one, and contradicts itself."""


class NotAVectorFile(Exception):  # noqa: N818 - the name says what was met
    """The file cannot be read, or is no vector file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    where: str
    expected: object
    computed: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One file: how many values were compared, and those that differ."""

    file: str
    values: int
    differences: list[Difference]


def checked(
    path: Path,
    expectations: Callable[[dict[str, Any]], Iterable[Expectation]],
) -> Checked:
    """Compares every value that a file expects. Raises NotAVectorFile."""
    try:
        data = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        found = list(expectations(data))
    except OSError as failure:
        raise NotAVectorFile(f"{path}: {failure.strerror}") from failure
    except NOT_AS_TOLD as failure:
        raise NotAVectorFile(f"{path}: {_reason(failure)}") from failure
    differences = [
        Difference(where=where, expected=expected, computed=computed)
        for where, expected, computed in found
        if not _same(expected, computed)
    ]
    return Checked(file=str(path), values=len(found), differences=differences)


def tell(files: Sequence[Path], check_file: Callable[[Path], Checked], *, as_json: bool) -> None:
    """Prints each difference. Exit code 1 when there is one, 2 when a file is no vector file."""
    try:
        all_checked = [check_file(path) for path in files]
    except NotAVectorFile as failure:
        raise typer.BadParameter(str(failure)) from failure
    agree = not any(file.differences for file in all_checked)
    if as_json:
        report = {"agree": agree, "files": [asdict(file) for file in all_checked]}
        typer.echo(msgspec.json.encode(report))
    else:
        _print(all_checked)
    if not agree:
        raise typer.Exit(DIFFERENT)


def _print(all_checked: Iterable[Checked]) -> None:
    for file in all_checked:
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


def _same(expected: object, computed: object) -> bool:
    """Equal, and of one kind: in JSON, 1 is not true."""
    return expected == computed and isinstance(expected, bool) == isinstance(computed, bool)


def _reason(failure: Exception) -> str:
    if isinstance(failure, InvalidValue):
        return "; ".join(f"policy {error.field}: {error.bound}" for error in failure.errors)
    return str(failure)
