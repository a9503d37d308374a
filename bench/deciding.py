"""What is decided most often in, the processor time of each out (`python -m bench.deciding`).

Microseconds of `decide` alone, on a state that is folded already: the least of many rounds, as a
busy machine only adds to it.
"""

import time
from collections.abc import Mapping

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


def main() -> None:
    for name, (state, command) in DECIDED.items():
        print(f"{name:34} {microseconds(state, command):8.1f} µs")


if __name__ == "__main__":
    main()
