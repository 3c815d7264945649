"""Square-off: when the market's clock says so, exits of intraday positions are raised, signals like any other.

The clock is that of the marks, so a replay squares off where the recorded day did. A signal that is raised again, by
another look or after a restart, has the same id and is decided once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog

from faust_app.runtime.app import Worker
from faust_app.runtime.codec import encode, event_time, root
from faust_app.runtime.market_view import MarketView
from faust_app.runtime.topics import Topic
from models.messages.signals import Signal
from tables.journal import Output
from trading.market.sessions import square_off, trading_day
from trading.risk.exposure import Exposure
from trading.risk.square_off import MINUTE, square_offs

log = structlog.get_logger(__name__)
LOOK_SECONDS = 0.25


class SquareOff:
    """Looks once in each minute of the market; `exposures` gives those of the assigned partitions."""

    def __init__(
        self, worker: Worker, view: MarketView, exposures: Callable[[], Iterable[tuple[str, Exposure]]]
    ) -> None:
        self._worker = worker
        self._view = view
        self._exposures = exposures
        self._looked: tuple[str, int] = ("", 0)  # run and minute

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Raise what is due in this minute, once; what Kafka did not take is tried again."""
        view = self._view
        minute = view.run_id, view.clock // MINUTE
        if not view.clock or minute == self._looked:
            return
        due = [signal for _, exposure in self._exposures() for signal in self._due(exposure)]
        for signal in due:
            if not await self._worker.try_send(self._output(signal)):
                return
            log.info("squaring_off", strategy=signal.strategy, instrument=signal.instrument)
        self._looked = minute

    def _due(self, exposure: Exposure) -> Iterable[Signal]:
        return square_offs(
            exposure.account,
            self._view.clock,
            self._square_off,
            self._view.prices,
            run_id=self._view.run_id,
            broker=self._worker.broker,
        )

    def _square_off(self, token: int, second: int) -> int | None:
        return square_off(self._view.registry.by_token(token), trading_day(second))

    def _output(self, signal: Signal) -> Output:
        envelope = root(
            signal,
            message_id=signal.signal_id,
            broker=self._worker.broker,
            key=signal.account,
            source=self._worker.stage,
            at=event_time(signal.origin.event_time),
        )
        topic = self._worker.topics.name(Topic.SIGNALS_RAW, self._worker.broker)
        return Output(topic, signal.account.encode(), encode(envelope))
