"""What a person writes is read with that person's key, at the place it was written for."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import replace as replaced
from datetime import UTC, datetime
from typing import Literal, Self
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from shared_events.orders import OrderPaid
from shared_events.registry import encode_data
from shared_events.review import ReviewSubmitted
from shared_events.sealed import parts_of, same_text, same_texts
from shared_runtime.commands import CommandRequest, Commands
from shared_runtime.decider import Actor, Decider
from shared_runtime.idempotency import Kept
from shared_runtime.keys import new_key
from shared_runtime.log import Ask, Decisions
from shared_runtime.reading import answer
from shared_runtime.sealing import (
    DoesNotOpen,
    Opener,
    PersonKey,
    misplaced,
    open_text,
    person,
    person_of,
    seal_event,
)
from shared_runtime.testing import InMemoryKeyStore, InMemoryLog
from starlette.responses import Response
from structlog.testing import capture_logs

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
EVENT = "01956f2e-7c00-7000-8000-00000000002a"
ANOTHER_EVENT = "01956f2e-7c00-7000-8000-00000000002b"
WRITTEN = "The heel came off on the second day; Jörg 👞 wept."
KEY = new_key("buyer:B1")
OTHER_KEY = new_key("buyer:B2")

texts = st.text(max_size=200)


def review_of(text: str | None, *media: str) -> ReviewSubmitted:
    return ReviewSubmitted(
        order_id="O1",
        seller_id="S1",
        buyer_id="B1",
        policy_version="p1",
        review_id="R1",
        side="BUYER",
        submitted_at=AT,
        quality=5,
        incentive="NONE",
        text=text,
        media=list(media) or None,
    )


def sealed(text: str, key: PersonKey = KEY, event_id: str = EVENT) -> str:
    token = seal_event(review_of(key.unsealed(text)), event_id).text
    assert token is not None
    return token


def link(media_id: str) -> str:
    return f"https://files/{media_id}?signed"


async def opener(*erased: str) -> Opener:
    """Of a store that has both keys, but for those of the people erased."""
    store = InMemoryKeyStore({key.person: key for key in (KEY, OTHER_KEY)})
    for each in erased:
        await store.destroy(each)
    return Opener(store, link)


# --- Laws


@given(texts)
def test_what_is_sealed_opens_as_it_was(text: str) -> None:
    token = sealed(text)
    assert open_text(token, KEY) == text
    encode_data(review_of(token))  # an event that the log takes


@given(texts, texts)
def test_the_same_text_is_recognised_and_another_is_not(one: str, other: str) -> None:
    assert same_text(sealed(one), KEY.unsealed(one))
    assert same_text(sealed(one), sealed(other, event_id=ANOTHER_EVENT)) == (one == other)
    assert not same_text(sealed(one), sealed(one, OTHER_KEY))
    assert KEY.digest(one) != OTHER_KEY.digest(one)


@given(texts)
def test_another_key_does_not_open_it(text: str) -> None:
    with pytest.raises(DoesNotOpen):
        open_text(sealed(text), OTHER_KEY)


@given(texts, st.sampled_from([(EVENT, ANOTHER_EVENT), (".text.", ".facts.")]))
def test_in_another_event_or_field_it_does_not_open(text: str, moved: tuple[str, str]) -> None:
    with pytest.raises(DoesNotOpen):
        open_text(sealed(text).replace(*moved), KEY)


@given(texts, st.data())
def test_with_one_flipped_bit_it_does_not_open(text: str, data: st.DataObject) -> None:
    token = sealed(text)
    beginning = len(f"s1.{KEY.key_id}.")  # what comes before says which key: another one
    at = data.draw(st.integers(beginning, len(token) - 1))
    bit = data.draw(st.integers(0, 6))
    altered = token[:at] + chr(ord(token[at]) ^ 1 << bit) + token[at + 1 :]
    with pytest.raises((DoesNotOpen, ValueError)):
        open_text(altered, KEY)


def test_bits_that_no_byte_is_made_of_are_not_altered_either() -> None:
    token = sealed("two bits of the last letter are spare")
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = digits[digits.index(token[-1]) ^ 1]
    assert urlsafe_b64decode(token[-2:] + "==") == urlsafe_b64decode(token[-2] + twin + "==")
    with pytest.raises(DoesNotOpen):
        open_text(token[:-1] + twin, KEY)


@given(st.binary(max_size=200), st.data())
def test_a_file_opens_whole_under_its_own_name_alone(content: bytes, data: st.DataObject) -> None:
    closed = KEY.seal_bytes(content, "M1")
    assert KEY.open_bytes(closed, "M1") == content
    flipped = bytearray(closed)
    flipped[data.draw(st.integers(0, len(closed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    for key, altered, name in (
        (KEY, closed, "M2"),
        (OTHER_KEY, closed, "M1"),
        (KEY, bytes(flipped), "M1"),
        (KEY, closed[:5], "M1"),
    ):
        with pytest.raises(DoesNotOpen):
            key.open_bytes(altered, name)


@given(st.lists(texts, max_size=5), st.text(max_size=100))
async def test_a_document_is_opened_string_by_string_and_otherwise_unchanged(
    written: list[str], beside: str
) -> None:
    document = {"said": [sealed(text) for text in written], "beside": beside, "n": [1, None]}
    opened = await (await opener()).opened(msgspec.json.encode(document))
    assert json.loads(opened) == document | {"said": written}


# --- Unsealed and sealed


def test_an_unsealed_text_shows_nothing_of_itself() -> None:
    unsealed = KEY.unsealed(WRITTEN)
    for shown in (str(unsealed), repr(unsealed), f"{unsealed}", repr(review_of(unsealed))):
        assert "heel" not in shown
        assert KEY.derived("text").hex() not in shown
    assert len(unsealed.split(".")) == 3


def test_an_unsealed_text_is_never_recorded_or_answered_as_it_is() -> None:
    unsealed = KEY.unsealed(WRITTEN)
    with pytest.raises(TypeError, match="Unsealed"):
        encode_data(review_of(unsealed))
    with pytest.raises(TypeError, match="Unsealed"):
        msgspec.json.encode(unsealed)


def test_each_text_of_an_event_names_the_event_and_its_field() -> None:
    event = seal_event(
        review_of(KEY.unsealed(WRITTEN), KEY.unsealed("M1"), KEY.unsealed("M2")), EVENT
    )
    assert event.text is not None
    assert event.media is not None
    places = [parts_of(token) for token in (event.text, *event.media)]
    assert [(place.event_id, place.path) for place in places] == [
        (EVENT, "text"),
        (EVENT, "media/0"),
        (EVENT, "media/1"),
    ]
    assert same_texts(event.media, [KEY.unsealed("M1"), KEY.unsealed("M2")])
    assert misplaced(event, EVENT) is None


def test_the_same_text_is_never_sealed_alike() -> None:
    assert len({sealed(WRITTEN) for _ in range(100)}) == 100


def test_what_is_sealed_already_and_what_needs_no_seal_stay_as_they_are() -> None:
    event = review_of(sealed(WRITTEN))
    assert seal_event(event, ANOTHER_EVENT) == event
    assert seal_event(review_of(None), EVENT) == review_of(None)


def test_a_text_that_was_moved_is_found() -> None:
    event = seal_event(review_of(KEY.unsealed(WRITTEN), KEY.unsealed("M1")), EVENT)
    assert event.media is not None
    assert misplaced(event, ANOTHER_EVENT) == "text"
    assert misplaced(replace(event, text=event.media[0]), EVENT) == "text"
    assert misplaced(replace(event, media=[sealed("M1"), *event.media]), EVENT) == "media/0"


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        (Actor(role="BUYER", id="B1"), "buyer:B1"),
        (Actor(role="SELLER", id="S1"), "seller:S1"),
        (Actor(role="SELLER", id="clerk", org_id="S1"), "seller:S1"),
        (Actor(role="MODERATOR", id="M1", org_id="desk"), "staff:M1"),
        (Actor(role="SYSTEM", id="timer"), "staff:timer"),
        (Actor(role="IMPORTER", id="olist", on_behalf_of="SYSTEM"), "staff:olist"),
    ],
)
def test_a_text_belongs_to_whoever_writes_it(actor: Actor, expected: str) -> None:
    assert person_of(actor) == expected


@pytest.mark.parametrize("role", ["BUYER", "SELLER"])
def test_what_an_importer_brings_is_not_his_own(role: Literal["BUYER", "SELLER"]) -> None:
    with pytest.raises(AssertionError, match="whose text"):
        person_of(Actor(role="IMPORTER", id="olist", on_behalf_of=role))


def test_people_of_different_kinds_are_different_people() -> None:
    assert len({person("buyer", "1"), person("seller", "1"), person("staff", "1")}) == 3


# --- Opening


async def test_texts_of_several_people_are_opened_together() -> None:
    mine, theirs = sealed(WRITTEN), sealed("Fits.", OTHER_KEY)
    assert await (await opener()).texts([mine, theirs]) == {mine: WRITTEN, theirs: "Fits."}


async def test_what_an_erased_person_wrote_reads_as_null() -> None:
    mine, theirs = sealed(WRITTEN), sealed("Fits.", OTHER_KEY)
    body = msgspec.json.encode([mine, theirs])
    assert json.loads(await (await opener(KEY.person)).opened(body)) == [None, "Fits."]


async def test_a_file_is_answered_with_a_link() -> None:
    event = seal_event(review_of(None, KEY.unsealed("M1"), OTHER_KEY.unsealed("M2")), EVENT)
    body = msgspec.json.encode({"media": event.media})
    assert json.loads(await (await opener(OTHER_KEY.person)).opened(body)) == {
        "media": [{"media_id": "M1", "url": "https://files/M1?signed"}, None]
    }


async def test_what_looks_like_a_sealed_text_inside_of_one_is_not_opened() -> None:
    theirs = sealed("a secret", OTHER_KEY)
    body = msgspec.json.encode({"text": sealed(theirs)})
    assert json.loads(await (await opener()).opened(body)) == {"text": theirs}


async def test_a_string_that_only_contains_a_sealed_text_is_not_opened() -> None:
    token = sealed(WRITTEN)
    document = {"a": f'"{token}"', "b": f'\\"{token}', "c": f"{token} ", token: 1}
    body = msgspec.json.encode(document)
    assert await (await opener()).opened(body) == body


async def test_an_id_never_passes_for_a_sealed_text() -> None:
    body = msgspec.json.encode({"order_id": "s1.a.b.c.d.e", "text": sealed(WRITTEN)})
    assert json.loads(await (await opener()).opened(body)) == {
        "order_id": "s1.a.b.c.d.e",
        "text": WRITTEN,
    }


@pytest.mark.parametrize(
    "token",
    [
        sealed(WRITTEN).replace(EVENT, ANOTHER_EVENT),
        sealed(WRITTEN).replace(".text.", ".media."),
        sealed(WRITTEN)[:-4] + "AAAA",
        sealed(WRITTEN).rpartition(".")[0] + "." + "A" * 60,
        sealed(WRITTEN).replace(KEY.digest(WRITTEN), KEY.digest("Fits.")),
    ],
    ids=["another event", "another field", "last bytes", "nothing of it", "digest"],
)
async def test_an_altered_text_is_told_and_reads_as_null(token: str) -> None:
    with capture_logs() as logs:
        body = msgspec.json.encode({"text": token, "whole": sealed("Fits.")})
        assert json.loads(await (await opener()).opened(body)) == {"text": None, "whole": "Fits."}
    (told,) = logs
    assert (told["log_level"], told["event_id"]) == ("error", parts_of(token).event_id)
    assert "heel" not in repr(told)


async def test_an_answer_is_opened_with_its_headers() -> None:
    response = answer({"text": sealed(WRITTEN)}, status=201, version=3, headers={"X": "y"})
    opened = await (await opener()).response(response)
    assert json.loads(bytes(opened.body)) == {"text": WRITTEN}
    assert opened.status_code == 201
    assert (opened.headers["etag"], opened.headers["x"]) == ('"3"', "y")
    assert opened.headers["content-length"] == str(len(opened.body))
    nothing_sealed = answer({"text": None})
    assert await (await opener()).response(nothing_sealed) is nothing_sealed


async def test_the_keys_of_a_page_are_fetched_at_once() -> None:
    class Counting(InMemoryKeyStore):
        asked = 0

        async def keys(self, key_ids: Iterable[str]) -> dict[str, PersonKey]:
            type(self).asked += 1
            return await super().keys(key_ids)

    store = Counting({key.person: key for key in (KEY, OTHER_KEY)})
    page = [sealed(f"{n}", (KEY, OTHER_KEY)[n % 2]) for n in range(50)]
    opened = await Opener(store, link).opened(msgspec.json.encode(page))
    assert json.loads(opened) == [str(n) for n in range(50)]
    assert Counting.asked == 1
    await Opener(store, link).opened(b'{"nothing": "sealed"}')
    assert Counting.asked == 1


# --- Deciding seals


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    now: datetime
    actor: Actor
    text: str

    def at(self, now: datetime) -> Self:
        return replaced(self, now=now)


type Written = tuple[str | None, ...]


def write(_: Written, command: Write) -> list[ReviewSubmitted]:
    return [review_of(command.text)]


def written(before: Written, event: ReviewSubmitted) -> Written:
    return (*before, event.text)


REVIEWS = Decider[Written, Write, ReviewSubmitted](initial=(), decide=write, evolve=written)
BUYER = Actor(role="BUYER", id="B1")


async def test_states_and_events_hold_sealed_texts_alone() -> None:
    decisions = Decisions(InMemoryLog(lambda: AT))
    await decisions.read(["evaluation-O1"])
    command = Write(now=AT, actor=BUYER, text=KEY.unsealed(WRITTEN))
    ask = Ask(stream="evaluation-O1", command=command, cause=str(uuid4()), correlation="O1")
    (event,) = decisions.decide(REVIEWS, ask)
    (planned,) = decisions.planned
    assert decisions.state(REVIEWS, "evaluation-O1") == (event.text,)
    assert planned.event == event
    assert misplaced(event, planned.event_id) is None
    assert type(event.text) is str
    (recorded,) = await decisions.append()
    assert open_text(recorded.event.text, KEY) == WRITTEN


async def test_kept_answers_hold_sealed_texts_and_are_opened_each_time_they_are_given() -> None:
    log = InMemoryLog(lambda: AT)

    async def find(request_id: UUID) -> Kept | None:
        if (reply := log.replies.get(request_id)) is None:
            return None
        return Kept(
            fingerprint=reply.fingerprint,
            status=reply.status,
            etag=reply.etag,
            body=reply.body,
            token=None,
        )

    commands = Commands(log, find)
    answered = [await asked_of(commands) for _ in range(2)]
    (kept,) = log.replies.values()
    assert b"heel" not in kept.body
    assert [bytes(each.body) for each in answered] == [kept.body] * 2
    for each in answered:
        opened = await (await opener()).response(each)
        assert json.loads(bytes(opened.body)) == {"said": [WRITTEN]}
        erased = await (await opener(KEY.person)).response(each)
        assert json.loads(bytes(erased.body)) == {"said": [None]}
    rehearsed = await asked_of(commands, validate_only=True)
    assert b"heel" not in rehearsed.body
    assert WRITTEN.encode() in (await (await opener()).response(rehearsed)).body


async def asked_of(commands: Commands, *, validate_only: bool = False) -> Response:
    request = CommandRequest(
        id=UUID(ANOTHER_EVENT if validate_only else EVENT),
        fingerprint=b"same",
        expected=None,
        validate_only=validate_only,
        traceparent=None,
    )
    return await commands.run(
        request,
        REVIEWS,
        Write(now=AT, actor=BUYER, text=KEY.unsealed(WRITTEN)),
        stream="evaluation-O1",
        correlation="O1",
        view=lambda outcome: {"said": outcome.state},
    )


def test_an_event_without_personal_text_is_not_touched() -> None:
    paid = OrderPaid(
        order_id="O1",
        seller_id="S1",
        buyer_id="B1",
        policy_version="p1",
        paid_at=AT,
        payment_ref="P1",
    )
    assert seal_event(paid, EVENT) is paid
