"""What commands are about: an account; and what is asked of nearly all of them."""

from collections.abc import Iterable

from msgspec import Struct
from shared_casework.impartial import Stakes, impartial
from shared_events.common import StatementOfReasonsIssued
from shared_events.reputation import AccountEvent
from shared_runtime.decider import NotFound, SubjectErased
from shared_runtime.rule import Guard, Rule

from reputation_service.domain.account_state import Account, AccountState, Status, Unopened
from reputation_service.domain.known import Known, Sender
from reputation_service.domain.measures import in_line


class AccountRule[C: Struct](Rule[AccountState, Account, Status, C, Known, AccountEvent]):
    """A command to an account that was opened."""

    def find(self, state: AccountState, said: C, by: Sender) -> Account:  # noqa: ARG002
        if isinstance(state, Unopened):
            raise NotFound
        return state

    def matters(self, state: AccountState, by: Sender) -> Iterable[Account]:  # noqa: ARG002
        return [] if isinstance(state, Unopened) else [state]

    def then(self, matter: Account, events: list[AccountEvent], by: Sender) -> list[AccountEvent]:
        """With the level and the measures that follow; the statements of reasons come last."""
        if not events:
            return events
        told = [each for each in events if isinstance(each, StatementOfReasonsIssued)]
        done = [each for each in events if not isinstance(each, StatementOfReasonsIssued)]
        return [*done, *in_line(matter, done, by.now, matter.policy(by)), *told]


def of_account(account: Account, _: object, by: Sender) -> Stakes:
    """Who has a stake in it: whose it is, and whoever acts with him."""
    return Stakes(parties=account.parties, organisations=by.known.party_orgs)


IMPARTIAL = impartial(of_account)


def of_somebody(account: Account, _: object, __: Sender) -> None:
    """of nobody who was erased"""
    if account.status == "ERASED":
        raise SubjectErased


HOLDER = Guard[Account, object, Known](of_somebody, SubjectErased)
