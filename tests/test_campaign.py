"""Twenty short histories under faults, ten at once: `make campaign` has a thousand, and longer.

Its stack is its own, so it is tried beside the tests of tests/integration.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from itertools import batched
from pathlib import Path
from unittest.mock import Mock
from uuid import UUID

import httpx
import pytest
from local_stack.campaign import runs
from local_stack.campaign.asked import ASKED
from local_stack.campaign.checks import (
    began,
    check_commands,
    check_consequences,
    check_kafka,
    check_orders,
)
from local_stack.campaign.faults import WORKERS, Faults
from local_stack.campaign.history import CLIENTS, History, Told
from local_stack.campaign.plan import (
    KINDS,
    PROCESSES,
    STORIES,
    Ask,
    Break,
    Complete,
    Import,
    Place,
    Race,
    plan_of,
)
from local_stack.campaign.readers import not_read, until_all_is_read
from local_stack.campaign.runs import run, what_to_repeat
from local_stack.databases import SERVICES
from local_stack.oracle import ask, check_all_rebuilt, check_log, has_arrived
from local_stack.people import Person, record, until
from local_stack.servers import Servers
from local_stack.services import Stack, doubled, ephemeral_stack
from shared_events.envelope import decode_recorded
from shared_events.orders import OrderPaid

GROUPS = (range(51, 61), range(61, 71))
SEEDS = [seed for group in GROUPS for seed in group]
STEPS = 10
PARKED = """
    INSERT INTO es.parked_key (subscription, topic, partition, key, reason, parked_at)
    VALUES ('relay', 'dispute.events', 3, 'k', 'a test', clock_timestamp())
