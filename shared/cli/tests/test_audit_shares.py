"""An explanation adds up to the micro-point, or what does not is named."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from shared_cli.audit_explain import Dimension, Event, Explanation, Share
from shared_cli.audit_shares import not_adding_up

EVENT = Event(topic="review.events", partition=1, position=1)


def share(micro: int) -> Share:
    return Share(
        entity_id="r1",
        dimension="quality",
        weight_milli=1000,
        k=4,
        reasons=[],
        event=EVENT,
        share_micro=micro,
    )


QUALITY = Dimension(
    weight_milli=1000,
    prior_mean_micro=650_000,
    mean_nano=660_000_004,
    caution_nano=60_000_000,
    total_micro=1_000_000,
    events=3,
    shares=[share(700_000), share(200_000)],
    rest_micro=100_000,
)
FOUND = Explanation(
    seller_id="S1",
    policy_id="default-1",
    as_of=datetime(2026, 1, 1, tzinfo=UTC),
    score_micro=60_000_000,
    dimensions={"quality": QUALITY},
    excluded_events=0,
    excluded=[],
    reduced_events=0,
    reduced=[],
    what_would_raise=None,
)


def test_shares_and_rest_are_the_mean_and_means_are_the_score() -> None:
    assert list(not_adding_up(FOUND)) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"rest_micro": 100_001}, "quality: shares of 1000001, not 1000000"),
        ({"total_micro": 1_000_001, "rest_micro": 100_001}, "is not the mean of"),
        ({"events": 2}, "quality: all are listed, and 100000 is left"),
        ({"caution_nano": 59_000_000}, "its dimensions make 60100000, not 60000000"),
    ],
)
def test_what_does_not_add_up_is_named(changes: dict[str, Any], what: str) -> None:
    wrong = replace(FOUND, dimensions={"quality": replace(QUALITY, **changes)})
    assert [each for each in not_adding_up(wrong) if what in each]
