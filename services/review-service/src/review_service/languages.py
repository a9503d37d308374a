"""A text in, the language that it is in out, where that can be told.

By CLD3, the detector that browsers had: a small net in the wheel itself, which asks nobody and says
the same each time. Of a few words it is often wrong and sure of it; so too few are not asked about.
"""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gcld3 import NNetLanguageIdentifier

BYTES_MIN = 20
"""Of letters, in UTF-8: four or five words; of Chinese, seven characters."""
BYTES_MAX = 400
"""What comes behind says the same, and costs as much."""
PROBABILITY_MIN = 0.9
RENAMED = {"iw": "he"}
"""What it calls by a code that BCP 47 has retired."""
UNSPOKEN = frozenset({"la"})
"""Nobody writes a review in it: it is what short Dutch and Italian looks like."""


def language_of(text: str) -> str | None:
    """A BCP 47 tag, like `pt` or `zh-Latn`; None where the text is too short, or it is not sure."""
    start = text[:BYTES_MAX]
    if sum(len(each.encode()) for each in start if each.isalpha()) < BYTES_MIN:
        return None
    found = detector().FindLanguage(text=start)
    sure = found.is_reliable and found.probability >= PROBABILITY_MIN
    if not sure or found.language in UNSPOKEN:
        return None
    return RENAMED.get(found.language, found.language)


@cache
def detector() -> "NNetLanguageIdentifier":
    """Of a worker alone, which loads it when it first needs it: three megabytes."""
    from gcld3 import NNetLanguageIdentifier  # noqa: PLC0415

    return NNetLanguageIdentifier(min_num_bytes=0, max_num_bytes=BYTES_MAX)
