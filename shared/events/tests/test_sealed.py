"""What a sealed text tells without its key, and which fields are sealed."""

import pytest
from shared_events.registry import TYPE_OF
from shared_events.review import FollowUpAppended, ReviewSubmitted, ReviewWeighted
from shared_events.sealed import parts_of, same_text, same_texts, sealed_fields

ONE = "s1.key.same.event-1.text.AAAA"
AGAIN = "s1.key.same.event-2.text.BBBB"
OTHER = "s1.key.other.event-3.text.CCCC"
OF_ANOTHER = "s1.key-2.same.event-4.text.DDDD"


def test_it_names_its_key_its_event_and_its_field() -> None:
    parts = parts_of(ONE)
    assert (parts.key_id, parts.event_id, parts.path) == ("key", "event-1", "text")


@pytest.mark.parametrize("text", ["", "s1", "s1.a.b.c.d", "s2.a.b.c.d.e", "s1.a.b.c.d.e.f"])
def test_anything_else_is_no_sealed_text(text: str) -> None:
    with pytest.raises(ValueError, match="not a sealed text"):
        parts_of(text)


def test_the_same_text_of_a_person_is_recognised_in_another_event() -> None:
    assert same_text(ONE, AGAIN)
    assert same_text(None, None)
    assert not same_text(ONE, OTHER)
    assert not same_text(ONE, None)
    assert same_texts([ONE, OTHER], [AGAIN, OTHER])
    assert not same_texts([ONE, OTHER], [OTHER, ONE])
    assert same_texts(None, [])


def test_two_people_never_write_the_same() -> None:
    assert not same_text(ONE, OF_ANOTHER)


def test_which_fields_are_sealed_is_read_off_the_event() -> None:
    assert sealed_fields(ReviewSubmitted) == ("text", "media")
    assert sealed_fields(FollowUpAppended) == ("text", "media")
    assert sealed_fields(ReviewWeighted) == ()


def test_a_field_named_text_is_always_sealed_and_what_staff_write_once_for_each_party() -> None:
    for event_type in TYPE_OF.values():
        names = set(event_type.__struct_fields__)
        texts = {"text", "note", "media"} & names
        texts |= {name for name in names if name.endswith(("_for_buyer", "_for_seller"))}
        assert texts <= set(sealed_fields(event_type)), event_type
