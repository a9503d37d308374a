"""What clients send, at the door: words in any script, ids that stand in paths, codes, instants."""

from typing import Annotated
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, ValidationError
from shared_events.characters import ID, SEEN, is_id
from shared_events.codes import COUNTRY, CURRENCY
from shared_runtime.fields import Body, Country, Currency, IdStr, Instant, readable


class Note(Body):
    id: IdStr = "1"
    text: Annotated[str, AfterValidator(readable)] = "-"
    country: Country = "DE"
    currency: Currency = "EUR"
    at: Instant | None = None


def wrong(**fields: object) -> dict[str, str]:
    """The fields of a note that are refused, and why."""
    with pytest.raises(ValidationError) as refused:
        Note.model_validate(fields)
    return {
        str(error["loc"][0]): error["msg"].removeprefix("Value error, ")
        for error in refused.value.errors()
    }


@pytest.mark.parametrize(
    "text",
    [
        "क्\u200dष",
        "👩\u200d🔧",
        "\U0001fae9",
        "Très bien\u00a0!",
        "良い。\u3000また",
        "a\u00ad\ufeffb",
    ],
)
def test_words_come_as_they_were_written(text: str) -> None:
    assert Note.model_validate({"text": text}).text == text


def test_words_that_cannot_be_taken_are_told_why() -> None:
    assert wrong(text="\u2800\u0301") == {"text": SEEN}
    assert wrong(text="a\u202eb") == {
        "text": "no overrides of the direction of writing: not U+202E"
    }
    assert wrong(id="a/b", country="XX", currency="BRX") == {
        "id": ID,
        "country": COUNTRY,
        "currency": CURRENCY,
    }


@pytest.mark.parametrize("at", ["2026-01-15T12:00:00.1234567Z", "2026-01-15T12:00:00.0000000Z"])
def test_an_instant_has_six_decimals_at_most(at: str) -> None:
    assert wrong(at=at) == {"at": "an instant like 2026-01-15T12:30:00Z, with at most 6 decimals"}


places = FastAPI()


@places.get("/things/{thing_id}/parts/{part_id}")
async def part(thing_id: IdStr, part_id: IdStr, again: IdStr) -> list[str]:
    return [thing_id, part_id, again]


LETTERS = st.characters(categories=("L", "Nd", "Mn", "Mc"))
ASCII = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
IDS = st.text(ASCII | LETTERS, min_size=1, max_size=20).filter(is_id)


@given(IDS, IDS)
async def test_every_id_can_be_used_in_a_path(thing: str, part: str) -> None:
    path = f"/things/{quote(thing, safe='')}/parts/{quote(part, safe='')}"
    transport = httpx.ASGITransport(places)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        answered = await client.get(path, params={"again": thing})
    assert answered.status_code == 200, answered.text
    assert answered.json() == [thing, part, thing]


@given(st.text(ASCII | LETTERS | st.characters(), max_size=70))
def test_no_other_text_passes_for_an_id(text: str) -> None:
    if is_id(text):
        assert Note.model_validate({"id": text}).id == text
    else:
        assert wrong(id=text).keys() == {"id"}
