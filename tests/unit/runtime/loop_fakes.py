"""What is around a consume loop, made of lists: a stream, a consumer, a publisher, a table. All note to one log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from prometheus_client import REGISTRY

from faust_app.runtime.consume import ConsumeLoop, Decision, Handler, Record
from faust_app.runtime.lifecycle import WorkerState
from faust_app.runtime.sections import DeliverySettings
from tables.journal import Output

TOPIC = "paper.signals.raw"
OUT = "paper.signals.validated"
_stages = count(1)


class Died(BaseException):
    """Stands for the end of the process."""


@dataclass(eq=False)
class Message:
    """A Kafka message as Faust shows it."""

    offset: int
    value: bytes | None = b"value"
    key: bytes | None = b"key"
    partition: int = 0
    topic: str = TOPIC
    headers: Any = ()
    timestamp: float | None = None


@dataclass
class Event:
    """A message on its way through a stream."""

    message: Message


class Stream:
    """Yields what is put into it until `close`."""

    def __init__(self, *messages: Message) -> None:
        self._queue: asyncio.Queue[Message | None] = asyncio.Queue()
        for message in messages:
            self._queue.put_nowait(message)

    def put(self, *messages: Message) -> None:
        for message in messages:
            self._queue.put_nowait(message)

    def close(self) -> None:
        self._queue.put_nowait(None)

    async def events(self) -> AsyncIterator[Event]:
        while (message := await self._queue.get()) is not None:
            yield Event(message)


class Table(dict[str, bytes]):
    """A table whose writes the test acknowledges; `holding` keeps them back."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self._log = log
        self.pending: list[asyncio.Future[None]] = []
        self.held: list[asyncio.Future[None]] = []
        self.holding = False
        self.failing: Exception | None = None

    def __setitem__(self, key: str, value: bytes) -> None:
        super().__setitem__(key, value)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._log.append(f"write {key}")
        if self.failing is not None:
            future.set_exception(self.failing)
        elif self.holding:
            self.held.append(future)
        else:
            future.set_result(None)
        self.pending.append(future)

    def take(self) -> list[asyncio.Future[None]]:
        taken, self.pending = self.pending, []
        return taken

    def acknowledge(self) -> None:
        for future in self.held:
            future.set_result(None)
        self.held.clear()


@dataclass
class Around:
    """A loop and everything it touches."""

    log: list[str] = field(default_factory=list)
    sent: list[Output] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)  # raised by the next sends, in turn
    deaths: list[tuple[str, BaseException]] = field(default_factory=list)
    state: WorkerState = field(default_factory=WorkerState)
    stage: str = field(default_factory=lambda: f"stage{next(_stages)}")
    gate: asyncio.Event | None = None  # sends wait for it

    def __post_init__(self) -> None:
        self.table = Table(self.log)
        self.state.recovered("start")

    def loop(self, handler: Handler, topic: str = TOPIC, **settings: Any) -> ConsumeLoop:
        values = {"retry_first_seconds": 0.001, "retry_most_seconds": 0.004, **settings}
        return ConsumeLoop(
            stage=self.stage,
            broker="paper",
            topic=topic,
            handler=handler,
            publisher=self,  # type: ignore[arg-type]
            take_writes=self.table.take,
            consumer=lambda: self,  # type: ignore[arg-type,return-value]
            settings=DeliverySettings(**values),
            state=self.state,
        )

    def begin(self, message: Message) -> None:
        self.log.append(f"begin {message.offset}")

    def complete(self, message: Message) -> None:
        self.log.append(f"complete {message.offset}")

    def abandon(self, message: Message) -> None:
        self.log.append(f"abandon {message.offset}")

    async def send_all(self, outputs: Sequence[Output]) -> None:
        self.log.append(f"send {len(outputs)}")
        if self.gate is not None:
            await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.sent.extend(outputs)
        self.log.append("acknowledged")

    def die(self, what: str, error: BaseException) -> None:
        self.deaths.append((what, error))
        raise Died(what)

    def metric(self, name: str, topic: str = TOPIC, **labels: str) -> float:
        """Value of one of this loop's counters; `topic` is empty for those without that label."""
        found = {"stage": self.stage, "broker": "paper", "topic": topic, **labels}
        given = {label: value for label, value in found.items() if value}
        return REGISTRY.get_sample_value(f"alpha_panda_{name}", given) or 0.0

    def offsets(self, what: str) -> list[int]:
        """Offsets the consumer was told `what` of, in order."""
        return [int(line.split()[1]) for line in self.log if line.startswith(f"{what} ")]


async def until(condition: Callable[[], Any], seconds: float = 5.0) -> None:
    """Wait until `condition` is true; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.001)


async def consume(loop: ConsumeLoop, stream: Stream, finished: Callable[[], Any]) -> None:
    """Run `loop` until `finished`, then end the stream. What the loop raises is raised here."""
    running = asyncio.create_task(loop.run(stream))
    try:
        await until(lambda: finished() or running.done())
        stream.close()
        await running
    finally:
        running.cancel()


def handler_of(function: Callable[[Any], Any]) -> Callable[[Any], Awaitable[Any]]:
    """An asynchronous handler that only calls `function`."""

    async def handle(record: Any) -> Any:
        return function(record)

    return handle


def echo(record: Record) -> Decision:
    """One output with the message's own key and bytes."""
    return Decision([Output(OUT, record.key, record.value)])


def failing(error: Exception, times: int = 1_000_000) -> Handler:
    """A handler that raises `error` so many times, and echoes from then on."""
    left = [times]

    async def handle(record: Record) -> Decision:
        left[0] -= 1
        if left[0] >= 0:
            raise error
        return echo(record)

    return handle
