"""The streams of one order in memory, and what is known when something is decided on them."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, cast
from uuid import UUID

from msgspec import Struct
from shared_casework.order_facts import OrderFacts
from shared_events.envelope import Recorded
from shared_runtime.decider import Actor, Refused
from shared_runtime.log import Ask, Decisions, event_id_of
from shared_runtime.rule import By, Sent

from returns_service.dispute_rows import DisputeRow
from returns_service.domain.known import Known
from returns_service.domain.ledger_rules import LEDGERS
from returns_service.domain.ledger_state import Ledger
from returns_service.domain.opening import OpenLedger
from returns_service.domain.policy import policies
from returns_service.domain.return_rules import RETURNS
from returns_service.domain.return_state import Return
from returns_service.domain.streams import is_return, ledger_stream, return_stream
from returns_service.facts import FactsOf
from returns_service.ledger_rows import LedgerRow
from returns_service.return_rows import Happened, ReturnRow, row_of
from returns_service.testing import SYSTEM, at

POLICIES = policies()
ORDER_ID = "O1"
LEDGER = ledger_stream(ORDER_ID)


@dataclass(kw_only=True)
class OrderLog:
    """`watch`: is told at once of what was recorded. `ledger_seen`: what is known of the ledger
    where returns are decided on, after so many of its events (`folded`).
    """

    order: OrderFacts
    rng: Random
    now: datetime = field(default_factory=lambda: at(1))
    watch: Callable[[Sequence[Recorded[Any]]], None] = lambda _: None
    streams: dict[str, list[Recorded[Any]]] = field(default_factory=lambda: defaultdict(list))
    states: dict[str, Any] = field(default_factory=dict[str, Any])
    rows: dict[str, ReturnRow] = field(default_factory=dict[str, ReturnRow])
    disputes: dict[str, DisputeRow] = field(default_factory=dict[str, DisputeRow])
    ledger_seen: LedgerRow | None = None
    folded: int = 0
    recorded_ids: set[str] = field(default_factory=set[str])

    # --- What the service's own code reads and decides on

    def history(self, stream: str) -> Sequence[Recorded[Any]]:
        return self.streams.get(stream, ())

    def events(self, stream: str) -> list[Any]:
        return [recorded.event for recorded in self.history(stream)]

    def state(self, decider: Any, stream: str) -> Any:  # noqa: ANN401 - as the log's own
        return self.states.get(stream, decider.initial)

    def decide(self, decider: Any, ask: Ask[Any]) -> list[Any]:  # noqa: ANN401
        """As the log does it: in the time of the stream, with ids that follow from the cause.

        Raises `Refused`.
        """
        history = self.streams[ask.stream]
        command = ask.command
        if history and command.now < history[-1].time:
            command = command.at(history[-1].time)
        state = self.state(decider, ask.stream)
        events: list[Any] = decider.decide(state, command)
        told: list[Recorded[Any]] = []
        for number, event in enumerate(events):
            state = decider.evolve(state, event)
            told.append(self._recorded(ask, number, event, command))
        if told:
            # Nothing can come of a cause twice: to the log it would be the same event.
            assert told[0].event_id not in self.recorded_ids
            self.recorded_ids.update(each.event_id for each in told)
            history += told
            self.states[ask.stream] = state
            if is_return(ask.stream):
                row = row_of([Happened(each.event, each.time) for each in history])
                self.rows[row.return_id] = row
            self.watch(told)
        return events

    def _recorded(self, ask: Ask[Any], number: int, event: Any, command: Any) -> Recorded[Any]:  # noqa: ANN401
        return Recorded(
            topic="returns",
            partition=0,
            position=0,
            event_id=event_id_of(ask, number),
            stream=ask.stream,
            version=len(self.streams[ask.stream]) + number + 1,
            type=type(event).__name__,
            time=command.now,
            recorded_at=self.now,
            key=ask.stream,
            actor=str(command.actor),
            correlation_id=ask.correlation,
            causation_id=ask.cause,
            event=event,
        )

    @property
    def decisions(self) -> Decisions:
        """The same to whoever decides: nothing of a transaction is needed here."""
        return cast("Decisions", self)

    # --- Facts

    @property
    def facts(self) -> FactsOf:
        return FactsOf(
            order=self.order,
            returns=tuple(
                sorted(self.rows.values(), key=lambda row: (row.began_at, row.return_id))
            ),
            disputes=tuple(self.disputes.values()),
            ledger=self.ledger_seen,
        )

    def known(self, return_id: str = "", now: datetime | None = None) -> Known:
        history = self.history(return_stream(return_id)) if return_id else ()
        return self.facts.known_of_return(
            now or self.now, POLICIES, return_id=return_id, history=history
        )

    @property
    def ledger(self) -> Ledger | None:
        state = self.states.get(LEDGER)
        return state if isinstance(state, Ledger) else None

    @property
    def returns(self) -> dict[str, Return]:
        return {return_id: self.states[return_stream(return_id)] for return_id in self.rows}

    # --- What people and others say

    def new_id(self) -> str:
        return str(UUID(int=self.rng.getrandbits(128)))

    def to_return(self, return_id: str, said: Struct, actor: Actor) -> list[Any]:
        by = By(actor=actor, now=self.now, known=self.known(return_id))
        return self.said(RETURNS, return_stream(return_id), Sent(said, by))

    def to_ledger(self, said: Struct, actor: Actor) -> list[Any]:
        by = By(actor=actor, now=self.now, known=self.facts.known(POLICIES))
        return self.said(LEDGERS, LEDGER, Sent(said, by))

    def said(self, decider: Any, stream: str, command: Sent[Any, Known]) -> list[Any]:  # noqa: ANN401
        """A refusal is an answer too."""
        ask = Ask(stream=stream, command=command, cause=self.new_id(), correlation=ORDER_ID)
        with suppress(Refused):
            return self.decide(decider, ask)
        return []

    def open_ledger(self) -> None:
        self.to_ledger(OpenLedger(), SYSTEM)
