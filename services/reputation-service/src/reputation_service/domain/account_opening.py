"""Somebody's first order in, his account out."""

from collections.abc import Iterable

from msgspec import Struct
from shared_events.fields import Id, Party
from shared_events.reputation import AccountEvent, AccountOpened
from shared_runtime.rule import Rule

from reputation_service.domain.account_state import AccountState, Unopened
from reputation_service.domain.known import Known, Sender


class OpenAccount(Struct, frozen=True, kw_only=True):
    """He has bought or sold something."""

    kind: Party
    holder_id: Id


class Beginning(Struct, frozen=True):
    """An account that is there, or is not yet."""

    state: AccountState

    @property
    def status(self) -> str:
        return self.state.status


class OpeningRule[C: Struct](Rule[AccountState, Beginning, str, C, Known, AccountEvent]):
    """A command that opens an account."""

    def find(self, state: AccountState, said: C, by: Sender) -> Beginning:  # noqa: ARG002
        return Beginning(state)

    def matters(self, state: AccountState, by: Sender) -> Iterable[Beginning]:  # noqa: ARG002
        return [Beginning(state)]


def open_account(_: Beginning, said: OpenAccount, by: Sender) -> list[AccountEvent]:
    """With the credit that everybody starts with."""
    policy = by.known.policies.in_force(by.now)
    seller = said.kind == "SELLER"
    return [
        AccountOpened(
            account_kind=said.kind,
            seller_id=said.holder_id if seller else None,
            buyer_id=None if seller else said.holder_id,
            policy_version=policy.version,
            opened_at=by.now,
            balance=policy.credit_start,
        )
    ]


def is_open(beginning: Beginning, _: OpenAccount, __: Sender) -> bool:
    return not isinstance(beginning.state, Unopened)


OPEN_ACCOUNT = OpeningRule(
    OpenAccount,
    open_account,
    roles=("SYSTEM",),
    repeated=is_open,
    lapses=True,
    events=(AccountOpened,),
    example=OpenAccount(kind="SELLER", holder_id="S-77"),
)
