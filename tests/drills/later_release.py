"""The source of this release in, that of one that could come after it out, and its processes.

The later release has one more type of event (an order is wrapped as a gift), the command and the
route that record it, a migration that adds to tables which the release before works on and one of
its own, another version of the projection `own_orders`, which shows it and reads one topic more,
and a version of the policy of reviews. All of that is put into a copy of the packages, as somebody
would write it; nothing of it is pretended.
"""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import review_service
import shared_events
from local_stack import processes
from local_stack.processes import Process, free_port
from local_stack.services import Service
from local_stack.starting import GRACE_SECONDS
from msgspec import Struct
from shared_runtime.migrated import newest_migration

PACKAGES = tuple(Path(package.__path__[0]) for package in (shared_events, review_service))
WRAPPED = "OrderGiftWrapped.v1"
POLICY = "ae-gifts"
MIGRATION = "review_service/migrations/versions"


class Change(Struct, frozen=True, kw_only=True):
    """In a file, what stands there once in this release and in its place in the later one."""

    file: str
    now: str
    later: str


CHANGES = (
    Change(
        file="shared_events/orders.py",
        now="type OrderEvent = (\n",
        later=f"""class OrderGiftWrapped(OrderFact, frozen=True, kw_only=True, tag="{WRAPPED}"):
    wrapped_at: Instant


type OrderEvent = (
    OrderGiftWrapped |
""",
    ),
    Change(
        file="review_service/domain/order.py",
        now="    OrderEvent,\n",
        later="    OrderEvent,\n    OrderGiftWrapped,\n",
    ),
    Change(
        file="review_service/domain/order.py",
        now="    cancelled: OrderCancelled | None = None\n",
        later="""    cancelled: OrderCancelled | None = None
    wrapped: OrderGiftWrapped | None = None
""",
    ),
    Change(
        file="review_service/domain/order.py",
        now="        case OrderDelayAttributed():\n",
        later="""        case OrderGiftWrapped():
            return replace(order, wrapped=event, last_at=event.wrapped_at)
        case OrderDelayAttributed():
""",
    ),
    Change(
        file="review_service/domain/order_readers.py",
        now="    OrderEvent,\n",
        later="    OrderEvent,\n    OrderGiftWrapped,\n",
    ),
    Change(
        file="review_service/domain/order_readers.py",
        now="    OrderDelayAttributed: everybody,\n",
        later="    OrderDelayAttributed: everybody,\n    OrderGiftWrapped: everybody,\n",
    ),
    Change(
        file="review_service/domain/order_rules.py",
        now="from review_service.domain.placing import PLACE_ORDER\n",
        later="""from review_service.domain.placing import PLACE_ORDER
from review_service.domain.wrapping import WRAP_AS_GIFT
""",
    ),
    Change(
        file="review_service/domain/order_rules.py",
        now="    MARK_SHIPPED,\n    MARK_DELIVERED,\n",
        later="    WRAP_AS_GIFT,\n    MARK_SHIPPED,\n    MARK_DELIVERED,\n",
    ),
    Change(
        file="review_service/api/orders.py",
        now="from review_service.domain.policy import Policies\n",
        later="""from review_service.domain.policy import Policies
from review_service.domain.wrapping import WRAP_AS_GIFT
""",
    ),
    Change(
        file="review_service/api/orders.py",
        now="STEPS = (\n",
        later="""STEPS = (
    Door(f"{ORDER}/gift-wrapping", WRAP_AS_GIFT, "It is a gift", shows=answers.ORDER_COMMAND),
""",
    ),
    Change(
        file="review_service/domain/policy.py",
        now="PUBLISHED = (AE_2025_1, AE_30D)\n",
        later=f"""AE_GIFTS = replace(AE_2025_1, version="{POLICY}", review_window=DAY)
PUBLISHED = (AE_2025_1, AE_30D, AE_GIFTS)
""",
    ),
    Change(
        file="review_service/projections/own_orders.py",
        now="from shared_events import orders\n",
        later="from shared_events import orders, review\n",
    ),
    Change(
        file="review_service/projections/own_orders.py",
        now="from shared_runtime.delivery import Connection\n",
        later="""from shared_events.review import EvaluationOpened
from shared_runtime.delivery import Connection
""",
    ),
    Change(
        file="review_service/projections/own_orders.py",
        now="from shared_runtime.rows import Rows\n",
        later="from shared_runtime.rows import Rows, of_kind\n",
    ),
    Change(
        file="review_service/projections/own_orders.py",
        now="    CREATE INDEX own_orders_of_buyer ON",
        later="""    CREATE TABLE own_evaluations (
        order_id text PRIMARY KEY,
        closes_at timestamptz NOT NULL
    );
    CREATE INDEX own_orders_of_buyer ON""",
    ),
    Change(
        file="review_service/projections/own_orders.py",
        now='ROWS = Rows(table="own_orders", key="order_id", row=OwnOrder)\n',
        later='''ROWS = Rows(table="own_orders", key="order_id", row=OwnOrder)


class OwnEvaluation(Struct, frozen=True, kw_only=True):
    """Until when an order can be reviewed, as it was opened."""

    order_id: str
    closes_at: datetime


EVALUATIONS = Rows(table="own_evaluations", key="order_id", row=OwnEvaluation)


def opened(_: OwnEvaluation | None, event: EvaluationOpened) -> OwnEvaluation:
    return OwnEvaluation(order_id=event.order_id, closes_at=event.closes_at)
''',
    ),
    Change(
        file="review_service/projections/own_orders.py",
        now="    await ROWS.fold(batch, db,",
        later="""    evaluations = of_kind(batch, EvaluationOpened)
    await EVALUATIONS.fold(
        evaluations, db, key_of=lambda event: event.order_id, evolve=opened
    )
    batch = of_kind(batch, OrderPlaced, *get_args(OrderStep.__value__))
    await ROWS.fold(batch, db,""",
    ),
    Change(
        file="review_service/projections/own_orders.py",
        now="    topics=(orders.TOPIC,),\n    handles=(OrderPlaced,",
        later="""    topics=(orders.TOPIC, review.TOPIC),
    handles=(EvaluationOpened, OrderPlaced,""",
    ),
    Change(
        file="review_service/projections/own_orders.py",
        now='    tables=("own_orders",),\n',
        later='    tables=("own_orders", "own_evaluations"),\n',
    ),
    Change(
        file="review_service/projections/own_orders.py",
        now="    OrderDelivered,\n",
        later="    OrderDelivered,\n    OrderGiftWrapped,\n",
    ),
    Change(
        file="review_service/projections/own_orders.py",
        now="        cancelled_at timestamptz\n",
        later="        cancelled_at timestamptz,\n        wrapped_at timestamptz\n",
    ),
    Change(
        file="review_service/projections/own_orders.py",
        now="    cancelled_at: datetime | None = None\n",
        later="    cancelled_at: datetime | None = None\n    wrapped_at: datetime | None = None\n",
    ),
    Change(
        file="review_service/projections/own_orders.py",
        now="type OrderStep = (\n",
        later="type OrderStep = (\n    OrderGiftWrapped |\n",
    ),
    Change(
        file="review_service/projections/own_orders.py",
        now="    match event:\n",
        later="""    match event:
        case OrderGiftWrapped():
            return replace(order, wrapped_at=event.wrapped_at)
""",
    ),
    Change(
        file="review_service/projections/own_orders.py",
        now="    version=1,\n",
        later="    version=2,\n",
    ),
)
WRAPPING = '''"""That an order is wrapped as a gift, before it is handed to the carrier."""

from msgspec import Struct
from shared_casework.values import utc
from shared_events.orders import OrderEvent, OrderGiftWrapped

from review_service.domain.known import Sender
from review_service.domain.order import Order, OrderRule, Placed, ids, placed_one


class WrapAsGift(Struct, frozen=True, kw_only=True):
    pass


def wrap_as_gift(order: Order, _: WrapAsGift, by: Sender) -> list[OrderEvent]:
    return [OrderGiftWrapped(**ids(placed_one(order)), wrapped_at=utc(by.now))]


def is_wrapped(order: Order, _: WrapAsGift, __: Sender) -> bool:
    return isinstance(order, Placed) and order.wrapped is not None


WRAP_AS_GIFT = OrderRule(
    WrapAsGift,
    wrap_as_gift,
    roles=("SYSTEM",),
    repeated=is_wrapped,
    states=("PLACED", "PAID"),
    events=(OrderGiftWrapped,),
    example=WrapAsGift(),
)
'''
# What the release before writes and reads all the time, also by `SELECT *`, has columns more.
EXPANDING = '''"""Gifts: a table of their own, and columns that may be empty."""

from shared_runtime.migrate import run_sql

revision = "{revision}"
down_revision = "{before}"

EXPAND = """
    ALTER TABLE es.cursor ADD COLUMN noted text;
    ALTER TABLE es.reply ADD COLUMN noted text;
    ALTER TABLE es.event ADD COLUMN noted text;
    CREATE SCHEMA gifts;
    CREATE TABLE gifts.paper (name text PRIMARY KEY);
    GRANT USAGE ON SCHEMA gifts TO aftersales_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON gifts.paper TO aftersales_app;
"""


def upgrade() -> None:
    run_sql(EXPAND)
'''


