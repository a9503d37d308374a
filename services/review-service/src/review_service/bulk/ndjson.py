"""Chunks of bytes in, numbered lines out; memory for one line at most."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared_runtime.decider import Refused

from review_service.bulk.intake import Numbered
from review_service.bulk.line import LINE_BYTES_MAX

NEWLINE = b"\n"
BOM = b"\xef\xbb\xbf"
"""What some editors write before the first line of a file in UTF-8."""


@dataclass(kw_only=True, eq=False)
class LineTooLong(Refused):
    """The line is longer than this path takes."""

    limit_bytes: int = LINE_BYTES_MAX


class Lines:
    """Cuts an upload into lines. Empty ones are passed over, but count as in an editor."""

    def __init__(self) -> None:
        self._number = 0
        self._rest = b""
        self._overlong = False

    def feed(self, chunk: bytes) -> Iterator[Numbered]:
        """The lines that end in this chunk."""
        start = 0
        while (end := chunk.find(NEWLINE, start)) >= 0:
            text = self._rest + chunk[start:end]
            self._rest = b""
            yield from self._line(text)
            start = end + 1
        self._keep(chunk[start:])

    def rest(self) -> Iterator[Numbered]:
        """What stands behind the last line end, when the upload is over."""
        text, self._rest = self._rest, b""
        yield from self._line(text)

    def _line(self, text: bytes) -> Iterator[Numbered]:
        self._number += 1
        if self._number == 1:
            text = text.removeprefix(BOM)
        overlong, self._overlong = self._overlong or len(text) > LINE_BYTES_MAX, False
        if overlong:
            yield Numbered(self._number, LineTooLong())
        elif text and not text.isspace():
            yield Numbered(self._number, text)

    def _keep(self, begun: bytes) -> None:
        if len(self._rest) + len(begun) > LINE_BYTES_MAX:
            self._overlong = True
            self._rest = b""  # the rest of an overlong line is not worth keeping
        elif not self._overlong:
            self._rest += begun
