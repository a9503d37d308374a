"""Every event that scores and points follow from in, every account at any instant out: the fold
of an auditor.

It holds all of them and forgets nothing; the service keeps tables instead, which say the same.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any, cast

from msgspec import Struct
from shared_events.dispute import DisputeClosed, DisputeOpened, InquiryClosed
from shared_events.envelope import Recorded
from shared_events.orders import OrderCompleted, OrderReopened
from shared_events.reputation import (
    ConductAssessed,
    PenaltyApplied,
    PenaltyReversed,
    ProtectionGranted,
)
from shared_events.returns import ReturnClosed
from shared_events.review import ReviewWeighted
from shared_events.score_policies import (
    ScorePolicyActivated,
    ScorePolicyDrafted,
    ScorePolicyEvent,
    ScorePolicyFact,
    ScorePolicyTrialBegun,
    ScorePolicyTrialEnded,
)

from reputation_service.domain.account import ScoredAccount
from reputation_service.domain.audited import FOLDED, AuditedAccount, audited
from reputation_service.domain.credits import grant_of, lot_of
from reputation_service.domain.fold import BucketState, Facts, fold
from reputation_service.domain.level import CreditLot, Grant, instants_read
from reputation_service.domain.observations import observe
from reputation_service.domain.points_policy import Policies
from reputation_service.domain.policy import PolicyAt, ScorePolicy, SlaRules
from reputation_service.domain.policy_book import PolicyBook, evolve

OBSERVED: tuple[type[Struct], ...] = (
    *(ReviewWeighted, OrderCompleted, OrderReopened),
    *(DisputeOpened, DisputeClosed, InquiryClosed, ReturnClosed),
)
"""What brings observations."""
CREDITED: tuple[type[Struct], ...] = (
    *(PenaltyApplied, PenaltyReversed, ConductAssessed, ProtectionGranted),
)
"""What brings points and protections."""
RULED: tuple[type[Struct], ...] = (
    *(ScorePolicyDrafted, ScorePolicyTrialBegun, ScorePolicyTrialEnded, ScorePolicyActivated),
)
"""What says how scores are read."""


class Replayed:
    """What is known from events that came in any order, as often as they came."""

    def __init__(self, sla: SlaRules) -> None:
        self.facts = Facts()
        self._sla = sla
        self._lots: dict[str, dict[tuple[str, int], CreditLot]] = {}
        self._grants: dict[str, dict[str, Grant]] = {}
        self._of_policies: dict[int, ScorePolicyEvent] = {}
        self._histories: dict[str, dict[int, Recorded[Any]]] = {}

    def take(self, recorded: Recorded[Any]) -> None:
        """Raises ConflictingFact."""
        if isinstance(recorded.event, FOLDED):
            self._histories.setdefault(recorded.stream, {})[recorded.version] = recorded
        if isinstance(recorded.event, ScorePolicyFact):
            self._of_policies[recorded.version] = cast("ScorePolicyEvent", recorded.event)
        elif isinstance(recorded.event, CREDITED):
            if lot := lot_of(recorded):
                self._lots.setdefault(recorded.key, {})[lot.entity_id, lot.version] = lot
            if grant := grant_of(recorded):
                self._grants.setdefault(recorded.key, {})[grant.entity_id] = grant
        else:
            self.facts.extend(observe(recorded, self._sla))

    def audited(self, as_of: datetime, policies: Policies) -> Iterator[AuditedAccount]:
        """Every account that was opened by an instant. Raises BrokenHistory."""
        for stream, events in self._histories.items():
            history = [event for _, event in sorted(events.items(), key=itemgetter(0))]
            if found := audited(stream, history, as_of, policies):
                yield found

    def policy_at(self, base: ScorePolicy) -> PolicyAt:
        """The policies that were activated; `base` holds until the first of them begins."""
        book = PolicyBook()
        for _, event in sorted(self._of_policies.items(), key=itemgetter(0)):
            book = evolve(book, event)
        return lambda instant: book.policy_at(instant, base)

    def accounts(self, as_of: int, base: ScorePolicy) -> Iterator[ScoredAccount]:
        """Everyone of whom something counts at an instant."""
        policy_at = self.policy_at(base)

        @cache
        def state(at: int) -> BucketState:
            return fold(self.facts.in_force(at))

        for seller_id in state(as_of):
            grants = [*self._grants.get(seller_id, {}).values()]
            instants = {as_of, *instants_read(as_of, grants, policy_at)}
            yield ScoredAccount(
                seller_id=seller_id,
                as_of=as_of,
                buckets_at={at: state(at).get(seller_id, {}) for at in instants},
                policy_at=policy_at,
                lots=[*self._lots.get(seller_id, {}).values()],
                grants=grants,
            )
