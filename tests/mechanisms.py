"""Every mechanism that keeps a promise, taken away once: does a test of that promise fail?

`make mechanisms` copies the repository, and for each row breaks one line of the copy, runs the
tests of the promise there, and puts the line back. Exit code 0 when a test failed every time;
1 when one broken mechanism went unnoticed, or a line that is to be broken is not there any more.
Names on the command line choose among the rows: `.venv/bin/python tests/mechanisms.py I1 I4`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[1]
RUNTIME = "shared/runtime/src/shared_runtime"
TESTS = "shared/runtime/tests"
REVIEWS = "services/review-service/src/review_service"
OF_REVIEWS = "services/review-service/tests"
DISPUTES = "services/dispute-service/src/dispute_service"
OF_DISPUTES = "services/dispute-service/tests"
SECONDS_MAX = 300
NO_TESTS = 5  # exit code of pytest


class Broken(NamedTuple):
    """A mechanism, the line that it is in, and what is put in its place."""

    promise: str
    mechanism: str
    file: str
    line: str
    instead: str
    tests: str


BROKEN = (
    Broken(
        "I1",
        "heads are locked while positions are given",
        f"{RUNTIME}/sql/0001_log.sql",
        "AND head.partition = item.partition FOR UPDATE;",
        "AND head.partition = item.partition;",
        f"{TESTS}/test_log.py",
    ),
    Broken(
        "I1",
        "positions are dense",
        f"{RUNTIME}/sql/0001_log.sql",
        "newest.position := newest.position + 1;",
        "newest.position := newest.position + 2;",
        f"{TESTS}/test_log.py",
    ),
    Broken(
        "I2",
        "the events of one append keep their order",
        f"{RUNTIME}/sql/0001_log.sql",
        "ORDER BY topic, partition, ord\n    LOOP",
        "ORDER BY topic, partition, ord DESC\n    LOOP",
        f"{TESTS}/test_log.py",
    ),
    Broken(
        "I2",
        "the instant of recording never falls",
        f"{RUNTIME}/sql/0001_log.sql",
        "            stamp := greatest(newest.recorded_at, p_now);",
        "            stamp := p_now;",
        f"{TESTS}/test_log.py",
    ),
    Broken(
        "I3",
        "the cursor moves after the broker has acknowledged",
        f"{RUNTIME}/subscription.py",
        "            fresh = await self._do_before(self.subscription.before, fresh, reached)",
        "            await self._apply(fresh, reached)\n"
        "            await self._do_before(self.subscription.before, fresh, dict(reached))\n"
        "            return len(fresh)",
        f"{TESTS}/test_relay.py",
    ),
    Broken(
        "I4",
        "a cursor moves only from where the batch began",
        f"{RUNTIME}/subscription.py",
        "          AND cursor.partition = step.partition AND cursor.position = step.started_from",
        "          AND cursor.partition = step.partition",
        f"{TESTS}/test_subscription.py",
    ),
    Broken(
        "I7",
        "a writer whose clock is wrong records nothing",
        f"{RUNTIME}/sql/0001_log.sql",
        "    chain bytea;\nBEGIN\n    IF p_now NOT BETWEEN",
        "    chain bytea;\nBEGIN\n    IF false AND p_now NOT BETWEEN",
        f"{TESTS}/test_log.py",
    ),
    Broken(
        "I7",
        "where time is not moved by hand, the clocks of writers are looked at",
        f"{RUNTIME}/service.py",
        "now=now, skew_max=skew_max)",
        "now=now)",
        f"{TESTS}/test_service.py",
    ),
    Broken(
        "I9",
        "the chain of what comes is compared with one's own",
        f"{RUNTIME}/subscription.py",
        "    if not delivery.continues(cursor.chain_hash):\n        raise Forked",
        '    if cursor.chain_hash == b"":\n        raise Forked',
        f"{TESTS}/test_subscription.py",
    ),
    Broken(
        "I9",
        "what another reader has compared is compared with one's own",
        f"{RUNTIME}/delivery.py",
        "        if self._continues == chain_hash:",
        "        if self._continues is not None:",
        f"{TESTS}/test_subscription.py",
    ),
    Broken(
        "I10",
        "the answer is kept with the events",
        f"{RUNTIME}/sql/0001_log.sql",
        "recorded, p_body, leaf, chain);\n    PERFORM set_config('es.appending', '', true);\n"
        "    IF p_request_id IS NOT NULL THEN",
        "recorded, p_body, leaf, chain);\n    PERFORM set_config('es.appending', '', true);\n"
        "    IF false THEN",
        f"{TESTS}/test_idempotency.py",
    ),
    Broken(
        "I11",
        "a read waits for its token",
        f"{RUNTIME}/reading.py",
        "            while await _position(token, position_of) < token.position:",
        "            while await _position(token, position_of) < 0:",
        f"{TESTS}/test_reading.py",
    ),
    Broken(
        "I11",
        "what was set aside is not taken for applied",
        f"{RUNTIME}/reading.py",
        '    if row["waits"]:',
        '    if row["waits"] is None:',
        f"{TESTS}/test_reading.py",
    ),
    Broken(
        "I13",
        "events of a parked key wait behind it",
        f"{RUNTIME}/parking.py",
        "    if not parked:\n        return list(deliveries)",
        "    if True:\n        return list(deliveries)",
        f"{TESTS}/test_parking.py",
    ),
    Broken(
        "I13",
        "what this release cannot judge is set aside",
        f"{RUNTIME}/subscription.py",
        "        if isinstance(refused, PolicyUnknown) and refused.policy_version:\n"
        "            raise\n",
        "",
        f"{TESTS}/test_newer_release.py",
    ),
    Broken(
        "I13",
        "what this release cannot read is set aside",
        f"{RUNTIME}/parking.py",
        "    if isinstance(fault, (AlreadyRecorded, StreamsUnreadable)):",
        "    if isinstance(fault, AlreadyRecorded):",
        f"{TESTS}/test_newer_release.py",
    ),
    Broken(
        "I14",
        "a timer waits until it is due",
        f"{RUNTIME}/timers.py",
        "WHERE due_at <= $1 AND",
        "WHERE due_at <= $1 + interval '1 day' AND",
        f"{TESTS}/test_timers.py",
    ),
    Broken(
        "I14",
        "deadlines are compared with the database's clock",
        f"{RUNTIME}/timers.py",
        "    clock = await own_log.instant(now)",
        "    clock = now()",
        f"{TESTS}/test_timers.py",
    ),
    Broken(
        "I14",
        "a late timer judges as of its due instant",
        f"{RUNTIME}/timers.py",
        "now=clock if late else due",
        "now=clock",
        f"{TESTS}/test_timers.py",
    ),
    Broken(
        "I14",
        "a timer that has fired is taken away",
        f"{RUNTIME}/timers.py",
        "    await db.execute(FIRED,",
        '    await db.fetch("SELECT $1::text[], $2::text[]",',
        f"{TESTS}/test_timers.py",
    ),
    Broken(
        "I15",
        "what came during a rebuild is caught up before the switch",
        f"{RUNTIME}/projections.py",
        "    await _catch_up(runner, source, await read_cursors(db, live))\n    # Tables",
        "    # Tables",
        f"{TESTS}/test_projections.py",
    ),
    Broken(
        "I15",
        "all views are switched in one transaction",
        f"{RUNTIME}/projections.py",
        "owner.acquire() as db, db.transaction():\n                # A reader",
        "owner.acquire() as db:\n                # A reader",
        f"{TESTS}/test_projections.py",
    ),
    Broken(
        "I17",
        "reviews of a pair are decided one at a time",
        f"{REVIEWS}/api/evaluations.py",
        "    await lock_pairs([pair], db)\n",
        "",
        f"{OF_REVIEWS}/test_pairs.py",
    ),
    Broken(
        "I17",
        "and so are those that a deadline reveals",
        f"{REVIEWS}/reactions/timers.py",
        "            await lock_pairs(pairs_revealed(timers, placed), db)\n",
        "            pass\n",
        f"{OF_REVIEWS}/test_pairs.py",
    ),
    Broken(
        "I17",
        "and so are those that come in bulk",
        f"{REVIEWS}/bulk/intake.py",
        "        await lock_pairs(((each.buyer_id, each.seller_id) "
        "for each in parties.values()), db)\n",
        "        pass\n",
        f"{OF_REVIEWS}/test_pairs.py",
    ),
    Broken(
        "I18",
        "what each event tells is for those who may know it",
        f"{REVIEWS}/domain/readers.py",
        "    ReviewScreened: staff,",
        "    ReviewScreened: everybody,",
        f"{OF_REVIEWS}/test_reviews_api.py",
    ),
    Broken(
        "I17",
        "of an order one dispute is opened at a time",
        f"{DISPUTES}/api/matters.py",
        "            await lock_orders([matter.order_id], db)\n",
        "",
        f"{OF_DISPUTES}/test_races.py",
    ),
    Broken(
        "I17",
        "and so is a contest",
        f"{DISPUTES}/reactions/contesting.py",
        "    await lock_orders(order_ids, db)\n",
        "",
        f"{OF_DISPUTES}/test_races.py",
    ),
    Broken(
        "I17",
        "nothing is opened while returns tell of an order",
        f"{DISPUTES}/reactions/from_other_services.py",
        "            await lock_orders({recorded.event.order_id for recorded in told}, db)\n",
        "            pass\n",
        f"{OF_DISPUTES}/test_races.py",
    ),
    Broken(
        "I17",
        "what is opened has its pieces for itself",
        f"{DISPUTES}/api/matters.py",
        "        await write_matters(planned, db)\n",
        "",
        f"{OF_DISPUTES}/test_races.py",
    ),
    Broken(
        "I18",
        "what each event of a dispute tells is for those who may know it",
        f"{DISPUTES}/domain/readers.py",
        "    BlindOfferMade: author,",
        "    BlindOfferMade: everybody,",
        f"{OF_DISPUTES}/test_privacy.py",
    ),
    Broken(
        "I18",
        "a rehearsal tells nothing of the other party",
        f"{DISPUTES}/api/matters.py",
        "        told = [event for event in events if not isinstance(event, hidden)]",
        "        told = events",
        f"{OF_DISPUTES}/test_privacy.py",
    ),
)


def main(names: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="mechanisms-") as folder:
        copy = Path(folder) / "copy"
        _copy(copy)
        noticed = [
            _noticed(copy, broken)
            for broken in BROKEN
            if not names or {broken.promise, broken.mechanism} & set(names)
        ]
    return 0 if all(noticed) else 1


def _noticed(copy: Path, broken: Broken) -> bool:
    file = copy / broken.file
    whole = file.read_text()
    told = f"{broken.promise}  without: {broken.mechanism}"
    if whole.count(broken.line) != 1:
        sys.stdout.write(f"{told}: the line is not there\n")
        return False
    file.write_text(whole.replace(broken.line, broken.instead))
    try:
        said = _tested(copy, broken)
    finally:
        file.write_text(whole)
    sys.stdout.write(f"{told}: {said or 'NOBODY NOTICED'}\n")
    sys.stdout.flush()
    return said is not None


def _tested(copy: Path, broken: Broken) -> str | None:
    """The first test that failed; None if all passed."""
    sources = sorted(map(str, copy.glob("*/*/src"))) + sorted(map(str, copy.glob("*/src")))
    python = REPOSITORY / ".venv/bin/python"
    command: list[str | Path] = [python, "-m", "pytest", "-q", "-x", broken.tests]
    command += ["-k", f"{broken.promise.lower()}_", "-p", "no:cacheprovider"]
    try:
        ran = subprocess.run(  # noqa: S603 - the repository's own tests
            command,
            cwd=copy,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sources)},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {SECONDS_MAX} s"
    assert ran.returncode != NO_TESTS, ran.stdout
    if ran.returncode == 0:
        return None
    failed = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    named = [line for line in failed if "::" in line]  # a log may have lines that begin alike
    return named[0].partition(" - ")[0].rpartition("::")[2] if named else ran.stdout[-200:]


def _copy(to: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, to / name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
