"""Corrections of faust-streaming 0.15.3 that keep its promise: no committed offset without its handled message.

Measured on the unchanged library, messages are lost when a group with tables rebalances. Read in its source:
- when recovery ends, streams are resumed and sought first and the agents' queues cleared afterwards, so what
  arrives in between is dropped (`tables/recovery.py`, `on_recovery_completed`);
- a message skipped because the flow is stopped, and one whose handler was cancelled, are acknowledged like
  handled ones (`streams.py`, `__aiter__`);
- an offset one past the group's position is committed over the hole (`transport/consumer.py`, `_new_offset`), and
  offset 0 counts as "no position";
- a partition without a committed offset is not sought back after its queue was cleared (`perform_seek`);
- a fetch that straddles a seek hands out records from before it;
- partitions move while messages are worked on: its compiled stream takes a message off the set that a rebalance waits
  for as soon as the next one is asked for, though its writes are still on their way (`_cython/streams.pyx`).
Here every record goes through one `OffsetTracker`; a message counts as handled only when the consume loop says so
(`complete`); and consumption resumes only after queues are clear. `check_versions` refuses other versions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from importlib.metadata import version
from typing import Any, cast

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.utils.futures import notify

from faust_app.runtime import metrics
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.offsets import OffsetTracker

WAIT_SECONDS = 1.0
CORRECTED = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0"}


def check_versions() -> None:
    """Raise ConfigurationError unless the very versions are installed that this module corrects."""
    for package, expected in CORRECTED.items():
        found = version(package)
        if found != expected:
            raise ConfigurationError(
                f"{package} is {found}, but delivery is only proven with {expected}: install the locked requirements"
            )


class Batch(dict[Any, Any]):
    """Records by partition, with the position each partition's records were fetched from and up to."""

    starts: dict[Any, int | None]
    ends: dict[Any, int | None]


class ExactConsumerThread(driver.AIOKafkaConsumerThread):
    """Adds the positions around each fetch."""

    def _create_consumer(self, loop: asyncio.AbstractEventLoop) -> Any:
        metrics.CLIENT_STARTS.labels("kafka consumer").inc()
        return super()._create_consumer(loop)

    async def _fetch_records(
        self, consumer: Any, active_partitions: Any, timeout: float | None = None, max_records: int | None = None
    ) -> Any:
        before = _positions(consumer)
        batch = Batch(await super()._fetch_records(consumer, active_partitions, timeout, max_records))
        batch.starts, batch.ends = before, _positions(consumer)
        return batch


def _positions(consumer: Any) -> dict[Any, int | None]:
    subscription = consumer._subscription.subscription
    assignment = subscription.assignment if subscription else None
    if assignment is None:
        return {}
    states = {tp: assignment.state_value(tp) for tp in assignment.tps}
    return {tp: state.position if state.has_valid_position else None for tp, state in states.items()}


