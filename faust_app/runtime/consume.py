"""The one consume loop every agent runs.

For each message, in order: decide (decode, call the domain, write tables), then deliver (wait until the
changelog has the writes, send the outputs, wait until Kafka has them), then count the message as handled.
Decisions are made one after the other; deliveries are grouped, so that a burst waits for Kafka once.

What goes wrong has three ends: a `TransientError` is tried again for as long as it takes, the worker not ready
meanwhile; a poisonous message goes to the dead-letter topic with its origin, the reason and its bytes; and when
even that fails, or too much of it happens (`Brake`), the process dies rather than commit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka.errors import KafkaError, KafkaTimeoutError, ProducerClosed
from faust.exceptions import ProducerSendError

from faust_app.runtime import metrics
from faust_app.runtime.brake import Brake
from faust_app.runtime.dead_letters import dead_letter
from faust_app.runtime.errors import DecodeError, NewerVersion, TransientError
from faust_app.runtime.exact import ExactConsumer
from faust_app.runtime.failpoints import Failpoints
from faust_app.runtime.lifecycle import WorkerState, die
from faust_app.runtime.log_context import handling
from faust_app.runtime.publisher import Publisher
from faust_app.runtime.sections import DeliverySettings
from tables.journal import Output

log = structlog.get_logger(__name__)

IN_FLIGHT = 256  # decided and not yet delivered messages of one agent


@dataclass(frozen=True)
class Record:
    """One consumed message, undecoded."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]
    sent_at: float = 0.0  # Kafka's time of it, in epoch seconds; 0 when there is none

    @property
    def source(self) -> str:
        """`topic/partition`, what offsets are counted by."""
        return f"{self.topic}/{self.partition}"


@dataclass
class Decision:
    """What a handler made of a message: what to send, and what to note once Kafka has it."""

    outputs: list[Output] = field(default_factory=list)
    delivered: Callable[[], None] | None = None
    duplicate: bool = False


Handler = Callable[[Record], Awaitable[Decision]]


@dataclass
class _Pending:
    message: Any
    record: Record
    decision: Decision
    writes: list[Any]
    started: float