@dataclass(frozen=True, slots=True)
class LaterRelease:
    """Where its packages are. Those that are not there are the same in both releases."""

    source: Path

    def of(self, running: Service) -> Service:
        """A process of it that can run beside that of the release before."""
        name = f"{running.name}-later"
        log = running.log.with_name(f"{name}.log")
        return self.process(name, running.package, running.command, log=log, env=running.env)

    def process(
        self, name: str, package: str, command: str, *, log: Path, env: Mapping[str, str]
    ) -> Service:
        """A process of it, on ports that are free."""
        ports = ("AFTERSALES_PORT", "AFTERSALES_WORKER_PORT", "AFTERSALES_METRICS_PORT")
        port = {name: str(free_port()) for name in ports}
        mine = "AFTERSALES_PORT" if command == "api" else "AFTERSALES_WORKER_PORT"
        return Service(
            name=name,
            package=package,
            command=command,
            port=int(port[mine]),
            log=log,
            env={**env, **port, "PYTHONPATH": str(self.source)},
            starter=_start,
        )


def _start(name: str, package: str, command: str, *, log: Path, env: Mapping[str, str]) -> Process:
    """By a Python of its own: the nursery has the modules of the release before."""
    program = [sys.executable, "-m", package, command]
    return processes.start(name, program, log=log, env=env, grace_seconds=GRACE_SECONDS)


def make_later_release(folder: Path) -> LaterRelease:
    """Writes it into a folder. Raises AssertionError where this release is not as it was when the
    changes were written.
    """
    for package in PACKAGES:
        shutil.copytree(
            package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for change in CHANGES:
        file = folder / change.file
        text = file.read_text()
        assert text.count(change.now) == 1, f"{change.file} has not once {change.now!r}"
        file.write_text(text.replace(change.now, change.later))
    (folder / "review_service/domain/wrapping.py").write_text(WRAPPING)
    before = newest_migration("review_service")
    revision = f"{int(before.partition('_')[0]) + 1:04}_gifts"
    migration = EXPANDING.format(revision=revision, before=before)
    (folder / MIGRATION / f"{revision}.py").write_text(migration)
    return LaterRelease(folder)
