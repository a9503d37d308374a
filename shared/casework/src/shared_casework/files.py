"""A command that brings files in, whether each comes with its digest out."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from shared_runtime.decider import FieldError


class SentFiles(Protocol):
    """A command that brings files, and their digests beside them."""

    @property
    def media(self) -> Sequence[str]: ...
    @property
    def media_sha256(self) -> Sequence[str]: ...


def with_digests(said: SentFiles) -> Iterator[FieldError]:
    """For the `shape` of a rule: one digest for each of the files."""
    if len(said.media) != len(said.media_sha256):
        yield FieldError(field="media_sha256", bound="one for each of the media")
