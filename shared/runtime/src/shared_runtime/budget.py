"""What a process has to do in, the memory that it takes at most out.

    memory_bytes_max(workload)                  of a worker
    api_bytes_max(client_connections)           of an API
    REBUILDING_BYTES_MAX                        of a migration

A worker's readers are counted with all that they may have at once, each as far from the others as
can be; those that decide, with the histories that they decide on. Not counted is what is made of
them before it is stored, a second read of one batch, and places that are gone on with apart because
their batch was too much: what a pod has besides.
"""

from shared_runtime.body_room import COMING_BYTES_MAX
from shared_runtime.committing import LANES
from shared_runtime.connections import CONNECTION_BYTES_MAX, UNREAD_BYTES_MAX
from shared_runtime.crowd import INSIDE_OPEN_MAX, OPEN_MAX
from shared_runtime.log import HISTORIES_BYTES_MAX
from shared_runtime.media_api import COPIES, IDLE_BYTES, MEMORY_BYTES_MAX
from shared_runtime.media_types import IMAGE_BYTES_MAX
from shared_runtime.parking import RETRIES_AT_ONCE, RETRY_BYTES_MAX
from shared_runtime.projections import PARTS_MAX
from shared_runtime.relay import UNDER_WAY_BYTES_MAX
from shared_runtime.sources import ANSWERED_BYTES_MAX, BATCH_BYTES_MAX
from shared_runtime.tail import KEPT_BYTES_MAX
from shared_runtime.worker import Workload

PICTURE_BYTES_MAX = 620 * 1024 * 1024 + COPIES * IMAGE_BYTES_MAX
"""One at a time is scanned: the largest WebP, decoded, beside the file that it is in."""
DECODED = 4
"""An event takes so many times its body with what is decoded of it: of all types 3.0 to 4.1 times
were seen, 3.7 in the median; the longer its texts, the less."""
BATCHES = 2
"""Of a reader: the one that is applied, and the next one."""
FOLDING_BYTES_MAX = (
    IDLE_BYTES
    + DECODED * (BATCHES * max(BATCH_BYTES_MAX, ANSWERED_BYTES_MAX) + KEPT_BYTES_MAX)
    + ANSWERED_BYTES_MAX
)
"""Of a process that builds a projection again, or a part of one."""
REBUILDING_BYTES_MAX = (1 + PARTS_MAX) * FOLDING_BYTES_MAX
"""Of all of a migration: the process that waits for the parts goes on behind them."""
INSIDE_BYTES_MAX = INSIDE_OPEN_MAX * CONNECTION_BYTES_MAX
"""Of whoever asks for health or metrics."""


def api_bytes_max(client_connections: int = OPEN_MAX) -> int:
    """Of an API: files, bodies, answers that nobody has read, so many connections, and what
    commands are decided on.
    """
    bodies = COPIES * COMING_BYTES_MAX + UNREAD_BYTES_MAX
    connections = client_connections * CONNECTION_BYTES_MAX + INSIDE_BYTES_MAX
    histories = DECODED * LANES * HISTORIES_BYTES_MAX
    return MEMORY_BYTES_MAX + bodies + connections + histories


def memory_bytes_max(workload: Workload) -> int:
    """Of the worker that does it."""
    own = 1 + len(workload.on_own_log) + len(workload.own_projections)  # the relay
    on_kafka = len(workload.on_kafka) + len(workload.feeds) + len(workload.kafka_projections)
    deciding = len(workload.on_own_log) + len(workload.on_kafka) + len(workload.feeds) + 1  # timers
    bodies = (
        deciding * HISTORIES_BYTES_MAX
        + BATCHES * (own * BATCH_BYTES_MAX + on_kafka * ANSWERED_BYTES_MAX)
        + KEPT_BYTES_MAX
        + RETRIES_AT_ONCE * RETRY_BYTES_MAX
    )
    # What brokers have answered and nobody has taken; what they have not acknowledged, of which
    # each partition has its share in any case.
    raw = on_kafka * ANSWERED_BYTES_MAX + 2 * UNDER_WAY_BYTES_MAX
    return IDLE_BYTES + PICTURE_BYTES_MAX + DECODED * bodies + raw + INSIDE_BYTES_MAX
