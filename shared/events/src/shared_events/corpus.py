"""Event types in, one file each with the bytes of an example, for ever.

A file is written once, when its version of the event is new, and its digest is noted in
`SHA256SUMS`. Nothing here writes one again: what was released once has to decode for ever, so
when a file and the code disagree, it is the code that has to change.
"""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from shared_events.registry import TYPE_OF
from shared_events.samples import sample_envelope

SUMS = "SHA256SUMS"


def add_samples(folder: Path, types: Iterable[type[Struct]] = tuple(TYPE_OF.values())) -> list[str]:
    """Writes examples of the types that have none yet, and notes their digests; their names.

    An event version whose digest is noted had an example once: it is not made anew.
    """
    known = read_sums(folder)
    added: dict[str, str] = {}
    folder.mkdir(parents=True, exist_ok=True)
    for event_type in types:
        name = f"{event_type.__struct_config__.tag}.json"
        if name in known or (folder / name).exists():
            continue
        body = sample_envelope(event_type)
        (folder / name).write_bytes(body)
        added[name] = sha256(body).hexdigest()
    if added:
        lines = [f"{digest}  {name}\n" for name, digest in sorted((known | added).items())]
        (folder / SUMS).write_text("".join(lines))
    return list(added)


def read_sums(folder: Path) -> dict[str, str]:
    """The digest of each example as it was released, by its file's name."""
    sums = folder / SUMS
    lines = sums.read_text().splitlines() if sums.exists() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