"""
OWNERS = "SELECT count(DISTINCT owner) AS owners FROM es.lease"
HISTORY = "SELECT topic, partition, position, body FROM es.event WHERE stream_id = $1"


@pytest.fixture(scope="module")
def shaken(own_servers: Servers) -> Iterator[Stack]:
    """A stack that is treated badly; each run leaves it running."""
    with ephemeral_stack(on=own_servers) as started, doubled(started) as twice:
        yield twice


@pytest.mark.parametrize("seeds", GROUPS, ids=["first-ten", "second-ten"])
def test_nothing_that_was_acknowledged_is_missing_and_nothing_is_there_twice(
    shaken: Stack, seeds: range
) -> None:
    """I1, I3, I4, I10: whatever is killed, frozen or stopped meanwhile."""
    run(shaken, seeds, STEPS)


def test_each_of_two_workers_has_its_part(shaken: Stack) -> None:
    """Else nobody would have to take anything over from one that lives."""

    def owners() -> list[int]:
        return [ask(shaken, service, OWNERS)[0]["owners"] for service in SERVICES]

    until(lambda: owners() == [2] * len(SERVICES), "two workers of each service share it")


def test_who_has_not_read_to_the_end_is_named_with_what_is_found(shaken: Stack) -> None:
    until_all_is_read(shaken)
    ask(shaken, "dispute", PARKED)
    (told,) = not_read(shaken)
    assert told.startswith("dispute relay dispute.events/3: ")
    assert told.endswith(", 1 keys parked")
    ask(shaken, "dispute", "DELETE FROM es.parked_key")


def test_a_client_whom_one_api_does_not_answer_asks_the_other_and_leaves_it_frozen(
    shaken: Stack,
) -> None:
    faults = Faults(shaken)
    with closing(History(shaken, faults, seed=0, steps=0)) as history:
        faults.do(Break(fault="freeze", process="review-api"))
        try:
            placed = {history.place(f"told-to-either-{number}") for number in range(3)}
            assert len(placed) == len(history.told) == 3
            assert _is_frozen(shaken.services["review-api"].pid)
        finally:
            faults.mend()
    assert not _is_frozen(shaken.services["review-api"].pid)


def _is_frozen(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_worker_that_is_overtaken_in_the_middle_of_a_batch_goes_on_and_changes_nothing(
    shaken: Stack,
) -> None:
    """I4: what it has read, the other one has applied meanwhile."""
    faults, frozen = Faults(shaken), list[str]()
    with closing(History(shaken, faults, seed=0, steps=0)) as history, ThreadPoolExecutor() as pool:
        lines = tuple(f"overtaken-{number}" for number in range(200))
        history.plan += [
            Import(order_ids=some, reviewed=True) for some in batched(lines, 10, strict=True)
        ]
        placing = pool.submit(history.carry_out)
        while not frozen and not placing.done():
            faults.do(Break(fault="overtake", process="review-api"))
            frozen = [name for name in WORKERS if _is_frozen(shaken.services[name].pid)]
        (caught,) = frozen
        faults.do(Break(fault="thaw", process=caught))
        assert _is_frozen(shaken.services[caught].pid), "it stays so until it is overtaken"
        placing.result()
    faults.mend()
    assert not _is_frozen(shaken.services[caught].pid)
    until_all_is_read(shaken)
    check_all_rebuilt(shaken)


def test_a_request_that_was_refused_may_come_late_and_be_taken_then(shaken: Stack) -> None:
    """It was sent to an API that is frozen, and to the other one then. That is told apart from what
    is done twice.
    """
    faults, since, order_id = Faults(shaken), began(shaken), "told-late"
    with closing(History(shaken, faults, seed=0, steps=0)) as history:
        history.plan[:] = [Complete(order_id=order_id)]
        history.carry_out()
        until(lambda: has_arrived(shaken), "all has arrived")
        history.plan[:] = [
            Break(fault="freeze", process="dispute-api"),
            Ask(order_id=order_id, what="dispute", rivals=True),
            Ask(order_id=order_id, what="withdrawal"),
        ]
        try:
            history.carry_out()
        finally:
            faults.mend()
        history.settle()
    assert history.adrift == {order_id}
    assert history.refused == set()
    # Most come by themselves when the API goes on.
    buyer = Person(shaken, "BUYER", f"buyer-of-{order_id}", "dispute")
    for client in CLIENTS:
        key = {"Idempotency-Key": f"{client}-dispute-{order_id}"}
        buyer.post("/v1/disputes", ASKED["dispute"].told(order_id), **key)
    until_all_is_read(shaken)
    check_consequences(shaken, [history], since)
    history.adrift.clear()
    with pytest.raises(AssertionError, match=r"more than once: .*EvaluationPaused"):
        check_consequences(shaken, [history], since)


def test_what_they_have_left_in_kafka_is_what_is_in_the_logs(shaken: Stack) -> None:
    check_kafka(shaken)


def test_an_order_that_was_acknowledged_and_is_not_there_is_noticed(shaken: Stack) -> None:
    with pytest.raises(AssertionError):
        check_log(shaken, {"never-placed"})


def test_what_the_logs_do_not_agree_with_is_noticed(
    shaken: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that was acknowledged and is not there; one that was refused and is there; and one
    that nothing has come of.
    """
    monkeypatch.setattr("local_stack.people.PATIENCE_SECONDS", 0.0)
    since, order_id, never = began(shaken), "told-of-by-hand", UUID(int=1)
    with closing(History(shaken, Faults(shaken), seed=0, steps=0)) as history:
        placed = history.place(order_id)
    check_commands(shaken, "review", [history], since)
    history.told[never] = Told(service="review", event="OrderPlaced.v1")
    with pytest.raises(AssertionError, match=f"OrderPlaced.v1 of {never}"):
        check_commands(shaken, "review", [history], since)
    del history.told[never]
    history.refused.add(placed)
    with pytest.raises(AssertionError, match="refused, and there"):
        check_commands(shaken, "review", [history], since)
    check_consequences(shaken, [history], since)
    history.done.add((order_id, "acceptance"))
    with pytest.raises(AssertionError, match=r"to come of it: .*told-of-by-hand.*not there"):
        check_consequences(shaken, [history], since)


