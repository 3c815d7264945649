"""The trading engine's handlers with topics and tables in memory: its messages loop back, late, twice, or never."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any

from agents.trading_engine import TradingEngine
from faust_app.runtime.codec import decode_any, encode, encode_frame, event_time, root
from faust_app.runtime.consume import Record
from faust_app.runtime.settings import load_settings
from faust_app.runtime.topics import Topic, Topics
from models.messages.control import TradingState
from models.messages.orders import OrderAcknowledged, OrderFailed, OrderFilled, PlannedOrder
from models.messages.ticks import FRAME_VERSION, Tick, TickFrame
from tables.journal import Output
from tests.factories import ACCOUNT, cancel_of, decision, instrument
from trading.market.instruments import Instrument, InstrumentRegistry
from trading.matching.rules import MatchingRules
from trading.orders.state import OrderRecord

Event = OrderAcknowledged | OrderFilled | OrderFailed
KIND = {OrderAcknowledged: "acknowledged", OrderFilled: "filled", OrderFailed: "failed"}


def event_key(event: Event) -> tuple[str, ...]:
    """What makes an event the same event, and all that risk and accounting see of it."""
    if isinstance(event, OrderAcknowledged):
        return "acknowledged", event.order_id, str(event.event_time)
    if isinstance(event, OrderFilled):
        price, quantity = str(event.price.normalize()), str(event.cumulative_quantity)
        return "filled", event.order.order_id, quantity, price, str(event.event_time)
    return "failed", event.order.order_id, event.outcome.value, event.reason, str(event.event_time)


class Loop:
    """An engine of one partition. `rng` decides about delays, crashes and repeats; None is a pipeline without any."""

    def __init__(self, rules: MatchingRules, rng: Random | None = None, listed: Instrument | None = None) -> None:
        self._listed = listed or instrument()
        self._settings = load_settings("base")
        self.topics = Topics(self._settings)
        self._rules = rules
        self._rng = rng
        self._tables: dict[str, dict[str, bytes]] = {}
        self._names = {name: self.topics.name(name, "paper") for name in Topic if not name.is_shared}
        self._ticks = self.topics.name(Topic.MARKET_TICKS)
        self._logs: dict[str, list[bytes]] = {}
        self._done: dict[str, int] = {}
        self._frames = 0
        self.engine = self._new_engine()

    def _new_engine(self) -> TradingEngine:
        worker: Any = SimpleNamespace(
            broker="paper",
            stage="trading_engine",
            settings=self._settings,
            topics=SimpleNamespace(name=self.topics.name, partition=lambda group: 0),
            table=lambda name, help_text: self._tables.setdefault(name, {}),
        )
        engine: Any = TradingEngine(worker)
        engine._registry = InstrumentRegistry([self._listed])
        engine._trading_state = SimpleNamespace(state_for=lambda broker, strategy: TradingState.ACTIVE)
        engine._exchange._rules = self._rules
        engine._orders.forget()
        engine._exchange.forget()
        engine._desks.rebuild(engine._partition)
        for raw in self._logs.get(self._ticks, [])[: self._done.get(self._ticks, 0)]:
            engine.remember(0, raw)
        return engine

    def _handler(self, topic: str) -> Callable[[Record], Any]:
        return {
            self._names[Topic.SIGNALS_VALIDATED]: self.engine.on_accepted,
            self._names[Topic.ORDERS_SUBMITTED]: self.engine.on_submitted,
            self._names[Topic.ORDERS_UPDATES]: self.engine.on_update,
            self._ticks: self.engine.on_frame,
        }[topic]

    def accept(self, order: PlannedOrder) -> None:
        """Risk approves an order."""
        self._append(self._names[Topic.SIGNALS_VALIDATED], encode(decision(order, "paper", ACCOUNT)))

    def cancel(self, order: PlannedOrder, at: int) -> None:
        """Somebody wants the rest of an order cancelled."""
        body = cancel_of(order, at)
        envelope = root(body, message_id=f"cancel {at}", broker="paper", key=ACCOUNT, source="risk", at=event_time(at))
        self._append(self._names[Topic.ORDERS_SUBMITTED], encode(envelope))

    def restart(self) -> None:
        """The worker dies; another one finds what topics and tables hold."""
        self.engine = self._new_engine()

    def handle(self, topic: Topic, *, dies: bool = False) -> None:
        """Handle a topic's next message; a worker that dies has written its table, nothing else."""
        name = self._names[topic]
        outputs = self._decide(name, self._done.get(name, 0))
        if dies:
            self.restart()
            return
        self._send(outputs)
        self._done[name] = self._done.get(name, 0) + 1

    def frame(self, clock: int, *ticks: Tick) -> None:
        """A frame is there, and is handled."""
        self._frames += 1
        frame = TickFrame(FRAME_VERSION, f"frame-{self._frames}", "run", self._frames, clock, 1, "shared", ticks)
        self._append(self._ticks, encode_frame(frame))
        self._handle(self._ticks)

    def _append(self, topic: str, value: bytes) -> None:
        self._logs.setdefault(topic, []).append(value)

    def _waiting(self) -> list[str]:
        return [
            topic
            for name in (Topic.SIGNALS_VALIDATED, Topic.ORDERS_SUBMITTED, Topic.ORDERS_UPDATES)
            if self._done.get(topic := self._names[name], 0) < len(self._logs.get(topic, ()))
        ]

    def settle(self) -> None:
        """Handle everything, as the replay barrier waits for."""
        while waiting := self._waiting():
            self._handle(waiting[0] if self._rng is None else self._rng.choice(waiting))

    def dawdle(self) -> None:
        """Handle some of what waits, or nothing."""
        while self._rng is not None and (waiting := self._waiting()) and self._rng.random() < 0.5:
            self._handle(self._rng.choice(waiting))

    def _handle(self, topic: str) -> None:
        """Handle one message; the worker may die before its outputs are sent, or before it is counted as handled."""
        offset = self._done.get(topic, 0)
        fate = "done" if self._rng is None else self._rng.choices(["done", "not sent", "not counted"], [20, 1, 1])[0]
        outputs = self._decide(topic, offset)
        if fate != "not sent":
            self._send(outputs)
        if fate != "done":
            self.engine = self._new_engine()
            self._send(self._decide(topic, offset))
        self._done[topic] = offset + 1

    def _decide(self, topic: str, offset: int) -> list[Output]:
        record = Record(topic, 0, offset, None, self._logs[topic][offset], {})
        decision = asyncio.run(self._handler(topic)(record))
        if decision.delivered is not None:
            decision.delivered()
        return decision.outputs

    def _send(self, outputs: list[Output]) -> None:
        for output in outputs:
            assert output.value is not None
            self._append(output.topic, output.value)

    @property
    def logs(self) -> dict[str, list[bytes]]:
        """Every message there was, by topic."""
        return self._logs

    def repeat(self, topic: Topic) -> None:
        """Everything on a topic comes once more."""
        for value in list(self._logs.get(self._names[topic], ())):
            self._append(self._names[topic], value)

    def records(self) -> dict[str, OrderRecord]:
        """Our orders by id."""
        return {record.order.order_id: record for _, record in self.engine._orders.states()}

    def events(self) -> set[tuple[str, ...]]:
        """What was told to risk and accounting, repeats left out by their ids."""
        found: dict[str, Event] = {}
        for name in (Topic.ORDERS_ACK, Topic.ORDERS_FILLED, Topic.ORDERS_FAILED):
            for raw in self._logs.get(self._names[name], ()):
                envelope = decode_any(raw)
                again = found.setdefault(envelope.id, envelope.data)
                assert again == envelope.data, "one id, two messages"
        return {event_key(event) for event in found.values()}
