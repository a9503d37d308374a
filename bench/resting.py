"""What a stack takes of the processor while nobody asks it anything, Kafka left out."""

import statistics
import time
from dataclasses import dataclass

from local_stack.services import ephemeral_stack

from bench.processor import processor_seconds

SETTLED_SECONDS = 15.0
WINDOWS = 3
WINDOW_SECONDS = 20.0
SHARE_MAX = 0.05
KAFKA = "kafka.Kafka"


@dataclass(frozen=True, slots=True)
class Rested:
    """Of one core, in each window: all but Kafka, and Kafka."""

    shares: list[float]
    kafka: list[float]

    @property
    def share(self) -> float:
        return statistics.median(self.shares)

    @property
    def holds(self) -> bool:
        return self.share <= SHARE_MAX

    def line(self) -> str:
        return (
            f"A stack at rest: {100 * self.share:.1f} % of a core without Kafka "
            f"({', '.join(f'{100 * share:.1f}' for share in self.shares)}), and "
            f"{100 * statistics.median(self.kafka):.1f} % in Kafka (<= {100 * SHARE_MAX:g} %) "
            f"{'holds' if self.holds else 'MISSED'}"
        )


def measure() -> Rested:
    rested = Rested([], [])
    with ephemeral_stack():
        time.sleep(SETTLED_SECONDS)
        for _ in range(WINDOWS):
            all_before, before = processor_seconds(), processor_seconds(but=KAFKA)
            began = time.perf_counter()
            time.sleep(WINDOW_SECONDS)
            took = time.perf_counter() - began
            all_used, used = processor_seconds() - all_before, processor_seconds(but=KAFKA) - before
            rested.shares.append(used / took)
            rested.kafka.append((all_used - used) / took)
    return rested
