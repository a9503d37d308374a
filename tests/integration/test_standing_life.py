"""A seller's standing on whole services: he answers late, loses a dispute, is fined for ratings
that are taken for made up, appeals and wins. What the other services tell comes over Kafka; after
each step his score, points, level, measures and the explanation say so.
"""

from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from local_stack.auditing import audit
from local_stack.people import until
from local_stack.services import Stack
from local_stack.standing import Standing
from shared_cli import clock

BUYERS = 16
FULL_BALANCE, BALANCE = 100, 76


def stands(life: Standing) -> tuple[str, int, str, list[str]]:
    """The level that others see; points, what follows from them, and the measures in force."""
    points = life.points()
    measures = [each["measure"] for each in points["measures"]]
    return life.score()["public_level"], points["balance"], points["level"], measures


def totals(life: Standing) -> dict[str, int]:
    """What all that happened adds to each mean."""
    return {name: life.explained(name)["total_micro"] for name in life.score()["dimensions"]}


def share_of(explained: dict[str, Any], entity_id: str) -> dict[str, Any]:
    (share,) = [each for each in explained["shares"] if each["entity_id"] == entity_id]
    return share  # type: ignore[no-any-return]


def test_a_seller_falls_and_is_put_right(stack: Stack) -> None:  # noqa: PLR0915 - one long life
    mark = uuid4().hex[:8]
    life = Standing(stack, mark, partial(clock.move, Path(stack.description.clock_file)))

    # All are content with him.
    life.is_rated(BUYERS)
    until(lambda: life.score()["public_level"] == "GREEN", "he has been evaluated twice")
    rated = life.score()
    assert rated["rated"]
    assert stands(life) == ("GREEN", FULL_BALANCE, "NORMAL", [])
    assert (
        sum(each["share_micro"] for each in life.explained("quality")["shares"])
        == (life.explained("quality")["total_micro"])
    )
    assert life.observed("inquiries") == 0

    # He answers a question a day late: that is less than what is thought of one who sells newly.
    inquiry_id = life.answers_late()
    late = life.score()
    assert stands(life) == ("GREEN", FULL_BALANCE, "NORMAL", [])
    assert (
        late["dimensions"]["inquiries"]["mean_nano"] < rated["dimensions"]["inquiries"]["mean_nano"]
    )
    assert late["dimensions"]["quality"]["weeks"] == rated["dimensions"]["quality"]["weeks"]
    assert share_of(life.explained("inquiries"), inquiry_id)["share_micro"] < 0

    # He loses a dispute: that weighs as much as two reviews, and is worth nothing.
    dispute_id = life.loses_a_dispute()
    until(lambda: bool(shares(life, dispute_id)), "the dispute is in his score")
    lost = life.score()
    assert stands(life) == ("GREEN", FULL_BALANCE, "NORMAL", [])
    assert lost["dimensions"]["dispute"]["mean_nano"] < late["dimensions"]["dispute"]["mean_nano"]
    told = share_of(life.explained("dispute"), dispute_id)
    assert (told["weight_milli"], told["k"]) == (2000, 0)
    assert told["share_micro"] < 0
    assert lost["score_micro"] < late["score_micro"] < rated["score_micro"]

    explained = totals(life)

    # He is fined: points, a measure, a lower level; of the mean nothing.
    life.is_fined()
    life.until_balance(BALANCE)
    until(lambda: life.score()["credit_level"] == "REDUCED", "his score page knows it too")
    points, fined = life.points(), life.score()
    assert stands(life) == ("YELLOW", BALANCE, "REDUCED", ["WARNING", "REDUCED_EXPOSURE"])
    assert points["penalties"][0]["counts"]
    assert totals(life) == explained
    assert (fined["real_level"], fined["public_level"]) == ("YELLOW", "YELLOW")
    assert [each["why"] for each in fined["reasons"]] == ["CAPPED_BY_POINTS"]
    assert means(fined) == means(lost)
    audit(stack, "replay")

    # While he appeals the points stay.
    life.appeals()
    until(lambda: life.points()["penalties"][0]["stayed"], "the penalty is stayed")
    assert stands(life) == ("YELLOW", BALANCE, "REDUCED", ["WARNING", "REDUCED_EXPOSURE"])
    assert totals(life) == explained

    # He is right: all is as if it had never been, and the history shows that it was.
    life.is_proved_right()
    life.until_balance(FULL_BALANCE)
    until(lambda: life.score()["credit_level"] == "NORMAL", "his score page knows it too")
    points, righted = life.points(), life.score()
    assert stands(life) == ("GREEN", FULL_BALANCE, "NORMAL", [])
    assert totals(life) == explained
    (penalty,) = points["penalties"]
    assert not penalty["counts"]
    assert penalty["reversed_at"]
    assert means(righted) == means(lost)
    assert righted["public_level"] == righted["base_level"] == lost["public_level"]
    while_fined = life.seller.get(f"{life.at}/score?as_of={fined['as_of']}")
    assert while_fined["public_level"] == fined["public_level"]
    assert life.seller.events(life.case) == [
        *("CaseOpened", "StatementSubmitted", "ViolationConfirmed", "StatementOfReasonsIssued"),
        *("ViolationAppealed", "ViolationAppealDecided"),
    ]
    audit(stack, "replay")


def shares(life: Standing, entity_id: str) -> list[dict[str, Any]]:
    listed = life.explained("dispute")["shares"]
    return [each for each in listed if each["entity_id"] == entity_id]


def means(score: dict[str, Any]) -> dict[str, int]:
    return {name: each["mean_nano"] for name, each in score["dimensions"].items()}
