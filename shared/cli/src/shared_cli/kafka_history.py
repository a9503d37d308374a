"""Topics in, every record that is in them by now out."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from shared_events.partition import PARTITIONS
from shared_runtime.sources import reading

WAIT_MS = 500
RECORDS_MAX = 5_000
POSITION_DIGITS_MAX = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What lies in some topics before the end offsets of one moment."""

    consumer: AIOKafkaConsumer
    ends: dict[TopicPartition, int]

    @property
    def records(self) -> int:
        return sum(self.ends.values())

    async def batches(self) -> AsyncGenerator[tuple[TopicPartition, list[ConsumerRecord]]]:
        """All records once, those of a partition in the order of their offsets."""
        begins = await self.consumer.beginning_offsets(list(self.ends))
        left = {place: end for place, end in self.ends.items() if end > begins[place]}
        if left:  # none named would be all of them
            await self.consumer.seek_to_beginning(*left)
        self.consumer.pause(*(self.ends.keys() - left.keys()))
        while left:
            found = await self.consumer.getmany(timeout_ms=WAIT_MS, max_records=RECORDS_MAX)
            for place, records in found.items():
                if (end := left.get(place)) is None:
                    continue
                yield place, [record for record in records if record.offset < end]
                if records[-1].offset >= end - 1:
                    del left[place]
                    self.consumer.pause(place)


@asynccontextmanager
async def history(bootstrap: str, topics: Sequence[str]) -> AsyncGenerator[History]:
    """The history of these topics up to now. Raises KafkaError when the broker does not answer."""
    places = [(topic, partition) for topic in topics for partition in range(PARTITIONS)]
    async with reading(bootstrap, places) as consumer:
        ends = await consumer.end_offsets([TopicPartition(*place) for place in places])
        yield History(consumer=consumer, ends=ends)


def position_told(record: ConsumerRecord) -> int | None:
    """The position that a record says it has in its log; None where it says nothing of the kind."""
    told = dict(record.headers).get("position", b"")
    return int(told) if told.isdigit() and len(told) <= POSITION_DIGITS_MAX else None
