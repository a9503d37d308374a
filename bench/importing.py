"""How long it takes until a real marketplace's history is in the scores of its sellers."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
from local_stack.services import ephemeral_stack

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "olist"
SECONDS_MAX = 45.0


@dataclass(frozen=True, slots=True)
class Imported:
    """Seconds from the first byte that is sent; None where the history is not there to be sent."""

    orders: int = 0
    scored: float | None = None
    ranked: float = 0.0

    @property
    def holds(self) -> bool | None:
        return None if self.scored is None else self.scored <= SECONDS_MAX

    def line(self) -> str:
        if self.scored is None:
            return f"A real marketplace's history: not measured, there is no {FOLDER.name} here"
        return (
            f"{self.orders:,} orders of a real marketplace, until the last score is final: "
            f"{self.scored:.1f} s; until all sellers are ranked: {self.ranked:.1f} s "
            f"(<= {SECONDS_MAX:g} s) {'holds' if self.holds else 'MISSED'}"
        )


def measure() -> Imported:
    """By the command that an operator would use."""
    if not FOLDER.is_dir():
        return Imported()
    with ephemeral_stack() as stack:
        done = subprocess.run(  # noqa: S603 - our own program
            [Path(sys.executable).with_name("aftersales"), "import", "olist", FOLDER, "--json"],
            env=stack.environment(),
            stdout=subprocess.PIPE,
            check=True,
        )
    told = msgspec.json.decode(done.stdout)
    seconds = told["seconds"]
    return Imported(
        orders=told["orders"]["sent"],
        scored=seconds["until_last_score_final"],
        ranked=seconds["until_all_sellers_ranked"],
    )
