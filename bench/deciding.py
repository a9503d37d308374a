"""What is decided most often in, the processor time of each out (`python -m bench.deciding`).

Microseconds of `decide` alone, on a state that is folded already: the least of many rounds, as a
busy machine only adds to it. `python -m bench.deciding f7eaeb3` does so beside that revision, the
first in which all commands were rows: in turn, each in a process of its own.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from review_service.domain.evaluation_state import Evaluation
from review_service.domain.rules import EVALUATIONS, EvaluationCommand
from review_service.testing.histories import (
    by_buyer,
    by_seller,
    edit,
    flag,
    reply,
    restrict,
    start,
)
from shared_runtime.decider import Refused
from shared_runtime.testing import play

ROUNDS = 25
DECISIONS = 400
TURNS = 6
REPOSITORY = Path(__file__).parents[1]

OPEN = play(EVALUATIONS, [start]).state
REVEALED = play(EVALUATIONS, [start, by_buyer, by_seller]).state
DECIDED: Mapping[str, tuple[Evaluation, EvaluationCommand]] = {
    "SubmitReview": (OPEN, by_buyer),
    "PublishReply": (REVEALED, reply),
    "FlagReview": (REVEALED, flag),
    "RestrictReview": (REVEALED, restrict),
    "EditReply, refused for its state": (REVEALED, edit),
}


def decide(state: Evaluation, command: EvaluationCommand) -> bool:
    """Whether it is taken."""
    try:
        EVALUATIONS.decide(state, command)
    except Refused:
        return False
    return True


def microseconds(state: Evaluation, command: EvaluationCommand) -> float:
    took: list[int] = []
    for _ in range(ROUNDS):
        began = time.process_time_ns()
        for _ in range(DECISIONS):
            decide(state, command)
        took.append(time.process_time_ns() - began)
    return min(took) / DECISIONS / 1000


def measured() -> dict[str, float]:
    return {name: microseconds(*decided) for name, decided in DECIDED.items()}


def measured_of(tree: Path) -> dict[str, float]:
    """The same by the sources of another tree: what they are tried on is theirs, too."""
    sources = [*map(str, sorted(tree.glob("*/*/src")))]
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-P", __file__, "--json"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sources)},
        stdout=subprocess.PIPE,
        check=True,
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told


def compare(revision: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        then = Path(folder)
        packed = subprocess.run(  # noqa: S603 - our own repository
            ["git", "archive", revision, "shared", "services"],  # noqa: S607
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            check=True,
        )
        subprocess.run(["tar", "-x"], cwd=then, input=packed.stdout, check=True)  # noqa: S607
        turns = [(measured_of(REPOSITORY), measured_of(then)) for _ in range(TURNS)]
    for name in DECIDED:
        now, before = (min(turn[tree][name] for turn in turns) for tree in (0, 1))
        print(f"{name:34} {now:8.1f} µs, {before:8.1f} µs then: {now / before:.2f}")


def main(revision: str | None = None) -> None:
    if revision == "--json":
        print(json.dumps(measured()))
    elif revision:
        compare(revision)
    else:
        for name, took in measured().items():
            print(f"{name:34} {took:8.1f} µs")


if __name__ == "__main__":
    main(*sys.argv[1:])
