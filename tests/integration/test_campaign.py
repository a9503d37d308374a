"""Twenty short histories under faults, each by its seed: `make campaign` runs a thousand that are
twice as long.
"""

from collections.abc import Iterator

import httpx
import pytest
from local_stack.campaign import KINDS, Break, Import, Place, Race, plan_of, run, what_to_repeat
from local_stack.oracle import check_log
from local_stack.servers import Servers
from local_stack.services import Stack, ephemeral_stack

SEEDS = range(1, 21)
STEPS = 7


@pytest.fixture(scope="module")
def shaken(own_servers: Servers) -> Iterator[Stack]:
    """A stack that is treated badly; each run leaves it running."""
    with ephemeral_stack(on=own_servers) as started:
        yield started


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_that_was_acknowledged_is_missing_and_nothing_is_there_twice(
    shaken: Stack, seed: int
) -> None:
    """I1, I3, I4, I10: whatever is killed, frozen or stopped meanwhile."""
    run(shaken, seed, STEPS)


def test_what_was_acknowledged_and_is_not_there_is_noticed(shaken: Stack) -> None:
    with pytest.raises(AssertionError):
        check_log(shaken, {"never-placed"})


def test_a_seed_makes_the_same_plan() -> None:
    assert plan_of(7) == plan_of(7) != plan_of(8)
    steps = {type(step) for seed in range(20) for step in plan_of(seed)}
    assert steps == {Place, Import, Race, Break}


def test_every_fault_comes_in_the_histories_of_the_suite() -> None:
    planned = [step for seed in SEEDS for step in plan_of(seed, STEPS)]
    assert {step.fault for step in planned if isinstance(step, Break)} == set(KINDS)


def test_a_shorter_run_is_the_beginning_of_a_longer_one() -> None:
    assert plan_of(7, STEPS) == plan_of(7)[:STEPS]


@pytest.mark.parametrize("found", [AssertionError("twice there"), httpx.ReadTimeout("late")])
def test_whatever_ends_a_run_is_told_with_its_seed_and_its_plan(found: Exception) -> None:
    told = what_to_repeat(7, STEPS, found)
    assert str(found) in told
    assert "--seed 7 --steps 7" in told
    assert told.endswith("".join(f"  {step}\n" for step in plan_of(7, STEPS)))
