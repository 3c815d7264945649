"""Strategy runner: every tick goes to the strategies that watch its instrument, their wishes become signals.

State lives in memory and is checkpointed to the table every few event seconds, as it was *before* the frame at
hand, when everything up to the frame before had been sent. After a restart the frames between the checkpoint
and the group's position are read again and applied without emitting (`catch_up`); from there on strategies
being deterministic, a frame that comes again gives the same signals with the same ids.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.hosts import Host, HostedInstance, Raised
from agents.reference import Reference
from agents.square_off import SquareOffClock
from faust_app.runtime import metrics
from faust_app.runtime.app import Worker
from faust_app.runtime.codec import chained, decode_frame, encode
from faust_app.runtime.consume import Decision, Record
from faust_app.runtime.errors import DecodeError
from faust_app.runtime.reference_data import StrategyInstance
from faust_app.runtime.topics import Topic
from models.messages import ids
from models.messages.control import StrategiesChanged
from models.messages.envelope import Envelope
from models.messages.signals import Signal, SquareOffDue
from models.messages.ticks import TickFrame
from tables import strategy_state
from tables.journal import Output
from tables.strategy_state import CheckpointTable
from trading.market.instruments import InstrumentRegistry
from trading.risk.square_off import MINUTE
from trading.strategies.signals import signal_of

log = structlog.get_logger(__name__)
NANOSECONDS = 1_000_000_000


class StrategyRunner:
    """State of the stage: one `Host` per assigned partition."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._table = CheckpointTable(worker.table(strategy_state.NAME, strategy_state.HELP))
        self._reference = Reference(worker)
        self._registry = InstrumentRegistry(())
        self._instances: dict[str, HostedInstance] | None = None
        self._hosts: dict[int, Host] = {}
        self._square_off = SquareOffClock(worker.topics.partition)
        self._checkpoint_seconds = worker.settings.worker.checkpoint_seconds
        self._processed = metrics.TICKS_PROCESSED.labels(worker.stage, worker.broker)
        self._topic = worker.topics.name(Topic.MARKET_TICKS)

    async def load(self) -> None:
        """Instruments and strategy instances."""
        data = self._reference.data
        instruments = await self._reference.load("instruments", data.load_instruments)
        self._registry = InstrumentRegistry(instruments)
        self._square_off.watch(self._registry)
        rows = await self._reference.load("strategies", data.load_strategies)
        built = [self._build(row) for row in rows if row.enabled]
        self._instances = {one.name: one for one in built if one is not None}
        for host in self._hosts.values():
            host.replace(self._instances)

    def _build(self, row: StrategyInstance) -> HostedInstance | None:
        """The instance of a row; one that cannot be built is counted and left out, the others go on."""
        try:
            return HostedInstance.build(row, self._registry)
        except Exception as error:
            metrics.STRATEGY_ERRORS.labels(row.instance).inc()
            log.exception("strategy_cannot_be_built", strategy=row.instance, error=f"{type(error).__name__}: {error}")
            return None

    def on_control(self, envelope: Envelope[Any]) -> None:
        """An operator changed strategies: they are read again before the next frame."""
        if isinstance(envelope.data, StrategiesChanged):
            self._instances = None

    async def catch_up(self) -> None:
        """After an assignment: restore checkpoints and apply, silently, what was handled since."""
        self._hosts.clear()
        if self._instances is None:
            await self.load()
        partitions = {tp.partition for tp in self._worker.app.consumer.assignment() if tp.topic == self._topic}
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._worker.settings.kafka.bootstrap,
            enable_auto_commit=False,
            group_id=None,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            for partition in sorted(partitions):
                await self._catch_up_partition(consumer, partition)
        finally:
            await consumer.stop()

    async def _catch_up_partition(self, consumer: AIOKafkaConsumer, partition: int) -> None:
        host = self._host(partition)
        restored = [self._table.load(name, partition) for name in host.instances]
        host.restore([checkpoint for checkpoint in restored if checkpoint is not None])
        committed = await self._committed(partition)
        if committed is None:
            return
        tp = TopicPartition(self._topic, partition)
        consumer.assign([tp])
        begin = (await consumer.beginning_offsets([tp]))[tp]
        start = max(begin, host.next_offset(default=committed))
        consumer.seek(tp, start)
        applied = 0
        while start + applied < committed:
            for message in (await consumer.getmany(tp, timeout_ms=1000)).get(tp, []):
                applied = message.offset + 1 - start
                if message.offset < committed:
                    self._apply_silently(host, message)
        log.info("caught_up", partition=partition, restored=len(restored), frames=applied)

    def _apply_silently(self, host: Host, message: Any) -> None:
        try:
            frame = decode_frame(message.value)
        except DecodeError:
            return  # it went to the dead letters when it was handled
        for _ in host.apply(message.offset, frame):
            pass

    async def _committed(self, partition: int) -> int | None:
        committed: int | None = await self._worker.app.consumer.group_position(self._topic, partition)
        return committed

    def _host(self, partition: int) -> Host:
        if partition not in self._hosts:
            self._hosts[partition] = Host(partition, self._instances or {})
        return self._hosts[partition]

    async def on_frame(self, record: Record) -> Decision:
        """Say when positions have to be left, then give the frame to the strategies; a wish is a signal per broker."""
        frame = decode_frame(record.value)
        if self._instances is None:
            await self.load()
        host = self._host(record.partition)
        if host.has_seen(frame):
            return Decision(duplicate=True)
        self._checkpoint(host, frame)
        raised = list(host.apply(record.offset, frame))
        self._processed.inc(len(frame.ticks))
        outputs = [*self._square_offs(record.partition, frame), *self._signals(frame, raised)]
        if not outputs:
            return Decision()
        return Decision(outputs, delivered=lambda: self._count(frame, raised))

    def _checkpoint(self, host: Host, frame: TickFrame) -> None:
        for checkpoint in host.due(frame, self._checkpoint_seconds):
            self._table.save(checkpoint)
            metrics.STRATEGY_CHECKPOINTS.inc()

    def _square_offs(self, partition: int, frame: TickFrame) -> Iterable[Output]:
        if not self._square_off.is_due(partition, frame):
            return
        clock, run_id = frame.event_time, frame.run_id
        for broker in self._worker.settings.enabled_brokers:
            account = self._worker.settings.account_key(broker)
            due = SquareOffDue(
                account=account, run_id=run_id, partition=partition, clock=clock, received_ns=frame.received_ns
            )
            message_id = ids.square_off_id(run_id, broker, partition, clock // MINUTE)
            yield self._output(frame, due, broker, message_id, clock)

    def _signals(self, frame: TickFrame, raised: Iterable[Raised]) -> Iterable[Output]:
        for one in raised:
            for broker in one.brokers:
                account = self._worker.settings.account_key(broker)
                signal = signal_of(one.wish, one.cause, instance=one.instance, broker=broker, account=account)
                yield self._output(frame, signal, broker, signal.signal_id, signal.origin.event_time)

    def _output(self, frame: TickFrame, body: Signal | SquareOffDue, broker: str, message_id: str, at: int) -> Output:
        envelope = chained(
            body,
            message_id=message_id,
            broker=broker,
            key=body.account,
            source=self._worker.stage,
            at=at,
            first=frame.id,
            cause=frame.id,
        )
        topic = self._worker.topics.name(Topic.SIGNALS_RAW, broker)
        return Output(topic, body.account.encode(), encode(envelope))

    def _count(self, frame: TickFrame, raised: Iterable[Raised]) -> None:
        seconds = (time.time_ns() - frame.received_ns) / NANOSECONDS
        for wish in raised:
            for broker in wish.brokers:
                metrics.SIGNALS.labels(broker, wish.instance).inc()
                metrics.TICK_TO_SIGNAL_SECONDS.labels(broker).observe(seconds)


def attach(worker: Worker) -> None:
    """Declare the stage on `worker`."""
    stage = StrategyRunner(worker)
    worker.consume(worker.topics.name(Topic.MARKET_TICKS), stage.on_frame)
    worker.follow_control(stage.on_control)
    worker.on_recovered(stage.catch_up)
