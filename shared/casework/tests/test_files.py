"""Files come with their digests, one for each."""

import pytest
from msgspec import Struct
from shared_casework.files import with_digests


class Sent(Struct):
    media: tuple[str, ...] = ()
    media_sha256: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        (Sent(), []),
        (Sent(media=("f1",), media_sha256=("0",)), []),
        (Sent(media=("f1",)), ["media_sha256"]),
        (Sent(media_sha256=("0",)), ["media_sha256"]),
    ],
    ids=["none", "one", "without", "too many"],
)
def test_each_file_has_its_digest(said: Sent, fields: list[str]) -> None:
    assert [error.field for error in with_digests(said)] == fields
