"""The file of a return: every photo and file that was added to it, and the digest of them all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared_events.envelope import Recorded

from returns_service.domain.return_readers import ReturnReading
from returns_service.return_facts import digests_in, file_digest
from returns_service.return_views import MediaShown


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledMediaView:
    """`sha256`: of its content, as it was added."""

    event_id: str
    at: datetime
    sha256: str
    media: MediaShown


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnFileView:
    """`file_sha256`: of the lines `<event id> <sha256>` of all items, in their order. A contest
    names it, so that whoever decides can tell that nothing was added or taken away.
    """

    return_id: str
    file_sha256: str
    items: list[FiledMediaView]


def return_file_view(
    return_id: str, reading: ReturnReading, history: Sequence[Recorded[Any]]
) -> ReturnFileView:
    known = [each for each, knows in zip(history, reading.knows, strict=True) if knows]
    return ReturnFileView(
        return_id=return_id,
        file_sha256=file_digest(history),
        items=[
            FiledMediaView(event_id=each.event_id, at=each.time, sha256=digest, media=media)
            for each in known
            for digest, media in zip(digests_in(each.event), files_in(each.event), strict=True)
        ],
    )


def files_in(event: object) -> list[str]:
    return [*(getattr(event, "media", None) or ()), *(getattr(event, "photos", None) or ())]
