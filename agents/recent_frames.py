"""The latest frames of one partition as bytes: what an order that arrives late has missed."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator

from aiokafka import AIOKafkaConsumer, TopicPartition

from faust_app.runtime.app import Worker
from faust_app.runtime.codec import decode_frame
from models.messages.ticks import Tick

MOST_BYTES = 3_000_000  # of a partition: seven seconds of 9,000 ticks, thirty of 2,000
MOST_FRAMES = 50_000
READ_AGAIN = 2_000  # frames of a partition that are read again after a restart


class RecentFrames:
    """Frames in order, the oldest forgotten beyond `MOST_BYTES`; decoded only when somebody asks.

    Of the frames without ticks, those that moved the clock are kept: time has passed even when nothing traded.
    """

    def __init__(self) -> None:
        self._frames: deque[tuple[str, int, bytes]] = deque()
        self._bytes = 0

    def add(self, run_id: str, event_time: int, raw: bytes) -> None:
        """Keep a frame; `raw` is empty for one without ticks."""
        if not raw and self._frames and self._frames[-1][:2] == (run_id, event_time):
            return
        self._frames.append((run_id, event_time, raw))
        self._bytes += len(raw)
        while self._bytes > MOST_BYTES or len(self._frames) > MOST_FRAMES:
            self._bytes -= len(self._frames.popleft()[2])

    def since(self, run_id: str, token: int, second: int) -> Iterator[tuple[int, tuple[Tick, ...]]]:
        """(clock, the instrument's ticks) of each frame of one run from that second of the clock on, in order."""
        found = []
        for run, event_time, raw in reversed(self._frames):
            if run != run_id or event_time < second:
                break
            found.append((event_time, raw))
        for event_time, raw in reversed(found):
            ticks = decode_frame(raw).ticks if raw else ()
            yield event_time, tuple(tick for tick in ticks if tick.instrument_token == token)


async def read_again(worker: Worker, topic: str) -> AsyncIterator[tuple[int, bytes]]:
    """(partition, bytes) of the last frames the group has handled, in order: what a restart has made it forget."""
    partitions = sorted(tp.partition for tp in worker.app.consumer.assignment() if tp.topic == topic)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=worker.settings.kafka.bootstrap, enable_auto_commit=False, group_id=None
    )
    await consumer.start()
    try:
        for partition in partitions:
            position = await worker.app.consumer.group_position(topic, partition)
            if position is None:
                continue
            tp = TopicPartition(topic, partition)
            consumer.assign([tp])
            consumer.seek(tp, max((await consumer.beginning_offsets([tp]))[tp], position - READ_AGAIN))
            while await consumer.position(tp) < position:
                for message in (await consumer.getmany(tp, timeout_ms=1000)).get(tp, []):
                    if message.offset < position and message.value is not None:
                        yield partition, message.value
    finally:
        await consumer.stop()