class ExactConsumer(driver.Consumer):
    """Faust's consumer with exact bookkeeping of what was handed out and handled."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.offsets = OffsetTracker()
        self._seeks = 0
        self._begun: dict[int, Any] = {}  # messages somebody works on, by identity
        super().__init__(*args, **kwargs)

    def routines(self) -> Iterator[tuple[str, asyncio.Future[Any] | None]]:
        """The client's tasks that run as long as it does, by name; none before it has started."""
        client = getattr(self._thread, "_consumer", None)
        if client is not None:
            yield "the coordinator", getattr(client._coordinator, "_coordination_task", None)
            yield "the fetcher", getattr(client._fetcher, "_fetch_task", None)

    def _new_consumer_thread(self) -> ExactConsumerThread:
        return ExactConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                async for _, message in self.getmany(timeout=1.0):
                    await self.wait_first(self.callback(message), self.suspend_flow.wait())
                await self.sleep(0)
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """Records in order and without a hole; what does not fit is fetched again."""
        records, _ = await self._wait_next_records(timeout)
        generation, seeks = self.app.consumer_generation_id, self._seeks
        if not records or self.should_stop or not self.flow_active:
            return
        batch = cast(Batch, records)
        await self._refuse_misfits(batch)
        left = {tp: len(found) for tp, found in batch.items()}
        for tp, record in self.scheduler.iterate(batch):
            if not self.flow_active or self._seeks != seeks or self.app.consumer_generation_id != generation:
                return
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            message = self._to_message(tp, record)
            self.offsets.handed_out(tp, record.offset, message)
            left[tp] -= 1
            end = batch.ends.get(tp)
            if left[tp] == 0 and end is not None:
                self.offsets.finish_batch(tp, end)
            yield tp, message

    async def _refuse_misfits(self, batch: Batch) -> None:
        misfits = [tp for tp in batch if not self.offsets.accepts(tp, batch.starts.get(tp))]
        for tp in misfits:
            del batch[tp]
            expected = self.offsets.expected(tp)
            self.log.info("Fetching %s again from offset %s", tp, expected)
            try:
                await self._thread.seek_wait({tp: cast(int, expected)})
            except (IllegalStateError, TimeoutError):
                self.log.info("%s is not assigned any more", tp)

    async def perform_seek(self) -> None:
        """Seek every stream partition to the group's position, or to the log's start where it has none."""
        self._seeks += 1
        committed = await self.seek_to_committed()
        streams = {tp: offset for tp, offset in committed.items() if not self._is_changelog_tp(tp)}
        fresh = [tp for tp, offset in streams.items() if not offset]
        if fresh:
            await self._thread.seek_to_beginning(*fresh)
        for tp, offset in streams.items():
            self.offsets.seek(tp, offset or None)
        self._seeks += 1

    async def group_position(self, topic: str, partition: int) -> int | None:
        """Committed offset of the group, None when it has none."""
        consumer = self._thread._ensure_consumer()
        tp = TopicPartition(topic, partition)
        return cast("int | None", await self._thread.call_thread(consumer.committed, tp))

    async def behind(self) -> int | None:
        """Messages in our partitions that are not handled yet; None while no position is known."""
        known = [tp for tp in cast(list[TP], self.offsets.partitions()) if not self._is_changelog_tp(tp)]
        reached = {tp: offset for tp in known if (offset := self.offsets.reached(tp)) is not None}
        if not reached:
            return None
        ends = await self.highwaters(*reached)
        return sum(max(0, ends[tp] - offset) for tp, offset in reached.items())

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek changelog partitions, before recovery."""
        self._seeks += 1
        await super().seek_wait(partitions)
        for tp, offset in partitions.items():
            self.offsets.seek(tp, offset)
        self._seeks += 1

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit what handlers finished, then forget the assignment."""
        await super().on_partitions_revoked(revoked)
        self._seeks += 1
        self.offsets.clear()

    def begin(self, message: Any) -> None:
        """The consume loop has taken `message`: a rebalance waits until it is completed or abandoned."""
        self._begun[id(message)] = message

    def complete(self, message: Any) -> None:
        """The effects of `message` are durable: its offset may be committed."""
        self.offsets.handled(message.tp, message.offset, message)
        self.abandon(message)

    def abandon(self, message: Any) -> None:
        """Nobody works on `message` any more; unless it was completed it will come again."""
        self._begun.pop(id(message), None)
        notify(self._waiting_for_ack)

    async def wait_empty(self) -> None:
        """Wait until nobody works on a message any more: partitions move after that.

        A handler that waits for a dependency is waited for; when that takes too long the group goes on without us.
        """
        while self._begun and not self.should_stop:
            await self.commit()
            if self._begun:
                await self._wait_for_ack(timeout=WAIT_SECONDS)
        await self.commit_and_end_transactions()

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Any:
        acking = self.app.topics.acks_enabled_for
        return (
            tp
            for tp in cast(list[TP], self.offsets.partitions())
            if acking(tp.topic) and (topics is None or tp in topics or tp.topic in topics)
        )

    def _new_offset(self, tp: TP) -> int | None:
        return self.offsets.committable(tp)

    def _should_commit(self, tp: TP, offset: int) -> bool:
        return True

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        done = await super()._commit(offsets)
        if done:
            for tp, offset in offsets.items():
                self.offsets.committed(tp, offset)
        return done


class ExactRecovery(Recovery):
    """Resumes streams only after the agents' queues are clear and positions are back at the group's."""

    async def _resume_streams(self, generation_id: int = 0) -> None:
        await self.app.on_rebalance_complete.send()
        await self._resume_consumption(generation_id)

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Tell the tables, then resume."""
        self.log.info("Restore complete!")
        await self.app.on_rebalance_complete.send()
        self._set_recovery_ended()
        for table in self.tables.values():
            await table.on_recovery_completed(self.actives_for_table[table], self.standbys_for_table[table])
        await self._resume_consumption(generation_id)

    async def _resume_consumption(self, generation_id: int) -> None:
        app, consumer = cast(Any, self.app), cast(Any, self.app.consumer)
        if app.consumer_generation_id != generation_id:
            self.log.warning("Another rebalance has begun")
            return
        consumer.stop_flow()
        app.flow_control.suspend()
        assignment = consumer.assignment()
        if assignment:
            await self._wait(consumer.perform_seek(), timeout=app.conf.broker_request_timeout)
        if app.consumer_generation_id != generation_id:
            self.log.warning("Another rebalance has begun")
            return
        consumer.resume_partitions({tp for tp in assignment if not self._is_changelog_tp(tp)})
        self.completed.set()
        app.flow_control.resume()  # clears the queues, and nothing can fill them before the next line
        consumer.resume_flow()
        await app._fetcher.maybe_start()
        self.tables.on_actives_ready()
        self.tables.on_standbys_ready()
        app.on_rebalance_end()
        self.log.info("Worker ready")


class ExactTableManager(TableManager):
    """Builds `ExactRecovery`."""

    _recovery: Recovery | None = None

    @property
    def recovery(self) -> Recovery:
        """The recovery service."""
        if self._recovery is None:
            self._recovery = ExactRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery


class IdempotentProducer(driver.Producer):
    """Kafka drops what a retried request would write twice."""

    def _new_producer(self, *args: Any, **kwargs: Any) -> Any:
        metrics.CLIENT_STARTS.labels("kafka producer").inc()
        return super()._new_producer(*args, **kwargs)

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


class ExactTransport(driver.Transport):
    """The transport every worker uses."""

    Consumer = ExactConsumer
    Producer = IdempotentProducer
