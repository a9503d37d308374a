"""The stream of a seller: every command that it knows."""

from typing import Any

from shared_events.reputation import AccountEvent
from shared_runtime.decider import Decider
from shared_runtime.rule import Sent
from shared_runtime.rules import Rules

from reputation_service.domain.snapshot import EVALUATE_SCORE, Snapshot, evolve

RULES = Rules[Snapshot, None, AccountEvent](EVALUATE_SCORE)

type SellerCommand = Sent[Any, None]

SELLERS = Decider[Snapshot, SellerCommand, AccountEvent](
    initial=Snapshot(), decide=RULES.decide, evolve=evolve
)
