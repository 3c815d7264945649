"""Runs strategy instances over the frames of one partition, each isolated from the others' errors."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from faust_app.runtime import metrics
from faust_app.runtime.reference_data import StrategyInstance
from models.messages.ticks import Tick, TickFrame
from tables.strategy_state import Checkpoint
from trading.market.instruments import Instrument, InstrumentRegistry
from trading.strategies.base import Strategy, Wish
from trading.strategies.registry import find
from trading.strategies.signals import Cause, Sourced, sourced

log = structlog.get_logger(__name__)
EVERYTHING = "*"


@dataclass(frozen=True)
class Raised:
    """One wish of one instance, with what it answers."""

    instance: str
    brokers: tuple[str, ...]
    wish: Sourced
    cause: Cause


@dataclass(frozen=True)
class HostedInstance:
    """One configured strategy instance, ready to be built per partition. `definition` changes with its meaning."""

    name: str
    strategy: type[Strategy]
    parameters: Any
    instruments: Mapping[int, Instrument]
    brokers: tuple[str, ...]
    definition: str

    @classmethod
    def build(cls, row: StrategyInstance, registry: InstrumentRegistry) -> HostedInstance:
        """From its row; raises the registry's, pydantic's or the strategy's error when something is wrong with it."""
        strategy = find(row.strategy)
        parameters = strategy.parameters_type(**row.parameters)
        chosen = list(registry) if EVERYTHING in row.instruments else _chosen(row.instruments, registry)
        instruments = {one.instrument_token: one for one in chosen if one.is_tradable}
        strategy.check_instruments(list(instruments.values()))
        digest = hashlib.sha256(msgspec.json.encode([row.strategy, parameters.model_dump(mode="json")]))
        return cls(row.instance, strategy, parameters, instruments, tuple(row.brokers), digest.hexdigest()[:16])

    def new(self) -> Strategy:
        """A fresh strategy."""
        return self.strategy(self.parameters, self.instruments)


def _chosen(keys: Sequence[str], registry: InstrumentRegistry) -> list[Instrument]:
    found = [registry.by_key(key) for key in keys]
    missing = [key for key, one in zip(keys, found, strict=True) if one is None]
    if missing:
        log.warning("strategy_instruments_unknown", instruments=missing)
    return [one for one in found if one is not None]


class _Running:
    """One instance over one partition, and the last frame it has seen."""

    def __init__(self, instance: HostedInstance) -> None:
        self.instance = instance
        self.strategy = instance.new()
        self.offset = -1
        self.run_id = ""
        self.frame_sequence = 0
        self.saved_at = 0
        self.errors: set[str] = set()


