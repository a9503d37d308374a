"""Who decides a matter in, a refusal or nothing out: nobody judges what is his own."""

from collections.abc import Container, Iterable

from shared_runtime.decider import ConflictOfInterest

from review_service.domain.commands import (
    DecideModerationAppeal,
    HoldReview,
    KeepReview,
    ReleaseReview,
    RestrictReview,
)
from review_service.domain.guards import accounts_of
from review_service.domain.subject import Subject

type Decision = HoldReview | ReleaseReview | KeepReview | RestrictReview | DecideModerationAppeal


def require_impartial(
    subject: Subject,
    command: Decision,
    *,
    claimants: Iterable[str] = (),
    deciders: Container[str] = (),
) -> None:
    """`claimants` brought the matter up; `deciders` took the earlier decisions of it."""
    actor, sheet = command.actor, subject.sheet
    if not {sheet.buyer_id, sheet.seller_id, *claimants}.isdisjoint(accounts_of(actor)):
        raise ConflictOfInterest(ground="PARTY")
    if actor.org_id in command.party_orgs:
        raise ConflictOfInterest(ground="ORGANISATION")
    if actor.id in deciders:
        raise ConflictOfInterest(ground="EARLIER_DECISION")
