"""A weekly evaluation is recorded when it changed a seller's score or level, and once."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from reputation_service.domain.rules import SELLERS, SellerCommand
from reputation_service.domain.snapshot import EvaluateScore
from shared_events.reputation import AccountOpened, ScoreEvaluated
from shared_runtime.decider import Actor, InvalidValue, RoleNotAllowed
from shared_runtime.rule import By, Sent
from shared_runtime.testing import Scenario

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TIMER = By(actor=Actor(role="SYSTEM", id="timer"), now=NOW, known=None)
snapshots = Scenario(SELLERS)


def change(sent: SellerCommand, **said: Any) -> SellerCommand:  # noqa: ANN401
    return Sent(replace(sent.said, **said), sent.by)


said = EvaluateScore(
    seller_id="S1",
    day=20454,
    policy_id="default-1",
    state_sha256="0" * 64,
    score_micro=66_000_000,
    level="GREEN",
    public_level="GREEN",
    balance=100,
)
evaluate: SellerCommand = Sent(said, TIMER)
evaluated = ScoreEvaluated(
    seller_id="S1",
    day=20454,
    policy_id="default-1",
    state_sha256="0" * 64,
    score_micro=66_000_000,
    level="GREEN",
    public_level="GREEN",
    balance=100,
)
next_week = change(evaluate, day=20461)


def test_the_first_evaluation_is_recorded() -> None:
    snapshots.when(evaluate).then(evaluated)


def test_an_evaluation_is_recorded_once() -> None:
    snapshots.when(evaluate, change(evaluate, score_micro=1)).then(evaluated)


def test_an_evaluation_that_changed_nothing_shown_is_not_recorded() -> None:
    other_state = change(next_week, state_sha256="1" * 64)
    snapshots.given(evaluated).when(next_week, other_state).then_nothing()


@pytest.mark.parametrize(
    "changed",
    [
        change(next_week, score_micro=65_999_999),
        change(next_week, level="YELLOW"),
        change(next_week, public_level="YELLOW"),
    ],
)
def test_a_change_of_score_or_level_is_recorded(changed: SellerCommand) -> None:
    expected = replace(
        evaluated,
        day=20461,
        score_micro=changed.said.score_micro,
        level=changed.said.level,
        public_level=changed.said.public_level,
    )
    snapshots.given(evaluated).when(changed).then(expected)


def test_an_older_evaluation_comes_too_late() -> None:
    snapshots.given(evaluated).when(change(evaluate, day=20447, score_micro=1)).then_nothing()


def test_what_else_happens_to_an_account_is_no_evaluation() -> None:
    opened = AccountOpened(
        account_kind="SELLER", seller_id="S1", policy_version="p1", opened_at=NOW, balance=100
    )
    snapshots.given(evaluated, opened).when(next_week).then_nothing()
    snapshots.given(opened).when(evaluate).then(evaluated)


@pytest.mark.parametrize("role", ["SELLER", "AUDITOR"])
def test_nobody_but_the_platform_evaluates(role: Any) -> None:  # noqa: ANN401
    by = replace(TIMER, actor=Actor(role=role, id="U1"))
    snapshots.when(Sent(said, by)).then_refused(RoleNotAllowed)


def test_a_score_lies_between_nothing_and_a_hundred_points() -> None:
    best = change(evaluate, score_micro=100_000_000)
    snapshots.when(best).then(replace(evaluated, score_micro=100_000_000))
    snapshots.when(change(best, score_micro=100_000_001)).then_refused(InvalidValue)
    snapshots.when(change(best, score_micro=-1)).then_refused(InvalidValue)