class Host:
    """The instances over one partition. Frames are applied in order, each at most once."""

    def __init__(self, partition: int, instances: Mapping[str, HostedInstance]) -> None:
        self._partition = partition
        self._running: dict[str, _Running] = {}
        self._watchers: dict[int, list[_Running]] = {}
        self._run_id = ""
        self._sequence = 0
        self._clock = 0
        self.replace(instances)

    @property
    def instances(self) -> list[str]:
        """Names of the instances that run here."""
        return list(self._running)

    def replace(self, instances: Mapping[str, HostedInstance]) -> None:
        """Take over the configured instances; those whose definition is unchanged keep their state."""
        kept = {}
        for name, instance in instances.items():
            before = self._running.get(name)
            unchanged = before is not None and before.instance.definition == instance.definition
            if before is not None and unchanged:
                before.instance = instance
                before.strategy.instruments = instance.instruments
                kept[name] = before
            else:
                kept.update(self._started(instance))
        self._running = kept
        self._watchers = defaultdict(list)
        for running in kept.values():
            for token in running.instance.instruments:
                self._watchers[token].append(running)

    def _started(self, instance: HostedInstance) -> dict[str, _Running]:
        """The instance, running; nothing when it cannot be built, which is counted, and the others go on."""
        try:
            return {instance.name: _Running(instance)}
        except Exception as error:
            metrics.STRATEGY_ERRORS.labels(instance.name).inc()
            log.exception("strategy_cannot_be_built", strategy=instance.name, error=f"{type(error).__name__}: {error}")
            return {}

    def restore(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Continue from checkpoints; a strategy whose checkpoint is of another definition or shape warms up again."""
        for checkpoint in checkpoints:
            running = self._running.get(checkpoint.instance)
            if running is None or running.instance.definition != checkpoint.definition:
                continue
            try:
                running.strategy.load_state(checkpoint.state)
            except msgspec.MsgspecError as error:
                log.warning("strategy_state_refused", strategy=checkpoint.instance, error=str(error))
                continue
            running.offset = checkpoint.offset
            running.run_id = checkpoint.run_id
            running.frame_sequence = checkpoint.frame_sequence
        latest = max(self._running.values(), key=lambda one: one.offset, default=None)
        if latest is not None and latest.offset >= 0:
            self._run_id, self._sequence = latest.run_id, latest.frame_sequence

    def next_offset(self, *, default: int) -> int:
        """First offset that some restored instance has not seen; `default` when none was restored."""
        restored = [running.offset + 1 for running in self._running.values() if running.offset >= 0]
        return min(restored, default=default)

    def has_seen(self, frame: TickFrame) -> bool:
        """True for a frame that was already applied: redelivered, or produced twice."""
        return frame.run_id == self._run_id and frame.sequence <= self._sequence

    def apply(self, offset: int, frame: TickFrame) -> Iterator[Raised]:
        """Give the clock, then each tick, to every instance that has not seen the frame; yields what they wish."""
        self._run_id, self._sequence = frame.run_id, frame.sequence
        ahead = [running for running in self._running.values() if offset <= running.offset]
        clock, watchers = frame.event_time, self._watchers
        if clock != self._clock:
            self._clock = clock
            yield from self._tell_clock(frame, ahead)
        for tick in frame.ticks:
            for running in watchers.get(tick.instrument_token, ()):
                if ahead and running in ahead:
                    continue
                try:
                    wishes = running.strategy.on_tick(tick, clock)
                except Exception as error:
                    self._note_error(running, error)
                    continue
                if wishes:
                    yield from self._raised(running, frame, tick, wishes)
        for running in self._running.values():
            if offset > running.offset:
                running.offset, running.run_id, running.frame_sequence = offset, frame.run_id, frame.sequence

    def _tell_clock(self, frame: TickFrame, ahead: Sequence[_Running]) -> Iterator[Raised]:
        for running in self._running.values():
            if running in ahead:
                continue
            try:
                wishes = running.strategy.on_clock(frame.event_time)
            except Exception as error:
                self._note_error(running, error)
                continue
            if wishes:
                yield from self._raised(running, frame, None, wishes)

    def _raised(
        self, running: _Running, frame: TickFrame, tick: Tick | None, wishes: Sequence[Wish]
    ) -> Iterator[Raised]:
        cause = Cause(
            run_id=frame.run_id, frame_id=frame.id, clock=frame.event_time, received_ns=frame.received_ns, tick=tick
        )
        for one in sourced(running.strategy, wishes, cause):
            if isinstance(one, LookupError):
                self._note_error(running, one)
            else:
                yield Raised(running.instance.name, running.instance.brokers, one, cause)

    def _note_error(self, running: _Running, error: Exception) -> None:
        metrics.STRATEGY_ERRORS.labels(running.instance.name).inc()
        kind = f"{type(error).__name__}: {error}"
        if kind not in running.errors:
            running.errors.add(kind)
            log.error("strategy_raised", strategy=running.instance.name, error=kind, exc_info=error)

    def due(self, frame: TickFrame, every_seconds: int) -> Iterator[Checkpoint]:
        """Checkpoints to save before `frame` is applied: instances whose last one is `every_seconds` old."""
        for running in self._running.values():
            if running.offset < 0 or abs(frame.event_time - running.saved_at) < every_seconds:
                continue
            running.saved_at = frame.event_time
            yield Checkpoint(
                instance=running.instance.name,
                partition=self._partition,
                definition=running.instance.definition,
                offset=running.offset,
                run_id=running.run_id,
                frame_sequence=running.frame_sequence,
                state=running.strategy.dump_state(),
            )
