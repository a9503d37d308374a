"""A weekly evaluation is recorded when it changed a seller's score or level, and once."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
from reputation_service.domain.snapshot import SNAPSHOTS, EvaluateScore
from shared_events.reputation import AccountOpened, ScoreEvaluated
from shared_runtime.decider import Actor
from shared_runtime.testing import Scenario

NOW = datetime(2026, 1, 1, tzinfo=UTC)
snapshots = Scenario(SNAPSHOTS)

evaluate = EvaluateScore(
    now=NOW,
    actor=Actor(role="SYSTEM", id="timer"),
    seller_id="S1",
    day=20454,
    policy_id="default-1",
    state_sha256="0" * 64,
    score_micro=66_000_000,
    level="GREEN",
    public_level="GREEN",
    balance=100,
)
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
next_week = replace(evaluate, day=20461)


def test_the_first_evaluation_is_recorded() -> None:
    snapshots.when(evaluate).then(evaluated)


def test_an_evaluation_is_recorded_once() -> None:
    snapshots.when(evaluate, replace(evaluate, score_micro=1)).then(evaluated)


def test_an_evaluation_that_changed_nothing_shown_is_not_recorded() -> None:
    other_state = replace(next_week, state_sha256="1" * 64)
    snapshots.given(evaluated).when(next_week, other_state).then_nothing()


@pytest.mark.parametrize(
    "changed",
    [
        replace(next_week, score_micro=65_999_999),
        replace(next_week, level="YELLOW"),
        replace(next_week, public_level="YELLOW"),
    ],
)
def test_a_change_of_score_or_level_is_recorded(changed: EvaluateScore) -> None:
    expected = msgspec.structs.replace(
        evaluated,
        day=20461,
        score_micro=changed.score_micro,
        level=changed.level,
        public_level=changed.public_level,
    )
    snapshots.given(evaluated).when(changed).then(expected)


def test_an_older_evaluation_comes_too_late() -> None:
    snapshots.given(evaluated).when(replace(evaluate, day=20447, score_micro=1)).then_nothing()


def test_what_else_happens_to_an_account_is_no_evaluation() -> None:
    opened = AccountOpened(
        account_kind="SELLER", seller_id="S1", policy_version="p1", opened_at=NOW, balance=100
    )
    snapshots.given(evaluated, opened).when(next_week).then_nothing()
    snapshots.given(opened).when(evaluate).then(evaluated)