def test_what_is_told_of_an_order_twice_or_not_at_all_is_noticed(shaken: Stack) -> None:
    """Also what is not told of by two, and what came in bulk."""
    with closing(History(shaken, Faults(shaken), seed=0, steps=0)) as history:
        history.plan += [
            Race(order_id="run-0-raced"),
            Import(order_ids=("run-0-imported",), reviewed=True),
        ]
        history.carry_out()
        until(lambda: has_arrived(shaken), "all has arrived")
        check_orders(shaken, history)
        history.plan.append(Place(order_id="run-0-lost"))
        with pytest.raises(AssertionError, match="run-0-lost"):
            check_orders(shaken, history)
        history.plan.pop()
    for order_id in ("run-0-raced", "run-0-imported"):
        events = [
            decode_recorded(*row) for row in ask(shaken, "review", HISTORY, f"order-{order_id}")
        ]
        (paid,) = [each for each in events if isinstance(each.event, OrderPaid)]
        record(shaken, "review", paid.stream, paid.event, after=len(events))
        with pytest.raises(AssertionError, match=f"so often there.*{order_id}"):
            check_orders(shaken, history)


def test_what_kafka_is_found_to_hold_is_told_of_all_seeds_of_its_stack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also of those that had found nothing."""

    found = AssertionError("not in the log")
    monkeypatch.setattr(runs, "ephemeral_servers", Mock(return_value=nullcontext()))
    monkeypatch.setattr(runs, "ephemeral_stack", Mock(return_value=nullcontext()))
    monkeypatch.setattr(runs, "doubled", Mock(return_value=nullcontext()))
    monkeypatch.setattr(runs, "check_kafka", Mock(side_effect=found))
    monkeypatch.setattr(runs, "run", Mock())
    asked = ["--seed", "7", "--runs", "6", "--at-once", "2", "--steps", "1"]
    assert runs.main(asked) == 1
    assert "--seed 7 --runs 6 --at-once 2" in capsys.readouterr().err


def test_a_seed_makes_the_same_plan() -> None:
    assert plan_of(7) == plan_of(7) != plan_of(8)
    steps = {type(step) for seed in range(20) for step in plan_of(seed)}
    assert steps == {Place, Import, Race, Complete, Ask, Break}


def test_everything_that_may_happen_happens_in_the_histories_of_the_suite() -> None:
    planned = [step for seed in SEEDS for step in plan_of(seed, STEPS)]
    broken = [step for step in planned if isinstance(step, Break)]
    assert {step.fault for step in broken} == set(KINDS)
    asked = {step.what for step in planned if isinstance(step, Ask)}
    assert asked == {what for story in STORIES for what in story}
    assert {step.rivals for step in planned if isinstance(step, Ask)} == {True, False}
    for kind in (Import, Complete):
        assert len({repr(step)[-6:] for step in planned if isinstance(step, kind)}) == 2


@pytest.mark.parametrize("fault", ["kill", "end"])
def test_every_process_is_killed_and_asked_to_end_in_a_campaign(fault: str) -> None:
    planned = [step for seed in range(1, 501) for step in plan_of(seed)]
    broken = {step.process for step in planned if isinstance(step, Break) and step.fault == fault}
    assert broken == set(PROCESSES)


def test_a_shorter_run_is_the_beginning_of_a_longer_one() -> None:
    assert plan_of(7, STEPS) == plan_of(7)[:STEPS]


@pytest.mark.parametrize("found", [AssertionError("twice there"), httpx.ReadTimeout("late")])
def test_whatever_ends_a_run_is_told_with_its_seeds_and_their_plans(found: Exception) -> None:
    found.add_note("logs of the processes: here")
    told = what_to_repeat([7, 8], 2, STEPS, found)
    assert str(found) in told
    assert "logs of the processes: here\n" in told
    assert f"--seed 7 --runs 2 --at-once 2 --steps {STEPS}" in told
    for seed in (7, 8):
        assert "".join(f"  {seed}: {step}\n" for step in plan_of(seed, STEPS)) in told
