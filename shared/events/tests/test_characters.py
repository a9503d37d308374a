"""What people may write and how things may be named, over all of Unicode."""

import re
from unicodedata import category

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from shared_events.characters import (
    ID_LENGTH_MAX,
    SEEN,
    fault_of_line,
    fault_of_words,
    is_id,
)

ANY = st.integers(0, 0x10FFFF).map(chr)
TEXTS = st.text(ANY | st.sampled_from("aé9 ،,/\\.\n\t\u200d\u0301\ufe0f\u3000\u202e"), max_size=12)

# Two planes whole, that of the tags, and the edges of all; the rest is letters and gaps.
POINTS = [
    *range(0x20000),
    *range(0xE0000, 0xE1100),
    *(
        plane << 16 | low
        for plane in range(2, 17)
        for low in (0, 1, 0x7FFF, 0xFFFD, 0xFFFE, 0xFFFF)
    ),
]

# --- words --------------------------------------------------------------------------------------

JOINED = [
    "می\u200cخواهم",  # noqa: RUF001 - Persian
    "क्\u200dष",
    "👨\u200d👩\u200d👧",
    "👩\u200d🔧",
    "🏳\ufe0f\u200d🌈",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "\U0001fae9",
    "\U0001fb00\U00038000",
    "Très\u00a0bien\u202f!",
    "良い。\u3000また",
    "שלום\u200f!",
    "Bonjour \u200eمرحبا",  # noqa: RUF001 - Arabic
    "สวัส\u200bดี",
    "Rechts\u00adschutz",
    "one\u2028two\u2029three",
    "\ufeffpasted",
    "a\ufeffb",
    "1\ufe0f\u20e3",
    "e\u0301",
    "line\r\n\tline",
    "\ue000",
    ".",
]


@pytest.mark.parametrize("text", JOINED)
def test_people_write_in_every_script_and_with_every_sign(text: str) -> None:
    assert fault_of_words(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\t",
        "\u2800",
        "\u3164",
        "\uffa0",
        "\u115f",
        "\u1160",
        "\ufe0f",
        "\u034f",
        "\u0301" * 5,
        "\u00a0\u3000",
        "\u200b\u200d\ufeff",
        "\u2028",
        "\u00ad",
        "\U000e0041",
    ],
)
def test_a_text_that_draws_nothing_is_none(text: str) -> None:
    assert fault_of_words(text) == SEEN
    assert fault_of_words(f"{text}x{text}") is None


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("a\x00b", "no control characters but line ends and tabs: not U+0000"),
        ("a\x7fb", "no control characters but line ends and tabs: not U+007F"),
        ("a\x85b", "no control characters but line ends and tabs: not U+0085"),
        ("a\x0bb", "no control characters but line ends and tabs: not U+000B"),
        ("a\ud83d", "no halves of a character: not U+D83D"),
        ("a\u202eb", "no overrides of the direction of writing: not U+202E"),
        ("a\u2066b", "no direction of writing that is begun and not ended"),
        ("a\ufdd0", "no code points that are no characters: not U+FDD0"),
        ("a\U0010ffff", "no code points that are no characters: not U+10FFFF"),
    ],
)
def test_a_refused_character_is_named(text: str, bound: str) -> None:
    assert fault_of_words(text) == bound


def test_nobody_sends_the_sealed_text_of_somebody_else() -> None:
    sealed = "s1.a2V5.ZGlnZXN0.01956f2e-7c00-7000-8000-00000000002a.text.Y2lwaGVydGV4dA"
    assert fault_of_words(f"see {sealed}") == "no sealed text of somebody else"


IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0"
    "\ufff0-\ufff8\U000e0000-\U000e0fff\u2800\U00013441\U00013442\U0001d159]"
)


def is_refused(char: str) -> bool:
    point = ord(char)
    return (
        (category(char) in ("Cc", "Cs") and char not in "\n\r\t")
        or point in (0x202D, 0x202E)
        or 0xFDD0 <= point <= 0xFDEF
        or point & 0xFFFE == 0xFFFE
    )


BEGINS, ENDS = "\u202a\u202b\u2066\u2067\u2068", "\u202c\u2069"


