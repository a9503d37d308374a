"""What people write and what marketplaces name things in, what is wrong with it in words out.

Both are asked of what comes in. An event is not asked again: what was taken once stays readable.
The tables of the runtime are those of one version of Unicode. A text may be newer than they are,
so a code point without an entry passes for a sign that draws; in an id there has to be one.
"""

import re
from unicodedata import category

from shared_events.sealed import SCHEME

ID_LENGTH_MAX = 64
ID = (
    f"1..{ID_LENGTH_MAX} characters: letters and digits of any script and the signs of ASCII but "
    "/ , and \\; not . or .., no space at an end"
)
ENDED = "no direction of writing that is begun and not ended"
SEEN = "something that can be seen: not spaces, joiners and marks alone"

CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
"""All but the line ends and tabs that a text is laid out with."""
SURROGATES = "\ud800-\udfff"
OVERRIDES = "\u202d\u202e"
"""They make letters read in another order than they are written in. Embeddings and isolates do not:
names of another script stand in them. But they have to end, or they act on what is around."""
OPENING, CLOSING = re.compile("[\u202a\u202b\u2066-\u2068]"), re.compile("[\u202c\u2069]")
NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)
)
REFUSED = {
    CONTROLS: "no control characters but line ends and tabs",
    SURROGATES: "no halves of a character",
    OVERRIDES: "no overrides of the direction of writing",
    NONCHARACTERS: "no code points that are no characters",
}
# What Unicode calls ignorable by default, and signs that are as blank as a space.
BLANKS = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U00013441\U00013442\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)

_refused = re.compile(f"[{''.join(REFUSED)}]")
_refused_as = {re.compile(f"[{characters}]"): bound for characters, bound in REFUSED.items()}
_blank = re.compile(f"[{BLANKS}]")
_breaks = re.compile("[\t\n\r\u2028\u2029]")
_sealed_text = re.compile(rf"\b{SCHEME}(\.[0-9A-Za-z_/-]+){{5}}")
_plain_id = re.compile(r"[ -+\-.0-\[\]-~]+")


def fault_of_words(text: str) -> str | None:
    """What a person may write: something that can be seen, in any script, and nothing that acts
    on what is around it.
    """
    if refused := _refused.search(text):
        bound = next(bound for kind, bound in _refused_as.items() if kind.match(refused[0]))
        return f"{bound}: not U+{ord(refused[0]):04X}"
    if len(OPENING.findall(text)) > len(CLOSING.findall(text)):
        return ENDED
    if not any(map(draws, text)):
        return SEEN
    if _sealed_text.search(text):
        return "no sealed text of somebody else"
    return None


def fault_of_line(text: str) -> str | None:
    """The same for what stands in one line."""
    return "one line, without tabs" if _breaks.search(text) else fault_of_words(text)


def is_id(text: str) -> bool:
    """An id, ours or the marketplace's: `ID`. It can stand in a path, a list and a name."""
    if not 1 <= len(text) <= ID_LENGTH_MAX or text in (".", "..") or text != text.strip(" "):
        return False
    return _plain_id.fullmatch(text) is not None or _is_of_letters(text)


def draws(character: str) -> bool:
    """Whether something is seen where it stands alone. A mark needs a letter to stand on."""
    kind = category(character)
    drawn = kind[0] in "LNPS" or kind in ("Co", "Cn")
    return drawn and not _blank.match(character)


def _is_of_letters(text: str) -> bool:
    on_letter = False
    for character in text:
        kind = category(character)
        if _blank.match(character):
            return False
        if kind in ("Mn", "Mc"):
            if not on_letter:
                return False
        elif kind[0] == "L":
            on_letter = True
        elif kind == "Nd" or _plain_id.match(character):
            on_letter = False
        else:
            return False
    return True
