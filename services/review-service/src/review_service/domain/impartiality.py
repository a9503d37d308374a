"""Who decides a matter in, a refusal or nothing out: nobody judges what is his own."""

from collections.abc import Iterable

from shared_casework import impartial
from shared_casework.impartial import Stakes
from shared_casework.parties import KINDS, Account, parties_of

from review_service.domain.commands import (
    DecideModerationAppeal,
    HoldReview,
    KeepReview,
    ReleaseReview,
    RestrictReview,
)
from review_service.domain.subject import Subject

type Decision = HoldReview | ReleaseReview | KeepReview | RestrictReview | DecideModerationAppeal


def require_impartial(
    subject: Subject,
    command: Decision,
    *,
    claimants: Iterable[str] = (),
    deciders: Iterable[str] = (),
) -> None:
    """`claimants` brought the matter up; `deciders` took the earlier decisions of it."""
    sheet = subject.sheet
    # Of a claimant the id alone is told: whoever is known by it, as whatever, does not judge.
    stakes = Stakes(
        parties=parties_of(buyer_id=sheet.buyer_id, seller_id=sheet.seller_id)
        | {Account(kind, claimant) for claimant in claimants for kind in KINDS},
        organisations=command.party_orgs,
        deciders=frozenset(deciders),
    )
    impartial.require_impartial(command.actor, stakes)
