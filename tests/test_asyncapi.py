"""The AsyncAPI documents of the topics: of this release, sound, and their examples true."""

import json
import subprocess
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from deploy_tools.cache import ASYNCAPI_PARSER, Absent, node, program
from jsonschema_rs import Draft7Validator
from local_stack.topics import FEEDS, KEPT_A_WEEK, KEPT_FOR_EVER
from local_stack.topics import TOPICS as MADE
from review_service import feed_document
from review_service.bulk.feed import ORDER, TOPIC
from review_service.bulk.line import Life, Line, decode_line
from shared_events.__main__ import ASYNCAPI, CORPUS, REPOSITORY
from shared_events.asyncapi import HEADERS, TOPICS, text
from shared_events.envelope import Envelope
from shared_events.partition import PARTITIONS
from shared_events.registry import FAMILIES
from shared_runtime import relay

LINT = """
const { Parser } = require(process.argv[1]);
const files = process.argv.slice(2);
const read = (file) => require("fs").readFileSync(file, "utf8");
const lint = (file) => new Parser().parse(read(file)).then((told) => told.diagnostics);
Promise.all(files.map(lint)).then((told) => console.log(JSON.stringify(told)));
"""
"""Files in, the diagnostics of each out, as JSON."""
SECONDS_MAX = 120

of_every_topic = pytest.mark.parametrize("topic", TOPICS)


def file(topic: str) -> Path:
    return REPOSITORY / ASYNCAPI / f"{topic}.json"


def document(topic: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(file(topic).read_text())
    return told


def test_there_is_one_for_every_topic() -> None:
    assert {*TOPICS} == {*MADE} - {*FEEDS}
    assert {TOPIC} == {*FEEDS}
    assert {each.stem for each in (REPOSITORY / ASYNCAPI).iterdir()} == {*MADE}


@of_every_topic
def test_it_is_that_of_this_release(topic: str) -> None:
    assert file(topic).read_text() == f"{text(topic, REPOSITORY / CORPUS)}\n", "`make docs`"


@of_every_topic
def test_it_has_every_event_of_the_topic_with_an_example_that_is_one(topic: str) -> None:
    of = document(topic)
    tags = {
        event.__struct_config__.tag
        for family in FAMILIES
        if family.topic == topic
        for event in family.events
    }
    messages = of["components"]["messages"].values()
    assert {message["name"] for message in messages} == tags
    for message in messages:
        (example,) = message["examples"]
        assert example["payload"]["type"] == message["name"]
        is_valid = Draft7Validator(message["payload"] | {"components": of["components"]}).is_valid
        assert is_valid(example["payload"]), message["name"]
        # What is wrong with an envelope, with an event, or with which of them it is, is seen.
        assert not is_valid(example["payload"] | {"streamversion": "1"})
        assert not is_valid(example["payload"] | {"type": "Another.v1"})
        assert not is_valid(example["payload"] | {"data": {}})


@of_every_topic
def test_it_tells_how_records_are_keyed_spread_and_kept(topic: str) -> None:
    of = document(topic)
    (channel,) = of["channels"].values()
    kafka = channel["bindings"]["kafka"]
    assert (channel["address"], kafka["topic"]) == (topic, topic)
    assert kafka["partitions"] == PARTITIONS
    kept = kafka["topicConfiguration"]
    assert kept["retention.ms"] == int(KEPT_FOR_EVER["retention.ms"])
    assert kept["cleanup.policy"] == [KEPT_FOR_EVER["cleanup.policy"]]
    (trait,) = of["components"]["messageTraits"].values()
    assert "seller" in trait["bindings"]["kafka"]["key"]["description"]
    assert ("content-type", trait["contentType"].encode()) == relay.CONTENT_TYPE
    assert trait["headers"] == HEADERS
    told = of["components"]["schemas"]["CloudEvent"]["properties"]
    assert told.keys() == {*Envelope.__struct_fields__}
    assert all(each["description"] for each in told.values())


def test_what_a_shop_announces_is_that_of_this_release() -> None:
    assert file(TOPIC).read_text() == f"{feed_document.text()}\n", "`make docs`"


def test_each_step_of_an_order_has_an_example_that_the_feed_takes() -> None:
    of = document(TOPIC)
    (message,) = of["components"]["messages"].values()
    assert message["name"] == ORDER
    is_valid = Draft7Validator(message["payload"] | {"components": of["components"]}).is_valid
    told: set[str] = set()
    for each in message["examples"]:
        event = each["payload"]
        assert is_valid(event), each["name"]
        line = decode_line(msgspec.json.encode(event["data"]), datetime(2026, 2, 1, tzinfo=UTC))
        assert isinstance(line, Line), each["name"]
        told |= event["data"].keys()
        assert not is_valid(event | {"type": "another"})
        assert not is_valid(event | {"data": event["data"] | {"unknown": 1}})
        assert not is_valid({name: told for name, told in event.items() if name != "data"})
    assert told == {*Life.__struct_fields__, "reviews"}


def test_the_feed_is_told_with_its_partitions_its_key_and_how_long_it_is_kept() -> None:
    of = document(TOPIC)
    kafka = of["channels"][TOPIC]["bindings"]["kafka"]
    assert (kafka["topic"], kafka["partitions"]) == (TOPIC, PARTITIONS)
    kept = kafka["topicConfiguration"]
    assert kept["retention.ms"] == int(KEPT_A_WEEK["retention.ms"])
    assert kept["cleanup.policy"] == [KEPT_A_WEEK["cleanup.policy"]]
    (message,) = of["components"]["messages"].values()
    assert "seller" in message["bindings"]["kafka"]["key"]["description"]


def diagnostics(*files: Path) -> list[list[dict[str, Any]]]:
    """What AsyncAPI's own parser has to say of each."""
    try:
        command: list[str | Path] = [node(), "--eval", LINT, program(ASYNCAPI_PARSER), *files]
    except Absent as why:
        pytest.skip(str(why))
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=True, timeout=SECONDS_MAX
    )
    told: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return told


def test_asyncapis_own_tool_has_nothing_to_say_of_them_and_much_of_one_that_is_broken(
    tmp_path: Path,
) -> None:
    broken = deepcopy(document("orders.events"))
    broken["channels"]["orders.events"]["bindings"]["kafka"]["partitions"] = 0
    broken["components"]["messages"]["OrderPaid"]["payload"]["allOf"][0]["$ref"] += "s"
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    *of_topics, of_broken = diagnostics(*map(file, MADE), tmp_path / "broken.json")
    assert of_topics == [[] for _ in MADE]
    assert of_broken
