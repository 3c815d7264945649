"""A live account with its risk manager, its engine and the kill switch in a real Redis, on the sandbox exchange.

No frame and no mark ever comes: the feed is down. Everything may be restarted at any effect of the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from agents import exits, withdrawals
from agents.risk_manager import RiskManager
from faust_app.runtime import trading_state
from faust_app.runtime.lifecycle import WorkerState
from faust_app.runtime.redis_keys import ALL
from faust_app.runtime.settings import Settings
from faust_app.runtime.topics import Topic
from faust_app.runtime.trading_state import TradingStateStore, redis_client
from models.messages.control import TradingState
from models.messages.orders import OrderFailed, PlannedOrder
from models.messages.signals import DeniedSignal, Signal
from models.messages.ticks import to_rupees
from tests.chaos.incarnation import BROKER, Incarnation
from tests.chaos.live_world import ACCOUNT, LiveWorld, quick
from tests.exchange import Exchange
from tests.factories import limits, origin, signal
from trading.market.instruments import Instrument, InstrumentRegistry

READ_BY_RISK = (Topic.SIGNALS_RAW, Topic.ORDERS_FILLED, Topic.ORDERS_FAILED)
RISK, ENGINE = f"risk_manager.{BROKER}", f"trading_engine.{BROKER}"
LOOK_SECONDS = 0.05


@contextmanager
def hurried() -> Iterator[None]:
    """Timers that look more often, as the world's clock runs faster."""
    before = exits.SECONDS, withdrawals.SECONDS, trading_state.POLL_SECONDS
    exits.SECONDS = withdrawals.SECONDS = trading_state.POLL_SECONDS = LOOK_SECONDS
    try:
        with quick():
            yield
    finally:
        exits.SECONDS, withdrawals.SECONDS, trading_state.POLL_SECONDS = before


