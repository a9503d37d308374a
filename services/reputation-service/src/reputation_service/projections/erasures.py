"""Events in, rows out: who is to be forgotten, since when, and what that waits for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace
from shared_events import reputation
from shared_events.envelope import Recorded
from shared_events.fields import Party
from shared_events.reputation import ErasureDeferred, SubjectErased
from shared_runtime.delivery import Connection
from shared_runtime.projections import Projection
from shared_runtime.rows import Rows

from reputation_service.domain.streams import account_stream, holder_id_of

type ErasureStatus = Literal["DEFERRED", "ERASED"]
type ErasureEvent = ErasureDeferred | SubjectErased

ERASURES_DDL = """
    CREATE TABLE erasure (
        account text PRIMARY KEY,
        account_kind text NOT NULL,
        account_id text NOT NULL,
        status text NOT NULL,
        asked_at timestamptz NOT NULL,
        waits_for text[] NOT NULL,
        waits_until timestamptz,
        erased_at timestamptz
    );
    CREATE INDEX erasure_in_turn ON erasure (status, asked_at, account);
"""


class Erasure(Struct, frozen=True, kw_only=True):
    """`account`: its stream. `waits_until`: when time closes the first of what it waits for."""

    account: str
    account_kind: Party
    account_id: str
    status: ErasureStatus = "DEFERRED"
    asked_at: datetime
    waits_for: list[str] = []
    waits_until: datetime | None = None
    erased_at: datetime | None = None


ROWS = Rows(table="erasure", key="account", row=Erasure)


async def erasures(batch: Sequence[Recorded[ErasureEvent]], db: Connection) -> None:
    await ROWS.fold_recorded(batch, db, key_of=account_of, evolve=evolve)


def account_of(event: ErasureEvent) -> str:
    return account_stream(event.account_kind, holder_id_of(event))


def evolve(before: Erasure | None, recorded: Recorded[ErasureEvent]) -> Erasure:
    event = recorded.event
    row = before or Erasure(
        account=account_of(event),
        account_kind=event.account_kind,
        account_id=holder_id_of(event),
        asked_at=recorded.time,
    )
    match event:
        case ErasureDeferred(open_ids=open_ids, open_until=until):
            return replace(row, waits_for=open_ids, waits_until=until)
        case SubjectErased(erased_at=at):
            return replace(row, status="ERASED", waits_for=[], waits_until=None, erased_at=at)


ERASURES = Projection(
    name="erasures",
    version=1,
    topics=(reputation.TOPIC,),
    handles=get_args(ErasureEvent.__value__),
    tables=("erasure",),
    ddl=ERASURES_DDL,
    apply=erasures,
)