class ConsumeLoop:
    """Runs one agent. `stage` and `broker` label its metrics; `take_writes` hands over unacknowledged table writes."""

    def __init__(
        self,
        *,
        stage: str,
        broker: str,
        topic: str,
        handler: Handler,
        publisher: Publisher,
        take_writes: Callable[[], list[Any]],
        consumer: Callable[[], ExactConsumer],
        settings: DeliverySettings,
        state: WorkerState,
    ) -> None:
        self._handler = handler
        self._publisher = publisher
        self._take_writes = take_writes
        self._consumer = consumer
        self._settings = settings
        self._state = state
        self._labels = (stage, broker, topic)
        self._dependency, self._kafka = f"dependency of {topic}", f"kafka for {topic}"
        self._brake = Brake(settings.brake_consecutive, settings.brake_per_minute)
        self._failpoints = Failpoints(settings.failpoint, f"{stage}.{broker}")
        self._queue: asyncio.Queue[_Pending] = asyncio.Queue(IN_FLIGHT)
        self._in_hand: dict[int, Any] = {}  # messages begun and not completed, by identity
        self._received = metrics.MESSAGES_RECEIVED.labels(*self._labels)
        self._handled = metrics.MESSAGES_HANDLED.labels(*self._labels)
        self._seconds = metrics.MESSAGE_SECONDS.labels(*self._labels)
        self._duplicates = metrics.DUPLICATES_SUPPRESSED.labels(*self._labels)

    async def run(self, stream: Any) -> None:
        """Consume until the stream ends. Called by the Faust agent; anything unexpected ends the process."""
        delivery = asyncio.create_task(self._deliver_all())
        try:
            async for event in stream.events():
                if delivery.done():
                    break
                await self._take(event)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            die(f"{'/'.join(self._labels)}: the consume loop failed", error)
        finally:
            delivery.cancel()
            self._abandon_all()

    def _abandon_all(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()
        while self._in_hand:
            self._consumer().abandon(self._in_hand.popitem()[1])

    async def _take(self, event: Any) -> None:
        message = event.message
        self._received.inc()
        self._consumer().begin(message)
        self._in_hand[id(message)] = message
        record = _record(message)
        started = time.perf_counter()
        handling(record)
        decision = await self._decide(record)
        handling(None)
        await self._queue.put(_Pending(message, record, decision, self._take_writes(), started))

    async def _decide(self, record: Record) -> Decision:
        try:
            decision = await self._try_until_it_works(record)
        except NewerVersion as error:
            return self._divert(record, error, "version")
        except DecodeError as error:
            return self._divert(record, error, "decode")
        except Exception as error:
            log.exception("handler_failed", topic=record.topic, partition=record.partition, offset=record.offset)
            return self._divert(record, error, "handler")
        self._brake.passed(record.partition)
        self._failpoints.reached("decided")
        if decision.duplicate:
            self._duplicates.inc()
        return decision

    async def _try_until_it_works(self, record: Record) -> Decision:
        wait = self._settings.retry_first_seconds
        while True:
            try:
                decision = await self._handler(record)
            except TransientError as error:
                self._state.degraded(self._dependency, str(error))
                stage, broker, _ = self._labels
                metrics.RETRIES.labels(stage, broker, type(error.__cause__ or error).__name__).inc()
                await asyncio.sleep(wait)
                wait = min(wait * 2, self._settings.retry_most_seconds)
            else:
                self._state.recovered(self._dependency)
                return decision

    def _divert(self, record: Record, error: Exception, reason: str) -> Decision:
        stage, broker, topic = self._labels
        metrics.DEAD_LETTERS.labels(stage, broker, topic, reason).inc()
        log.warning(
            "dead_letter", topic=record.topic, partition=record.partition, offset=record.offset, reason=reason,
            error=str(error)[:300],
        )  # fmt: skip
        if self._brake.tripped_by(record.partition, time.monotonic()):
            die(f"{'/'.join(self._labels)}: too many dead letters", error)
        return Decision([dead_letter(record, reason, error, stage)])

    async def _deliver_all(self) -> None:
        try:
            while True:
                group = [await self._queue.get()]
                while not self._queue.empty():
                    group.append(self._queue.get_nowait())
                await self._deliver(group)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            die(f"{'/'.join(self._labels)}: delivery failed", error)

    async def _deliver(self, group: Sequence[_Pending]) -> None:
        writes = [write for pending in group for write in pending.writes]
        if writes:
            await asyncio.gather(*writes)
        self._failpoints.reached("written")
        outputs = [output for pending in group for output in pending.decision.outputs]
        await self._send_until_it_works(outputs)
        self._failpoints.reached("sent")
        finished = time.perf_counter()
        for pending in group:
            handling(pending.record)
            self._finish(pending, finished)
        handling(None)

    async def _send_until_it_works(self, outputs: list[Output]) -> None:
        wait = self._settings.retry_first_seconds
        while outputs:
            try:
                await self._publisher.send_all(outputs)
            except (KafkaError, ProducerSendError) as error:
                stage, broker, _ = self._labels
                metrics.SEND_ERRORS.labels(stage, broker).inc()
                if not _is_away(error):
                    raise
                self._state.degraded(self._kafka, f"Kafka does not take messages: {error}")
                await asyncio.sleep(wait)
                wait = min(wait * 2, self._settings.retry_most_seconds)
            else:
                self._state.recovered(self._kafka)
                return

    def _finish(self, pending: _Pending, finished: float) -> None:
        del self._in_hand[id(pending.message)]
        self._consumer().complete(pending.message)
        self._handled.inc()
        self._seconds.observe(finished - pending.started)
        if pending.decision.delivered is not None:
            pending.decision.delivered()


def _is_away(error: Exception) -> bool:
    """True when Kafka may take the same message later; False for one it will never take."""
    cause = error.__cause__ if isinstance(error, ProducerSendError) else error
    return isinstance(cause, (KafkaTimeoutError, ProducerClosed)) or bool(getattr(cause, "retriable", False))


def _record(message: Any) -> Record:
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=_headers(message.headers),
        sent_at=message.timestamp or 0.0,
    )


def _headers(raw: Any) -> dict[str, bytes]:
    return dict(raw.items() if hasattr(raw, "items") else raw or ())
