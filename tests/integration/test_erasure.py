"""I12: erasing a person makes what was written unreadable everywhere, and changes no hash and no
score: on whole services, with everything that they keep searched for the words.
"""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer
from local_stack import blocking
from local_stack.auditing import audit
from local_stack.databases import SERVICES
from local_stack.people import Person, complete_order, until
from local_stack.services import Stack
from local_stack.topics import TOPICS
from PIL import Image
from shared_events.reputation import SubjectErased
from shared_runtime.clock import system_clock
from shared_runtime.log import PostgresLog
from shared_runtime.testing import facts

DATABASES = "SELECT datname FROM pg_database WHERE datallowconn"


def photo() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (60, 40), (200, 30, 30)).save(data, "JPEG")
    return data.getvalue()


def erase_again(stack: Stack, buyer: str) -> None:
    """Once more in the log of reputation-service, which would not record it twice."""

    async def record() -> None:
        db = await asyncpg.connect(stack.description.databases["reputation"].app_url)
        log = PostgresLog(db, source="/reputation-service", now=system_clock)
        event = SubjectErased(
            account_kind="BUYER",
            buyer_id=buyer,
            policy_version="ae-2025-1",
            erased_at=datetime.now(UTC),
        )
        known = await log.read([f"buyer-{buyer}"])
        after = len(known.get(f"buyer-{buyer}", []))
        now = datetime.now(UTC)
        await log.append(facts(f"buyer-{buyer}", event, at=now, after=after, cause=str(uuid4())))
        await db.close()

    blocking.run(record())


