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
RETURNS = "services/returns-service/src/returns_service"
OF_RETURNS = "services/returns-service/tests"
DISPUTES = "services/dispute-service/src/dispute_service"
OF_DISPUTES = "services/dispute-service/tests"
REPUTATION = "services/reputation-service/src/reputation_service"
OF_REPUTATION = "services/reputation-service/tests"
CASEWORK = "shared/casework/src/shared_casework"
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
        "I3",
        "a relay that was frozen sends nothing before it knows what is its own",
        f"{RUNTIME}/relay.py",
        "        if not self._is_ours():",
        "        if self._is_ours is None:",
        f"{TESTS}/test_relay.py",
    ),
    Broken(
        "I3",
        "what found no room behind what was sent is not taken for sent",
        f"{RUNTIME}/relay.py",
        "            if sending.is_there() and sending.last < group[-1].position:",
        "            if sending.last < group[0].position:",
        f"{TESTS}/test_relay.py",
    ),
    Broken(
        "I3",
        "what is not compared with the log is sent nothing",
        f"{RUNTIME}/subscription.py",
        '        for place in self.silent | unasked:\n            self._hold(place, "silent")\n',
        "",
        f"{TESTS}/test_lineage.py",
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
        "I4",
        "a cursor is moved by whoever has the lease of its partitions",
        f"{RUNTIME}/subscription.py",
        "          AND cursor.lease_epoch = step.lease_epoch\n",
        "",
        f"{TESTS}/test_ownership.py",
    ),
    Broken(
        "I4",
        "whoever takes partitions over makes their cursors his",
        f"{RUNTIME}/subscription.py",
        "            await claim(self.pool, self.subscription.name, self.owned)\n",
        "",
        f"{TESTS}/test_ownership.py",
    ),
    Broken(
        "I4",
        "after an answer that never came a broker is told of all partitions again",
        f"{RUNTIME}/fetching.py",
        "            session.begin_anew()\n            raise",
        "            raise",
        f"{TESTS}/test_fetching.py",
    ),
    Broken(
        "I4",
        "what is held is held again when a group gives its partitions anew",
        f"{RUNTIME}/sources.py",
        "        self._paused = None  # what its consumer was just given is read, held or not\n",
        "",
        f"{TESTS}/test_subscription.py",
    ),
    Broken(
        "I10",
        "before a refusal is told, the answer of the first of equal requests is looked for",
        f"{RUNTIME}/commands.py",
        "            if twin := await self._twin(request):\n                return twin\n",
        "",
        f"{TESTS}/test_idempotency.py",
    ),
    Broken(
        "I13",
        "what takes too long is gone on with beside the others",
        f"{RUNTIME}/subscription.py",
        "        if batch is None:\n            return False",
        "        if batch or not batch:\n            return False",
        f"{TESTS}/test_ownership.py",
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
        "I4",
        "what a topic has lost is read from its source",
        f"{RUNTIME}/sources.py",
        "        if has_it:\n            self._healing[place] = beyond",
        "        if not has_it:\n            self._healing[place] = beyond",
        f"{TESTS}/test_log_feed.py",
    ),
    Broken(
        "I4",
        "a topic that has nothing left is looked for at its source",
        f"{RUNTIME}/sources.py",
        "            is_empty = begin == end > 0",
        "            is_empty = begin == end < 0",
        f"{TESTS}/test_log_feed.py",
    ),
    Broken(
        "I12",
        "what is opened to tell its language is opened under the lock that forgetting waits for",
        f"{REVIEWS}/projections/review_languages.py",
        "    await db.execute(BEFORE_OPENING)",
        "    ",
        f"{OF_REVIEWS}/test_languages.py",
    ),
    Broken(
        "I15",
        "what is in no log is brought into tables that are built again",
        f"{RUNTIME}/projections.py",
        "    await rebuilding.projection.beside(db)",
        "    ",
        f"{OF_REVIEWS}/test_votes.py",
    ),
    Broken(
        "I12",
        "what people wrote waits where a topic keeps it for longer than their keys are kept",
        f"{REVIEWS}/bulk/feed.py",
        "            await keeping.check(topic)",
        "            pass",
        f"{OF_REVIEWS}/test_feed.py",
    ),
    Broken(
        "I12",
        "logs are read by consumers and auditors alone",
        f"{RUNTIME}/log_api.py",
        'require("CONSUMER", "AUDITOR")',
        'require("CONSUMER", "AUDITOR", "SYSTEM")',
        f"{TESTS}/test_log_feed.py",
    ),
    Broken(
        "I9",
        "a log is compared with what its topic ends with before more of it is sent",
        f"{RUNTIME}/lineage.py",
        "    if found.chain_hash != end.last.chain_hash:",
        "    if end.last.chain_hash is None:",
        f"{TESTS}/test_lineage.py",
    ),
    Broken(
        "I9",
        "a newer history that parts before our cursor is no continuation of ours",
        f"{RUNTIME}/subscription.py",
        "        if epoch.id > newest and cursor.position > epoch.since:",
        "        if epoch.id > newest and cursor.position < 0:",
        f"{TESTS}/test_lineage.py",
    ),
    Broken(
        "I3",
        "a topic that was made anew under its relay is noticed",
        f"{RUNTIME}/relay.py",
        "    if 0 <= acknowledged.offset < first - 1:",
        "    if acknowledged.offset is None:",
        f"{TESTS}/test_lineage.py",
    ),
    Broken(
        "I3",
        "who looks at a topic while Kafka goes away does not end as cancelled",
        f"{RUNTIME}/sources.py",
        "    consumer = Consumer(\n",
        "    consumer = AIOKafkaConsumer(\n",
        f"{TESTS}/test_relay.py",
    ),
    Broken(
        "I3",
        "a loop that nobody has cancelled is begun again",
        f"{RUNTIME}/worker.py",
        "        except (Exception, asyncio.CancelledError) as failure:",
        "        except Exception as failure:",
        f"{TESTS}/test_worker.py",
    ),
    Broken(
        "I4",
        "a reader that asks Kafka for nothing any more joins its group anew",
        f"{RUNTIME}/sources.py",
        "        if has_all and not consumer.has_failed:",
        "        if has_all:",
        f"{TESTS}/test_subscription.py",
    ),
    Broken(
        "I9",
        "what is written with events comes back with them after a restore",
        f"{RUNTIME}/recovery.py",
        "    await beside(deliveries, db)\n",
        "",
        f"{TESTS}/test_lineage.py",
    ),
    Broken(
        "I9",
        "another record where a feed was read up to is no continuation of it",
        f"{RUNTIME}/subscription.py",
        "or cursor.chain_hash not in {NO_CHAIN, delivery.leaf}:",
        "or not delivery.leaf:",
        f"{TESTS}/test_lineage.py",
    ),
    Broken(
        "I9",
        "what a history has that is over is not waited for",
        f"{RUNTIME}/lineage.py",
        "        return epoch.id > cursor.epoch and cursor.position > epoch.since\n",
        "        return False\n",
        f"{TESTS}/test_lineage.py",
    ),
    Broken(
        "I15",
        "a worker writes only into tables of the version that it knows",
        f"{RUNTIME}/delivery.py",
        "    WHERE name = $2 AND generation = $3 AND version = $4 FOR SHARE",
        "    WHERE name = $2 AND generation = $3 AND $4 = $4 FOR SHARE",
        f"{TESTS}/test_projections.py",
    ),
    Broken(
        "I15",
        "a topic that the live tables do not read is read before the switch",
        f"{RUNTIME}/projections.py",
        "    return tuple(topic for topic in projection.topics if read and topic not in read)",
        "    return tuple(topic for topic in projection.topics if not read)",
        f"{TESTS}/test_projections.py",
    ),
    Broken(
        "I13",
        "what alone takes too long is set aside",
        f"{RUNTIME}/subscription.py",
        "        return times >= POISON_ATTEMPTS",
        "        return times < 0",
        f"{TESTS}/test_parking.py",
    ),
    Broken(
        "I13",
        "what waits is kept, whatever its source still has",
        f"{RUNTIME}/parking.py",
        '        if row["body"] is not None\n    ]',
        '        if row["body"] is None\n    ]',
        f"{TESTS}/test_parking.py",
    ),
    Broken(
        "I14",
        "timers that fail are in front of nobody",
        f"{RUNTIME}/timers.py",
        "    WHERE coalesce(retry_at, due_at) <= $1 AND retry_at IS NULL",
        "    WHERE coalesce(retry_at, due_at) <= $1",
        f"{TESTS}/test_timers.py",
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
        "I10",
        "who is refused among others takes none of them with him",
        f"{RUNTIME}/committing.py",
        "    except (Refused, StreamsUnreadable) as refused:\n        return refused",
        "    except (Refused, StreamsUnreadable):\n        raise",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I10",
        "who breaks a batch breaks it for himself alone",
        f"{RUNTIME}/together.py",
        "                if is_told or _is_of_all(failure):",
        "                if some:",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I10",
        "the answers of all that were decided together are kept",
        f"{RUNTIME}/committing.py",
        "    recorded = await decisions.append(replies)",
        "    recorded = await decisions.append(replies[:1])",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I10",
        "the answers of a batch are kept by the statement that appends its events",
        f"{RUNTIME}/log.py",
        "            row = await self._db.fetchrow(\n"
        "                APPEND_TOGETHER,\n"
        "                now,\n"
        "                *_arrays(columns),\n",
        "            kept = (*_kept(), self._skew_max)\n"
        "            row = await self._db.fetchrow(APPEND, now, *_arrays(columns), *form, *kept)\n"
        "            await self._db.fetchrow(\n"
        "                APPEND_TOGETHER,\n"
        "                now,\n"
        "                *_arrays([[]] * len(columns)),\n",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I10",
        "of several answers each names its own events",
        f"{RUNTIME}/sql/together.sql",
        "SELECT array_position(p_event_id, told.event_id) AS at",
        "SELECT 1 AS at",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I10",
        "what is written beside a batch is of its transaction",
        f"{RUNTIME}/committing.py",
        "        async with self._log.session() if plain else self._log.transaction() as session:",
        "        async with self._log.session() if plain or members else plain as session:",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I10",
        "who goes away takes nobody's answer with him",
        f"{RUNTIME}/together.py",
        "    if waiting.answer.done():\n        return",
        "    if waiting.answer.cancelled() and not waiting.answer.done():\n        return",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I2",
        "those who lose a race together are decided again, each by himself",
        f"{RUNTIME}/together.py",
        "                    self._do_alone(each)",
        "                    _tell(each, failure)",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I2",
        "and on what has happened, not on what was read before",
        f"{RUNTIME}/committing.py",
        "    recorded = await decisions.append(replies)",
        "    from shared_runtime.log import VersionConflict\n"
        "    try:\n"
        "        recorded = await decisions.append(replies)\n"
        "    except VersionConflict:\n"
        "        there = await log.read(list(decisions._known))\n"
        "        for n, each in enumerate(decisions.planned):\n"
        "            version = each.version - len(decisions.history(each.stream))\n"
        "            version += len(there.get(each.stream, ()))\n"
        "            decisions.planned[n] = structs.replace(each, version=version)\n"
        "        recorded = await decisions.append(replies)",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I2",
        "what is decided under locks is read when they are had",
        f"{RUNTIME}/committing.py",
        "    await take_locks(members, log)\n"
        "    decisions = Decisions(log)\n"
        "    await decisions.read(member.ask.stream for member in members)\n"
        "    asks = await asked(members, decisions)\n",
        "    decisions = Decisions(log)\n"
        "    await decisions.read(member.ask.stream for member in members)\n"
        "    asks = await asked(members, decisions)\n"
        "    await take_locks(members, log)\n",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I2",
        "a version that was seen is compared with what those before have left",
        f"{RUNTIME}/log.py",
        "version_of(decisions.events(ask.stream))",
        "version_of([each.event for each in decisions.history(ask.stream)])",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I2",
        "who rehearses waits for those before him",
        f"{RUNTIME}/commands.py",
        "self._rehearse(decider, ask, version_of, under_lock)",
        "self._rehearse(decider, ask, version_of, None)",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I10",
        "a rehearsal leaves nothing",
        f"{RUNTIME}/commands.py",
        "        if request.validate_only:\n",
        "        if False:\n",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I10",
        "who goes away before his turn is not done",
        f"{RUNTIME}/together.py",
        "            if each.answer.done():\n                continue",
        "            if False:\n                continue",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I2",
        "what is about something that is under way in one lane waits, though another is free",
        f"{RUNTIME}/together.py",
        "        owned = {of for claim in under_way for of in claim.own | claim.shared}",
        "        owned = set[Hashable]()",
        f"{TESTS}/test_together.py",
    ),
    Broken(
        "I2",
        "what a limit across streams is about is not twice in one batch",
        f"{RUNTIME}/committing.py",
        "        own.add((member.under_lock.lock, member.under_lock.key))",
        "        own.add(member.ask.cause)",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I2",
        "a batch takes the locks of its members",
        f"{RUNTIME}/committing.py",
        "    await take_locks(members, log)",
        "    await take_locks([], log)",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I2",
        "no transaction holds locks of two kinds",
        f"{RUNTIME}/committing.py",
        "        if lock not in self._under_lock:",
        "        lock = next(iter(self._under_lock), lock)\n"
        "        if lock not in self._under_lock:",
        f"{TESTS}/test_committing.py",
    ),
    Broken(
        "I10",
        "what is decided together is decided on what those before have left",
        f"{RUNTIME}/committing.py",
        "    return outcome_of(decisions, member.decider, ask.stream)",
        "    told = outcome_of(decisions, member.decider, ask.stream)\n"
        "    decisions._streams.clear()\n"
        "    return told",
        f"{TESTS}/test_committing.py",
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
        "I12",
        "of what others announce only its place waits, not its words",
        f"{RUNTIME}/parking.py",
        "            [None if d.chain_hash is None else d.body for d in deliveries],",
        "            [d.body for d in deliveries],",
        f"{TESTS}/test_subscription.py",
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
        "what waits or was given up is not set aside once more",
        f"{RUNTIME}/parking.py",
        "    ON CONFLICT DO NOTHING\n",
        "",
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
        "what began with a policy that this release does not have is refused for good by nobody",
        f"{RUNTIME}/log.py",
        "            if unknown.policy_version not in self._policies_of(ask.stream):",
        "            if True:",
        f"{OF_REVIEWS}/test_feed.py",
    ),
    Broken(
        "I13",
        "what began with a policy that this release does not have is not there for now",
        f"{RUNTIME}/http.py",
        "    if request.method in READS and isinstance(error, PolicyUnknown):",
        "    if False:",
        f"{TESTS}/test_http.py",
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
        "I13",
        "what only a newer release has is not passed over",
        f"{RUNTIME}/delivery.py",
        "        if self.name not in NAMES:\n"
        "            raise UnknownEventType(self.envelope().type)\n",
        "",
        f"{TESTS}/test_newer_release.py",
    ),
    Broken(
        "I14",
        "a timer that takes long is looked for once",
        f"{RUNTIME}/timers.py",
        "            one_by_one = seconds() >= ends_at",
        "            one_by_one = False",
        f"{TESTS}/test_timers.py",
    ),
    Broken(
        "I14",
        "a timer waits until it is due",
        f"{RUNTIME}/timers.py",
        "    WHERE coalesce(retry_at, due_at) <= $1 AND",
        "    WHERE coalesce(retry_at, due_at) <= $1 + interval '1 year' AND",
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
        "who has a case is told by the database's clock",
        f"{RUNTIME}/service.py",
        "        return await self.log.instant(self.now)",
        "        return self.now()",
        f"{OF_REVIEWS}/test_moderation_queue.py",
    ),
    Broken(
        "I14",
        "a company is asked again by the database's clock",
        f"{RUNTIME}/errands.py",
        "(key, again - ahead)",
        "(key, again)",
        f"{TESTS}/test_errands.py",
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
        "    await rebuilding.catch_up(await read_cursors(db, live))\n",
        "",
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
        "lock=lock_pairs, key",
        "lock=lambda _, db: db.execute('SELECT'), key",
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
        "lock=lock_orders, key",
        "lock=lambda _, db: db.execute('SELECT'), key",
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
        "        await write_matters([each for _, planned in told for each in planned], db)\n",
        "",
        f"{OF_DISPUTES}/test_races.py",
    ),
    Broken(
        "I17",
        "of an order a ledger is opened while nobody looks for it",
        f"{RETURNS}/reactions/from_other_services.py",
        "            await lock_orders({recorded.event.order_id for recorded in told}, db)\n",
        "            pass\n",
        f"{OF_RETURNS}/test_reactions.py",
    ),
    Broken(
        "I17",
        "a remedy looks for its ledger while nobody opens it",
        f"{RETURNS}/reactions/timers.py",
        "        await lock_orders(order_ids, db)\n",
        "",
        f"{OF_RETURNS}/test_reactions.py",
    ),
    Broken(
        "I17",
        "of an order one return is decided on at a time",
        f"{RETURNS}/api/returns.py",
        "lock=lock_orders, key",
        "lock=lambda _, db: db.execute('SELECT'), key",
        f"{OF_RETURNS}/test_returns_api.py",
    ),
    Broken(
        "I17",
        "and so is what a carrier tells of one",
        f"{RETURNS}/connectors/parcels.py",
        "            await lock_orders(order_ids, db)\n",
        "",
        f"{OF_RETURNS}/test_parcels.py",
    ),
    Broken(
        "I17",
        "cases of one person are opened one at a time",
        f"{REPUTATION}/api/matters.py",
        "lock=lock_people, key",
        "lock=lambda _, db: db.execute('SELECT'), key",
        f"{OF_REPUTATION}/test_points_api.py",
    ),
    Broken(
        "I17",
        "and so are those that other services bring about",
        f"{REPUTATION}/reactions/suspecting.py",
        "    await lock_people(people, db)\n",
        "",
        f"{OF_REPUTATION}/test_points_reactions.py",
    ),
    Broken(
        "locks",
        "locks of pairs are taken in one order",
        f"{REVIEWS}/pairs.py",
        "ORDER BY pair) AS asked",
        ") AS asked",
        f"{OF_REVIEWS}/test_pairs.py",
    ),
    Broken(
        "locks",
        "and so are those of who flags",
        f"{REVIEWS}/facts.py",
        "ORDER BY who) AS asked",
        ") AS asked",
        f"{OF_REVIEWS}/test_reviews_api.py",
    ),
    Broken(
        "locks",
        "an errand is nobody else's while its answer is recorded",
        f"{RUNTIME}/errands.py",
        "AND holder = $3 ORDER BY key FOR UPDATE",
        "AND holder = $3 ORDER BY key",
        f"{TESTS}/test_errands.py",
    ),
    Broken(
        "locks",
        "who takes errands passes over those that another one takes",
        f"{RUNTIME}/errands.py",
        "ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED",
        "ORDER BY due_at LIMIT $4",
        f"{TESTS}/test_errands.py",
    ),
    Broken(
        "locks",
        "of who is on duty one draws at a time",
        f"{DISPUTES}/roster.py",
        "ORDER BY adjudicator_id FOR UPDATE) AS locked",
        "ORDER BY adjudicator_id) AS locked",
        f"{OF_DISPUTES}/test_roster.py",
    ),
    Broken(
        "locks",
        "who comes on duty waits for nobody who draws",
        f"{DISPUTES}/roster.py",
        "\n        FOR UPDATE SKIP LOCKED)",
        ")",
        f"{OF_DISPUTES}/test_roster.py",
    ),
    Broken(
        "locks",
        "a ledger that is opened waits for no remedy that is tried",
        f"{RETURNS}/remedies.py",
        "\n        FOR UPDATE SKIP LOCKED)",
        ")",
        f"{OF_RETURNS}/test_reactions.py",
    ),
    Broken(
        "locks",
        "and those of orders, whose pieces are claimed",
        f"{CASEWORK}/order_locks.py",
        " AS order_id ORDER BY number",
        " AS order_id",
        f"{OF_DISPUTES}/test_races.py",
    ),
    Broken(
        "locks",
        "and those of people",
        f"{REPUTATION}/matters.py",
        " AS person ORDER BY number",
        " AS person",
        f"{OF_REPUTATION}/test_points_reactions.py",
    ),
    Broken(
        "locks",
        "and those of partitions",
        f"{RUNTIME}/rows.py",
        "sorted(set(partitions))",
        "[*partitions]",
        f"{TESTS}/test_rows.py",
    ),
    Broken(
        "I17",
        "flags of one sender are decided one at a time",
        f"{REVIEWS}/api/evaluations.py",
        "lock=lock_flaggers, key",
        "lock=lambda _, db: db.execute('SELECT'), key",
        f"{OF_REVIEWS}/test_reviews_api.py",
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
    Broken(
        "I19",
        "a refund that may have been sent is looked for before it is sent again",
        f"{RETURNS}/connectors/payments.py",
        "    return errand.tries == 1 and refund.attempt == 1 and now - asked_at < KEY_SURE",
        "    return bool(errand and refund and asked_at <= now)",
        f"{OF_RETURNS}/test_payments.py",
    ),
    Broken(
        "I19",
        "a reissue is sent after a look for what it stands in the place of",
        f"{RETURNS}/connectors/payments.py",
        "    return await not_to_be_sent(ledger, refund, port) or await port.send(asked)",
        "    return await port.send(asked)",
        f"{OF_RETURNS}/test_paid_twice.py",
    ),
    Broken(
        "I19",
        "another payment that comes back leaves a refund paid",
        f"{RETURNS}/domain/bouncing.py",
        "    if refund.total_minor == 0 or is_of_another(refund, said):",
        "    if refund.total_minor == 0:",
        f"{OF_RETURNS}/test_paid_twice.py",
    ),
    Broken(
        "I19",
        "whoever takes an errand says so before he sets out",
        f"{RUNTIME}/errands.py",
        "    UPDATE ports.errand SET holder = $3, tries = tries + 1",
        "    UPDATE ports.errand SET holder = $3, tries = 1",
        f"{OF_RETURNS}/test_payments.py",
    ),
    Broken(
        "I20",
        "the signature of a webhook is compared",
        f"{RETURNS}/ports/webhooks.py",
        "        Webhook(secret).verify(body, dict(headers), json_parse=False)",
        '        if not (body and headers.get("webhook-signature")):\n            raise NotTheirs',
        f"{OF_RETURNS}/test_ports.py",
    ),
    Broken(
        "I20",
        "an old signature is none",
        f"{RETURNS}/ports/webhooks.py",
        "        Webhook(secret).verify(body, dict(headers), json_parse=False)",
        "        from datetime import UTC, datetime\n"
        '        at = datetime.fromtimestamp(float(headers["webhook-timestamp"]), UTC)\n'
        '        good = Webhook(secret).sign(headers["webhook-id"], at, body.decode())\n'
        '        if headers["webhook-signature"] != good:\n'
        "            raise NotTheirs",
        f"{OF_RETURNS}/test_ports.py",
    ),
    Broken(
        "I20",
        "the door asks whether a webhook is signed",
        f"{RETURNS}/api/webhooks.py",
        "            raise Unauthenticated from None",
        "            pass",
        f"{OF_RETURNS}/test_payments.py",
    ),
    Broken(
        "I21",
        "a door that does not name a scope refuses a token of one",
        f"{RUNTIME}/auth.py",
        "        if caller.scopes and caller.scopes.isdisjoint(self.scopes):",
        "        if not self.roles:",
        "tests/test_openapi.py",
    ),
    Broken(
        "I21",
        "a token of a scope is good for one order",
        f"{RETURNS}/api/returns.py",
        "        if not caller.reaches(order_id):",
        "        if not order_id:",
        f"{OF_RETURNS}/test_returns_api.py",
    ),
    Broken(
        "I22",
        "each address of a name is looked at",
        f"{RUNTIME}/outside.py",
        "if not found or not all(map(self._reach.may_go_to, found)):",
        "if not found:",
        f"{TESTS}/test_outside.py",
    ),
    Broken(
        "I22",
        "the address that was looked at is connected to",
        f"{RUNTIME}/outside.py",
        "str(address), port, CONNECT_SECONDS_MAX, local_address, socket_options",
        "host, port, CONNECT_SECONDS_MAX, local_address, socket_options",
        f"{TESTS}/test_outside.py",
    ),
    Broken(
        "I22",
        "a subscriber is told what he may read",
        f"{RUNTIME}/webhook_events.py",
        "return [each for each in reads(stream, upto, reader) if each.version not in before]",
        "return [each for each in upto if each.version not in before]",
        f"{TESTS}/test_webhooks.py",
    ),
    Broken(
        "I22",
        "who listens is asked for before an event is passed over",
        f"{RUNTIME}/webhook_events.py",
        "        return not await concerned(records, db)\n",
        "        return records is not db\n",
        f"{TESTS}/test_webhooks.py",
    ),
    Broken(
        "facts",
        "facts of an order are written by one at a time",
        f"{REVIEWS}/fact_rows.py",
        "        await lock_orders(order_ids, db)\n",
        "        list(order_ids)\n",
        f"{OF_REVIEWS}/test_cases_reactions.py",
    ),
    Broken(
        "facts",
        "who looks again waits for the facts of his orders",
        f"{REVIEWS}/fact_rows.py",
        "    await share_orders(order_ids, db)\n",
        "    list(order_ids)\n",
        f"{OF_REVIEWS}/test_cases_reactions.py",
    ),
    Broken(
        "facts",
        "facts that may be about any order keep all others waiting",
        f"{REVIEWS}/reactions/from_other_services.py",
        "of_any_order=of_others",
        "of_any_order=False",
        f"{OF_REVIEWS}/test_cases_reactions.py",
    ),
    Broken(
        "I22",
        "who has a delivery last says what became of it",
        f"{RUNTIME}/webhooks.py",
        "WHERE delivery_id = $1 AND tries = $2 AND leased_until IS NOT NULL",
        "WHERE delivery_id = $1 AND $2::int > 0 AND leased_until IS NOT NULL",
        f"{TESTS}/test_webhooks.py",
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
