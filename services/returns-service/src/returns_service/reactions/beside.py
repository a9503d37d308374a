"""Own events that come back after a restore in, what was written with them out."""

from collections.abc import Sequence
from typing import Any, get_args

from shared_events.envelope import Recorded
from shared_events.returns import ReturnEvent, ReturnPolicyActivated
from shared_runtime.delivery import Apply, Connection
from shared_runtime.log import PostgresLog
from shared_runtime.subscription import decoded

from returns_service.policy_versions import write_starts
from returns_service.return_rows import write_returns


def kept_beside(own_log: PostgresLog) -> Apply:
    """Which pieces each return has, and the policies that were activated."""

    async def apply(batch: Sequence[Recorded[Any]], db: Connection) -> None:
        await write_returns(batch, own_log.within(db))
        await write_starts(batch, db)

    return decoded((*get_args(ReturnEvent.__value__), ReturnPolicyActivated), apply)