def is_unended(text: str) -> bool:
    """Whether it begins a direction of writing more often than it ends one."""
    return sum(char in BEGINS for char in text) > sum(char in ENDS for char in text)


def is_blank(char: str) -> bool:
    kind = category(char)
    return kind[0] in "ZM" or kind in ("Cc", "Cf") or bool(IGNORABLE.match(char))


def test_every_code_point_is_refused_or_taken_by_the_rule() -> None:
    for point in POINTS:
        char = chr(point)
        taken = fault_of_words(f"x{char}") is None
        assert taken is not (is_refused(char) or is_unended(char)), f"{point:04X}"
        if taken:
            assert (fault_of_words(char) is None) is not is_blank(char), f"{point:04X}"


@given(ANY)
def test_a_character_is_refused_or_taken_by_the_rule(char: str) -> None:
    refused = is_refused(char) or is_unended(char)
    assert (fault_of_words(f"x{char}") is None) is not refused
    assert is_id(f"x{char}x") is follows("x", char)


@given(TEXTS)
@example("\u0301" * 5)
def test_a_text_is_taken_if_no_character_is_refused_and_one_is_seen(text: str) -> None:
    refused = any(map(is_refused, text)) or is_unended(text)
    assert (fault_of_words(text) is None) is not (refused or all(map(is_blank, text)))


@pytest.mark.parametrize("text", ["\u2068Anna\u2069 is kind", "\u202b\u05d0\u05d1\u202c"])
def test_a_name_of_another_script_may_stand_in_its_own_direction(text: str) -> None:
    assert fault_of_words(text) is None


@given(TEXTS)
def test_one_line_is_a_text_without_breaks(text: str) -> None:
    broken = any(char in "\t\n\r\u2028\u2029" for char in text)
    assert (fault_of_line(text) is None) is (not broken and fault_of_words(text) is None)


# --- ids ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "O-1001",
        "a b",
        "A_B:C|D=E@F",
        "..a",
        "a.",
        "Größe-7",
        "e\u0301a\u0308",
        "注文番号１２",
        "طلب-٣",
        "हिन्दी",
        "x" * ID_LENGTH_MAX,
        "#?%;&+~'\"<>[]{}^`",
        "…".replace("…", "..."),
    ],
)
def test_an_id_is_of_letters_and_digits_and_ascii(text: str) -> None:
    assert is_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * (ID_LENGTH_MAX + 1),
        ".",
        "..",
        " a",
        "a ",
        " ",
        "a/b",
        "a,b",
        "a\\b",
        "a\x00",
        "a\x7f",
        "a\nb",
        "a\u200db",
        "\ufeffa",
        "a\u00a0b",
        "a\u3000b",
        "№7",
        "€",
        "👍",
        "½",
        "²",
        "\u0301a",
        "7\u0301",
        "-\u0301",
        "\u3164",
        "a\ufe0f",
        "a\u034f",
        "\ud800",
        "\U0001fae9",
        "\ue000",
        "a\u2010b",
    ],
)
def test_what_is_no_id(text: str) -> None:
    assert not is_id(text)


OF_ASCII = frozenset(map(chr, range(0x20, 0x7F))) - set("/,\\")


def follows(before: str, char: str) -> bool:
    """Whether a character may stand in an id, behind what stands there."""
    kind = category(char)
    if char in OF_ASCII:
        return True
    if is_blank(char) and kind not in ("Mn", "Mc"):
        return False
    if kind in ("Mn", "Mc"):
        base = before.rstrip("".join(c for c in before if category(c) in ("Mn", "Mc")))
        return not IGNORABLE.match(char) and category(base[-1:] or " ")[0] == "L"
    return kind[0] == "L" or kind == "Nd"


def test_every_code_point_stands_in_an_id_by_the_rule() -> None:
    for point in POINTS:
        char = chr(point)
        assert is_id(f"x{char}x") is follows("x", char), f"{point:04X}"


@given(TEXTS)
def test_a_text_is_an_id_if_each_character_may_stand_there(text: str) -> None:
    good = (
        1 <= len(text) <= ID_LENGTH_MAX
        and text not in (".", "..")
        and text.strip(" ") == text
        and all(follows(text[:at], char) for at, char in enumerate(text))
    )
    assert is_id(text) is good