class Life(Incarnation):
    """An engine, and beside it a risk manager that dies with it."""

    def __init__(self, world: FlattenWorld) -> None:
        super().__init__(world)
        self.engine._withdrawals.forget()
        self._background += [
            ("withdrawals", self.engine._withdrawals.run),
            ("risk", self._risk),
        ]
        self.risk = self._new_risk(world)
        self._flatten_world = world

    def _new_risk(self, world: FlattenWorld) -> Any:
        worker: Any = SimpleNamespace(
            settings=world.settings,
            broker=BROKER,
            stage="risk_manager",
            topics=world.topics,
            table=lambda name, help_text: world.tables.setdefault(name, {}),
            publisher=SimpleNamespace(send_all=self._send_all),
            state=WorkerState(),
        )
        made: Any = RiskManager(worker)
        made._registry = made._view.registry = InstrumentRegistry(world.instruments)
        given = limits()
        made._limits = SimpleNamespace(of_account=given, of_strategy=lambda name: given, ready=lambda: asyncio.sleep(0))
        made._exits.clock.now = world.now
        made._exits.clock.hear(world.opened_at)
        return made

    async def _risk(self) -> None:
        await self.risk.forget()
        tasks = [asyncio.create_task(work()) for work in (self.risk.follow_trading_state, self.risk._exits.run)]
        handlers = dict(zip(READ_BY_RISK, (self.risk.on_signal, self.risk.on_filled, self.risk.on_failed), strict=True))
        try:
            while not self.is_dead:
                for topic in READ_BY_RISK:
                    while (record := self._flatten_world.next_record(topic)) is not None:
                        await self._handle(handlers[topic], topic, record)
                await asyncio.sleep(0.005)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class FlattenWorld(LiveWorld):
    """The world over all lives. Wishes go through risk."""

    def __init__(self, exchange: Exchange, settings: Settings) -> None:
        super().__init__(exchange, settings)
        self.rows_before = len(self.book())
        self.trading_state = None
        self.trades_before = len(self._trades())
        self._redis = redis_client(settings)
        self.store = TradingStateStore(settings, self._redis)

    def new_life(self) -> Incarnation:
        return Life(self)

    async def end(self) -> None:
        await super().end()
        await self._redis.aclose()

    @property
    def follows(self) -> bool:
        """Both workers know the trading state."""
        if not isinstance(self.life, Life):
            return False
        return bool(self.life.engine._trading_state.is_current and self.life.risk._trading_state.is_current)

    async def allow(self) -> None:
        """Trading is active."""
        await self.store.write(ALL, TradingState.ACTIVE, "test", "")

    async def flatten(self, scope: str = ALL) -> int:
        """What `halt --flatten` does."""
        return await self.store.write(scope, TradingState.REDUCING, "test", "", flatten=True)

    def wish(self, name: str, instrument: Instrument, **terms: Any) -> Signal:
        """A strategy's signal, on a tick of just now."""
        second = self.second()
        seen = origin(
            instrument_token=instrument.instrument_token,
            event_time=second,
            clock=second,
            price=to_rupees(self.prices[instrument.key]),
            received_ns=int(self.now() * 1e9),
        )
        made = signal(
            signal_id=name,
            account=ACCOUNT,
            instrument=instrument.key,
            instrument_token=instrument.instrument_token,
            origin=seen,
            **terms,
        )
        self.say(Topic.SIGNALS_RAW, made, name)
        return made

    def second(self) -> int:
        """The exchange's clock."""
        return int(self.exchange.call(lambda: self.exchange.sandbox.broker.clock.now))

    def book_of(self, instrument: Instrument, bid_percent: str) -> None:
        """The best bid is so far below the last price; the offer is just above it."""
        price = to_rupees(self.prices[instrument.key])
        bid = (price * (1 - Decimal(bid_percent) / 100)).quantize(Decimal(1))
        offer = price + instrument.tick_size
        self.exchange.tick(instrument.key, str(price), buy=[[str(bid), 10_000]], sell=[[str(offer), 10_000]])

    def _trades(self) -> list[tuple[str, int]]:
        """Instrument and signed quantity of every trade of the account, in order."""

        def read() -> list[tuple[str, int]]:
            found = self.exchange.sandbox.broker.book.trades()
            return [(one.order.terms.instrument.key, one.order.terms.side.sign * one.quantity) for one in found]

        return self.exchange.call(read)

    def paths(self) -> dict[str, list[int]]:
        """By instrument, the account's position at the exchange after each of its trades."""
        found: dict[str, list[int]] = {}
        for key, signed in self._trades()[self.trades_before :]:
            path = found.setdefault(key, [])
            path.append((path[-1] if path else 0) + signed)
        return found

    def positions(self) -> dict[str, int]:
        """What is held at the exchange."""
        return {key: path[-1] for key, path in self.paths().items() if path[-1]}

    def believed(self) -> dict[str, int]:
        """What risk believes is held, by instrument and strategy."""
        exposure = None if self.life is None else self.life.risk._known()  # type: ignore[attr-defined]
        held = [] if exposure is None else exposure.account.positions.values()
        return {f"{one.instrument} {one.strategy}": one.quantity for one in held if one.quantity}

    def working(self) -> list[dict[str, Any]]:
        """Orders that rest at the exchange."""
        ended = ("COMPLETE", "CANCELLED", "REJECTED")
        return [row for row in self.book()[self.rows_before :] if row["status"] not in ended]

    def exits(self) -> list[PlannedOrder]:
        """Exits that were approved, in order."""
        approved = [order for one in self.events(Topic.SIGNALS_VALIDATED) for order in one.orders]
        return [order for order in approved if order.reduces]

    def denials(self) -> list[DeniedSignal]:
        """Signals that were denied."""
        return self.events(Topic.SIGNALS_REJECTED)

    def events_failed(self) -> list[OrderFailed]:
        """Orders that ended without filling."""
        return self.events(Topic.ORDERS_FAILED)

    async def run_while(self, work: Any) -> Any:
        """Let everything run until `work` is done."""
        task = asyncio.ensure_future(work)
        try:
            await self.run_until(task.done, "the work ends")
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                if not task.done():
                    task.cancel()
        return await task