def everything_kept(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Every table of every database, every topic, every file and every line of the logs."""
    yield from blocking.run(tables(stack))
    yield from blocking.run(topics(stack))
    for file in sorted(stack.folder.rglob("*")):
        if file.is_file() and "kafka" not in file.parts and "postgres" not in file.parts:
            yield str(file), file.read_bytes()


async def tables(stack: Stack) -> list[tuple[str, bytes]]:
    """Each as its rows are written out, one below the other: what a dump of it is made of."""
    admin = stack.description.postgres_url.rpartition("/")[0]
    found: list[tuple[str, bytes]] = []
    one = await asyncpg.connect(stack.description.postgres_url)
    names = [row["datname"] for row in await one.fetch(DATABASES)]
    await one.close()
    assert len(names) > len(stack.description.databases)  # each service's, and those of the keys
    for name in names:
        db = await asyncpg.connect(f"{admin}/{name}")
        # Bytes as they are: in hexadecimal, no word would be found.
        await db.execute("SET bytea_output = 'escape'")
        for schema, table in await db.fetch(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname <> 'information_schema'"
        ):
            out = io.BytesIO()
            await db.copy_from_table(table, schema_name=schema, output=out)
            found.append((f"{name}.{schema}.{table}", out.getvalue()))
        await db.close()
    return found


async def topics(stack: Stack) -> list[tuple[str, bytes]]:
    consumer = AIOKafkaConsumer(
        *TOPICS,
        bootstrap_servers=stack.description.kafka,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    found: list[tuple[str, bytes]] = []
    try:
        left = {
            place: end
            for place, end in (await consumer.end_offsets([*consumer.assignment()])).items()
            if end
        }
        await consumer.seek_to_beginning()
        while left:
            for place, records in (await consumer.getmany(timeout_ms=1_000)).items():
                found += [(record.topic, record.value or b"") for record in records]
                if await consumer.position(place) >= left[place]:
                    del left[place]
    finally:
        await consumer.stop()
    return found


def judged(stack: Stack, writer: Person, refs: dict[str, str], word: str) -> str:
    """The word is in a flag of his, and in all that is said for and against his review until it is
    shown again: the address of the flag.
    """
    moderator = Person(stack, "MODERATOR", "mod-1")
    by_buyer, by_seller = f"/v1/reviews/{refs['BUYER']}", f"/v1/reviews/{refs['SELLER']}"
    until(lambda: moderator.look(by_seller).is_success, "reviews are known by names")
    flags = f"{by_seller}/flags"
    flag = writer.post(flags, {"reason": "OTHER", "text": f"How {word}!"})
    why = {"rule_ids": ["R-3"], "facts": f"It says {word}.", "explanation": "No such words."}
    measures = {"ground": "OFFENSIVE", "measures": ["HIDE_TEXT"]}
    moderator.judge(by_buyer, "restrictions", why | measures)
    appeal = writer.post(f"{by_buyer}/appeals", {"text": f"Why not {word}?"})
    decision = f"appeals/{appeal['appeal_id']}/decision"
    Person(stack, "SENIOR", "sen-1").judge(by_buyer, decision, why | {"outcome": "REVERSED"})
    return f"{flags}/{flag['flag_id']}"


def test_i12_after_an_erasure_nothing_that_is_kept_has_the_words_and_nothing_else_changes(
    stack: Stack,
) -> None:
    mark = uuid4().hex[:12]
    word, reply = f"quixotic-{mark}", f"obliging-{mark}"
    order_id, seller, buyer = f"O-{mark}", f"S-{mark}", f"B-{mark}"
    complete_order(stack, order_id, seller, buyer)
    evaluation = f"/v1/orders/{order_id}/evaluation"
    writer, other = Person(stack, "BUYER", buyer), Person(stack, "SELLER", seller)
    until(lambda: writer.get(evaluation)["state"] == "OPEN", "the evaluation is open")

    media_id = writer.upload("REVIEW", photo(), name=f"{word}.jpg")
    stars = {"quality": 2, "logistics": 4, "service": 3, "incentive": "NONE"}
    said = {"text": f"A {word} lamp.", "media": [media_id]}
    written = writer.post(f"{evaluation}/reviews", stars | said)
    review_id = written["reviews"][0]["review_id"]
    both = other.post(f"{evaluation}/reviews", {"rating": 4})
    other.post(f"{evaluation}/reviews/{review_id}/reply", {"text": f"We are {reply}."})
    refs = {review["by"]: review["ref"] for review in both["reviews"]}
    flag = judged(stack, writer, refs, word)
    writer.post(f"{evaluation}/reviews/{review_id}/follow-up", {"text": f"Still {word}."})
    # The review, what was added, the appeal, the statement of its decision, his own flag of the
    # other's review; and that flag by its address.
    kept = writer.get(evaluation), writer.get(flag)
    assert [json.dumps(told).count(word) for told in kept] == [5, 1]

    listed = f"/v1/sellers/{seller}/reviews"
    # Its text was hidden for a while: the list follows a moment later.
    until(
        lambda: any(each["text"] for each in other.get(listed)["items"]),
        "the review is listed with its text",
    )
    (shown,) = other.get(listed)["items"]
    assert word in shown["text"]
    assert shown["media"][0]["media_id"] == media_id
    assert not [place for place, kept in everything_kept(stack) if word.encode() in kept]
    audit(stack, "verify")
    audit(stack, "replay")

    desks = [Person(stack, "PRIVACY", "desk", service) for service in SERVICES]
    forgotten = f"/v1/erasures/BUYER/{buyer}"
    assert [desk.get(forgotten)["forgotten_at"] for desk in desks] == [None] * len(SERVICES)
    person = {"account_kind": "BUYER", "account_id": buyer}
    told = desks[SERVICES.index("reputation")].post("/v1/erasures", person)
    assert told["status"] == "ERASED"
    until(lambda: all(desk.get(forgotten)["forgotten_at"] for desk in desks), "each says so")
    assert desks[0].get(f"/v1/erasures/SELLER/{seller}")["forgotten_at"] is None
    until(lambda: other.get(listed)["items"][0]["text"] is None, "the text is gone")
    (shown,) = other.get(listed)["items"]
    assert (shown["quality"], shown["weight_milli"], shown["media"]) == (2, 1000, [None])
    assert shown["reply"]["text"] == f"We are {reply}."  # it is another person's
    moderator = Person(stack, "MODERATOR", "mod-1")
    assert word not in json.dumps(moderator.get(f"/v1/reviews/{refs['BUYER']}"))
    again = moderator.look(f"/v1/media/{media_id}")
    assert again.status_code == 404
    assert not [
        place for place, kept in everything_kept(stack) if word.encode() in kept or photo() in kept
    ]

    erase_again(stack, buyer)  # told twice, done once
    audit(stack, "verify")
    audit(stack, "replay")
    assert other.get(listed)["items"] == [shown]
    refused = writer.send(
        "POST", f"{evaluation}/reviews/{review_id}/follow-up", {"text": "I am back."}
    )
    assert refused.status_code == 410, refused.text
