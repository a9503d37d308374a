"""What is said of the samples of a soak: what is flat, and what grows."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from msgspec import structs

from bench.flatness import (
    COME_AND_GO,
    DAY,
    MARKS,
    MIB,
    Sample,
    Size,
    judged,
    keep,
    kept,
)
from bench.soak import main

COUNT = 60


def level(of: float, noise: float = 0.0, seed: int = 1) -> Sequence[float]:
    """It comes to that in the first third."""
    chance = random.Random(seed)
    return [
        min(of, of * (3 * at + 3) / COUNT) + chance.uniform(-noise, noise) for at in range(COUNT)
    ]


def leak(sizes: Sequence[float], each: float) -> Sequence[float]:
    """So much more from sample to sample."""
    return [size + each * at for at, size in enumerate(sizes)]


def saw(least: float, most: float, teeth: int) -> Sequence[float]:
    """It comes, and goes at once."""
    of = COUNT // teeth
    return [least + (most - least) * (at % of) / of for at in range(COUNT)]


def sample(
    at: int,
    *,
    memory: Mapping[str, float] | None = None,
    tables: Mapping[str, Size] | None = None,
    late: Mapping[str, float] | None = None,
) -> Sample:
    """One of sixty in thirty minutes, ninety days of which pass."""
    return Sample(
        seconds=30.0 * at,
        turns=30 * at,
        events=2_400 * at,
        memory={**(memory or {})},
        tables={**(tables or {})},
        clock=1.5 * DAY * at,
        late={**(late or {})},
    )


def grown(
    *,
    memory: Sequence[float] = (),
    table: str = "",
    rows: Sequence[float] = (),
    sizes: Sequence[float] = (),
) -> list[str]:
    """What is said to grow. `sizes`: 200 bytes a row, if they are not told."""
    in_bytes = sizes or [200 * each for each in rows]
    samples = [
        sample(
            at,
            memory={"review-worker": memory[at]} if memory else {},
            tables={f"review {table}": Size(int(rows[at]), int(in_bytes[at]))} if table else {},
        )
        for at in range(COUNT)
    ]
    return [f"{found.name} {found.unit}" for found in judged(samples) if found.grows]


def test_memory_that_goes_up_and_down_is_flat() -> None:
    assert not grown(memory=level(80 * MIB, 4 * MIB))
    assert not grown(memory=saw(60 * MIB, 90 * MIB, 12))


def test_memory_that_takes_what_it_needs_and_keeps_it_is_flat() -> None:
    assert not grown(memory=[20 * MIB] * 12 + [80 * MIB] * 48)
    assert not grown(memory=[60 * MIB] * 33 + [70 * MIB] * 27)  # in the middle of what is judged


def test_one_sample_that_is_far_off_is_chance() -> None:
    sizes = [*level(80 * MIB, MIB)]
    sizes[-1] *= 3
    assert not grown(memory=sizes)


@pytest.mark.parametrize("noise", [0.0, MIB])
def test_a_slow_leak_is_found_below_what_is_noise_from_one_sample_to_the_next(noise: float) -> None:
    each = MIB / 5
    assert grown(memory=leak(level(80 * MIB, noise), each)) == ["review-worker MiB"]
    assert grown(memory=leak(saw(60 * MIB, 90 * MIB, 12), each)) == ["review-worker MiB"]


@pytest.mark.parametrize("table", sorted(COME_AND_GO - MARKS))
def test_what_comes_and_goes_is_flat_once_as_much_goes_as_comes(table: str) -> None:
    assert not grown(table=table, rows=level(2_000, 100))
    assert not grown(table=table, rows=saw(0, 2_000, 12))
    assert not grown(table=table, rows=level(5, 5))


def test_what_comes_and_does_not_all_go_is_found() -> None:
    for course in (level(2_000, 100), saw(0, 2_000, 12)):
        told = grown(table="es.reply", rows=leak(course, 100))
        assert told == ["review es.reply rows", "review es.reply MiB"]


def test_what_is_left_after_each_tooth_of_a_saw_is_found_below_its_points() -> None:
    rows = [max(row, 10 * at) for at, row in enumerate(saw(0, 2_000, 12))]
    assert grown(table="es.reply", rows=rows) == ["review es.reply rows"]


def test_a_table_whose_rows_go_and_whose_bytes_stay_grows() -> None:
    assert grown(table="es.reply", rows=[500] * COUNT, sizes=leak([MIB] * COUNT, MIB / 20)) == [
        "review es.reply MiB"
    ]


@pytest.mark.parametrize("table", sorted(MARKS))
def test_marks_come_down(table: str) -> None:
    assert not grown(table=table, rows=saw(0, 300, 12))
    assert grown(table=table, rows=saw(1, 300, 12)) == [f"review {table} rows"]


@pytest.mark.parametrize("table", ["es.event", "scores_g1.fact", "facts.sold", "votes.vote"])
def test_the_log_and_what_is_built_from_it_may_grow_with_it(table: str) -> None:
    in_proportion = [300.0 * at for at in range(COUNT)]
    assert not grown(table=table, rows=in_proportion)
    squared = [5.0 * at * at for at in range(COUNT)]
    assert grown(table=table, rows=squared) == [f"review {table} rows", f"review {table} MiB"]
    wider = [300 * at * (400 + 12.0 * at) for at in range(COUNT)]
    assert grown(table=table, rows=in_proportion, sizes=wider) == [f"review {table} MiB"]


def test_what_comes_later_may_go_on_when_events_become_fewer() -> None:
    """Reviews are shown two weeks after they were written, by a tired machine at half its pace."""
    events = [min(at, 40) * 2_400 + max(0, at - 40) * 1_200 for at in range(COUNT)]
    rows = [events[max(0, at - 10)] / 10 for at in range(COUNT)]
    samples = [
        structs.replace(
            sample(at, tables={"review facts.pair_review": Size(int(rows[at]), 0)}),
            events=events[at],
        )
        for at in range(COUNT)
    ]
    assert not [each for each in judged(samples) if each.grows]


@pytest.mark.parametrize("table", ["es.head", "es.worker", "webhook.endpoint", "nobodys.table"])
def test_all_else_is_level(table: str) -> None:
    """Also what nobody has said of that it grows."""
    assert not grown(table=table, rows=[64] * COUNT)
    assert grown(table=table, rows=leak([64] * COUNT, 1 / 10)) == [f"review {table} rows"]


def test_a_table_that_is_new_is_told() -> None:
    samples = [
        sample(at, tables={f"review scores_g{1 + at // 2}.fact": Size(1, 1)}) for at in range(4)
    ]
    assert [each.name for each in judged(samples) if each.grows] == ["review scores_g2.fact"]


def test_one_row_that_is_forgotten_is_found() -> None:
    """It is a day and a half of the clock from one sample to the next."""
    late = [1.6 * DAY] * COUNT
    assert not stays(late)
    assert stays([*late[:40], *(1.6 * DAY + 1.5 * DAY * at for at in range(20))])


def stays(late: Sequence[float]) -> list[str]:
    samples = [sample(at, late={"review es.reply": late[at]}) for at in range(COUNT)]
    return [each.grows for each in judged(samples) if each.grows]


def test_what_was_seen_is_kept_and_judged_once_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flat, growing = tmp_path / "flat", tmp_path / "growing"
    for at in range(COUNT):
        keep(sample(at, tables={"review es.head": Size(64, 64)}), flat)
        keep(sample(at, tables={"review es.head": Size(64 + at, 64)}), growing)
    assert kept(flat)[1] == sample(1, tables={"review es.head": Size(64, 64)})
    assert main(["--judge", str(flat)]) == 0
    assert "grows" not in capsys.readouterr().out
    assert main(["--judge", str(growing)]) == 1
    assert "grows: review es.head, rows: goes up by 39" in capsys.readouterr().out
