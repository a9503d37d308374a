"""Somebody who decides in, the ids that tell whether a matter is his own out."""

from shared_casework import parties
from shared_runtime.decider import Actor


def accounts_of(actor: Actor) -> set[str]:
    """All ids that he is known by, whatever role he acts in. A machine's own is no account."""
    return {account.id for account in parties.accounts_of(actor)}
