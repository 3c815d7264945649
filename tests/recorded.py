"""Frames as the feed makes them, a made-up Kafka that holds them, and a process that can be killed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from models.messages.ticks import Tick, TickFrame
from recordings.recorder import TickRecorder
from recordings.store import TickStore
from tests.factories import TOKEN, instrument, tick
from tests.strategy_runs import OPEN

PARTITIONS = 3
TOKENS = tuple(TOKEN + 256 * number for number in range(PARTITIONS))  # one of each partition
KEYS = {token: f"NSE:S{number}" for number, token in enumerate(TOKENS)}
INSTRUMENTS = [
    instrument(instrument_token=token, exchange_token=token // 256, tradingsymbol=f"S{number}")
    for number, token in enumerate(TOKENS)
]
DAY = 86_400
Log = list[list[bytes]]  # by partition, the frames by offset


def frame(clock: int, ticks: Sequence[Tick] = (), run_id: str = "run", received_ns: int | None = None) -> TickFrame:
    """One frame."""
    arrived = clock * 10**9 if received_ns is None else received_ns
    return TickFrame(1, "id", run_id, 1, clock, arrived, "shared", tuple(ticks))


def encoded(one: TickFrame) -> bytes:
    """As it is in Kafka."""
    return msgspec.msgpack.encode(one)


decode = msgspec.msgpack.Decoder(TickFrame).decode


def session(clocks: Sequence[int], seed: int = 1, run_id: str = "run", began: int = 1) -> Log:
    """What the feed sends at these event seconds: empty frames to all partitions, then ticks to some of them.

    `began` is the wall clock's second of the first.
    """
    rng, log, number, now = Random(seed), [[] for _ in range(PARTITIONS)], 0, began * 10**9
    for clock in clocks:
        now += 1
        for partition in range(PARTITIONS):
            log[partition].append(encoded(frame(clock, (), run_id, now)))
        for partition in rng.sample(range(PARTITIONS), rng.randint(0, PARTITIONS)):
            number, now = number + 1, now + 1
            ticks = [tick(sequence=number, at=clock, instrument_token=TOKENS[partition])]
            log[partition].append(encoded(frame(clock, ticks, run_id, now)))
    return log


def minutes(count: int, begin: int = OPEN, every: int = 10) -> list[int]:
    """Event seconds of so many minutes."""
    return [begin + second for second in range(0, count * 60, every)]


def in_order(log: Log) -> list[tuple[int, Tick]]:
    """(clock, tick) of everything, as the feed saw it."""
    frames = [one for each in log for one in map(decode, each)]
    return [(one.event_time, each) for one in sorted(frames, key=lambda one: one.received_ns) for each in one.ticks]


def recorder(store: TickStore) -> TickRecorder:
    """A new one."""
    return TickRecorder(store, PARTITIONS, decode, KEYS)


def feed(one: TickRecorder, log: Log, rng: Random, *, until: Callable[[], bool] = lambda: False) -> None:
    """Read the log from where the recorder is, partitions by turns, at most a few frames each."""
    position = [one.next_offsets.get(partition, 0) for partition in range(PARTITIONS)]
    while any(at < len(frames) for at, frames in zip(position, log, strict=True)):
        partition = rng.randrange(PARTITIONS)
        for _ in range(rng.randint(1, 4)):
            if until():
                return
            if position[partition] < len(log[partition]):
                one.add(partition, position[partition], log[partition][position[partition]])
                position[partition] += 1


def stored(folder: Path) -> list[tuple[int, Tick]]:
    """(clock, tick) of everything in a folder, day after day."""
    store = TickStore(folder)
    return [(clock, tick) for day in store.days() for clock, _, tick in store.read(day)]


class Killed(BaseException):
    """The process is gone."""


FILE_OPERATIONS: tuple[tuple[Any, str], ...] = (
    *((os, name) for name in ("mkdir", "fsync", "replace", "unlink", "rmdir")),
    (shutil, "rmtree"),
)


@contextmanager
def killed_before(operation: int) -> Iterator[list[str]]:
    """Let so many file operations happen; the process dies before the next. Yields the names of those that did."""
    done: list[str] = []

    def guarded(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if len(done) >= operation:
                raise Killed
            done.append(name)
            return real(*args, **kwargs)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for module, name in FILE_OPERATIONS:
            patch.setattr(module, name, guarded(name, getattr(module, name)))
        yield done
