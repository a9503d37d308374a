"""Seeds in, what was found out: several histories at once on one stack, and stack after stack.

How a plan falls together with what the processes do is chance.
"""

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from local_stack.campaign.checks import began, check_histories, check_kafka
from local_stack.campaign.faults import Faults
from local_stack.campaign.history import History
from local_stack.campaign.plan import STEPS, plan_of
from local_stack.campaign.readers import not_read
from local_stack.servers import Servers, ephemeral_servers
from local_stack.services import Stack, doubled, ephemeral_stack

AT_ONCE = 20
"""To settle twenty and to look at what has come of them takes little longer than of ten."""
RUNS_OF_A_STACK = 100
"""What is built anew is the whole log: it is not to grow for ever."""


def run(stack: Stack, seeds: Sequence[int], steps: int = STEPS) -> None:
    """Carries out the plans of seeds, side by side, and checks what has come of them. Raises
    AssertionError.
    """
    faults, since = Faults(stack), began(stack)
    with ExitStack() as closing:
        histories = [
            closing.enter_context(contextlib.closing(History(stack, faults, seed, steps)))
            for seed in seeds
        ]
        try:
            _side_by_side([each.carry_out for each in histories])
        finally:
            faults.mend()
        _side_by_side([each.settle for each in histories])
    check_histories(stack, histories, since)


def _side_by_side(doing: Sequence[Callable[[], None]]) -> None:
    """All to their ends; raises what the first of them has raised."""
    with ThreadPoolExecutor(len(doing)) as pool:
        for done in [pool.submit(do) for do in doing]:
            done.result()


def what_to_repeat(seeds: Sequence[int], at_once: int, steps: int, found: Exception) -> str:
    """What was found, where, and all that it takes to do the same again: lines of text."""
    where = traceback.format_exception(found) if not isinstance(found, AssertionError) else []
    again = (
        f"python -m local_stack.campaign --seed {seeds[0]} --runs {len(seeds)} "
        f"--at-once {at_once} --steps {steps}"
    )
    plans = (f"  {seed}: {step}\n" for seed in seeds for step in plan_of(seed, steps))
    notes = (f"{note}\n" for note in getattr(found, "__notes__", ()))
    return "".join([*where, f"seed {seeds[0]}: {found}\n", *notes, f"again: {again}\n", *plans])


def main(arguments: Sequence[str]) -> int:
    """Runs so many seeds, each told; the exit code is 1 when one has found something."""
    parser = argparse.ArgumentParser(prog="campaign", description="Histories under faults.")
    parser.add_argument("--seed", type=int, default=1, help="the first; the others follow it")
    parser.add_argument("--runs", type=int, default=1, help="how many seeds")
    parser.add_argument("--steps", type=int, default=STEPS, help="how many steps a run has")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="how many run side by side")
    asked = parser.parse_args(arguments)
    seeds = range(asked.seed, asked.seed + asked.runs)
    found = 0
    # Not durable: what is killed here are processes, and no machine loses its power.
    with ephemeral_servers(durable=False) as servers:
        for first in range(0, len(seeds), RUNS_OF_A_STACK):
            some = seeds[first : first + RUNS_OF_A_STACK]
            found += _run_on_a_stack(servers, some, asked.at_once, asked.steps)
    return 1 if found else 0


def _run_on_a_stack(servers: Servers, seeds: Sequence[int], at_once: int, steps: int) -> int:
    """How many groups of them have found something. Whatever is found ends a stack: the groups that
    are left have another one.
    """
    groups = [seeds[first : first + at_once] for first in range(0, len(seeds), at_once)]
    found = 0
    while groups:
        done: list[int] = []
        suspects: Sequence[int] = []
        try:
            with ephemeral_stack(on=servers) as single, doubled(single) as stack:
                while groups:
                    done.extend(suspects := groups.pop(0))
                    _run_and_tell(stack, suspects, steps)
                suspects = done  # any of them may have left it in Kafka
                check_kafka(stack)
        except Exception as failure:  # noqa: BLE001 - whatever it was, it can be repeated
            sys.stderr.write(what_to_repeat(suspects, at_once, steps, failure))
            sys.stderr.flush()
            found += 1
    return found


def _run_and_tell(stack: Stack, seeds: Sequence[int], steps: int) -> None:
    began_at = time.monotonic()
    try:
        run(stack, seeds, steps)
    except Exception as failure:
        failure.add_note(f"logs of the processes: {_kept_logs(stack)}")
        with contextlib.suppress(Exception):  # whatever was found, that is not to hide it
            failure.add_note(f"not read: {not_read(stack)}")
        raise
    seconds = time.monotonic() - began_at
    each = seconds / len(seeds)
    sys.stdout.write(f"seeds {seeds[0]} to {seeds[-1]}: {seconds:.1f} s, {each:.1f} s each\n")
    sys.stdout.flush()


def _kept_logs(stack: Stack) -> Path:
    """The stack's folder goes with it: the same seeds need not find the same again."""
    kept = Path(tempfile.mkdtemp(prefix="campaign-"))
    return Path(shutil.copytree(stack.description.logs, kept, dirs_exist_ok=True))
