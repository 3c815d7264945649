"""Leaving positions, on the risk manager's side: its own timer says that exits are due, and its agent raises them.

The timer runs on the clock at the exchange, which for a live account goes on when the feed is dead, and says so in a
message to the risk manager itself: only the agent changes an account.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from msgspec.structs import replace

from agents.order_lines import about
from faust_app.runtime import metrics
from faust_app.runtime.app import Worker
from faust_app.runtime.codec import encode, event_time, root
from faust_app.runtime.exchange_clock import ExchangeClock, exchange_clock
from faust_app.runtime.market_view import MarketView
from faust_app.runtime.publisher import SEND_FAILURES
from faust_app.runtime.topics import Topic
from faust_app.runtime.trading_state import TradingStateView
from models.messages import ids
from models.messages.orders import OrderFailed, OrderFilled
from models.messages.signals import ExitsDue, Signal
from tables.journal import Output
from trading.market.instruments import Instrument
from trading.market.sessions import square_off, trading_day
from trading.risk.exits import CAUSE, Chasing, begin_round, describe, exits_due, follow_up, note_failed, note_filled
from trading.risk.exposure import Exposure

log = structlog.get_logger(__name__)
SECONDS = 1.0  # between two looks
SILENT_SECONDS = 5.0  # after which the log says that the clock is not the feed's


class Exits:
    """What one broker's risk manager does to become flat. `find` gives an instrument, `known` the account's state."""

    def __init__(
        self,
        worker: Worker,
        trading_state: TradingStateView,
        view: MarketView,
        find: Callable[[int], Instrument | None],
        known: Callable[[], Exposure | None],
    ) -> None:
        settings = worker.settings.brokers[worker.broker]
        self._worker = worker
        self._broker = worker.broker
        self._account = worker.settings.account_key(worker.broker)
        self._is_at_the_broker = settings.execution.is_at_the_broker
        self._lead = settings.square_off_lead_seconds if self._is_at_the_broker else 0
        self._trading_state = trading_state
        self._view = view
        self._find = find
        self._known = known
        self._is_recovered = False
        self.clock: ExchangeClock = exchange_clock(worker.settings, worker.broker)
        view.on_marks(lambda _: self.clock.hear(view.clock))
        trading_state.on_flatten(self.left)
        self._chasing = Chasing(
            broker=worker.broker,
            marks=view.prices,
            find=find,
            begins=self.begins,
            percents=settings.exit_protection_percents,
        )

    def begins(self, token: int, second: int) -> int | None:
        """The second of that day from which intraday positions are left: at the exchange early enough to be flat."""
        due = square_off(self._find(token), trading_day(second))
        return None if due is None else due - self._lead

    def recovered(self) -> None:
        """The account's state can be read: before that nobody knows what is held."""
        self._is_recovered = True

    def left(self) -> list[str] | None:
        """The positions that an operator wants closed, a line each; None while nobody knows."""
        if not self._is_recovered:
            return None
        exposure, wanted = self._known(), self._trading_state.flattening(self._broker)
        positions = [] if exposure is None else exposure.account.positions.values()
        held = [one for one in positions if one.quantity and wanted.concerns(one.strategy)]
        return [] if exposure is None else [describe(exposure, one, self.clock.second, self._chasing) for one in held]

    def due(self) -> ExitsDue | None:
        """The message to send now; None when there is nothing to leave."""
        exposure, second = self._known(), self.clock.second
        if exposure is None or not second or not self._is_recovered:
            return None
        wanted = self._trading_state.flattening(self._broker)
        due = ExitsDue(
            account=self._account,
            run_id=self._view.run_id or CAUSE,
            clock=second,
            revision=wanted.revision if wanted else 0,
            everything=wanted.everything,
            strategies=wanted.strategies,
            intraday=self._is_at_the_broker,
        )
        is_new = due.revision > exposure.closing
        return due if is_new or any(exits_due(exposure, due, self._chasing)) else None

    async def run(self) -> None:
        """Say that exits are due for as long as they are, until cancelled."""
        while True:
            await asyncio.sleep(SECONDS)
            due = self.due()
            if due is not None:
                await self._say(due)

    async def _say(self, due: ExitsDue) -> None:
        """What Kafka does not take is said again with the next look."""
        if self.clock.silent_seconds > SILENT_SECONDS:
            log.warning("leaving_without_feed", clock=due.clock, silent_seconds=self.clock.silent_seconds)
        envelope = root(
            due,
            message_id=ids.exits_due_id(due.account, due.revision, due.clock),
            broker=self._broker,
            key=due.account,
            source=self._worker.stage,
            at=event_time(due.clock),
        )
        topic = self._worker.topics.name(Topic.SIGNALS_RAW, self._broker)
        output = Output(topic, due.account.encode(), encode(envelope))
        try:
            await self._worker.publisher.send_all([output])
        except SEND_FAILURES as error:
            log.warning("exits_wait_for_kafka", error=type(error).__name__)

    def raised(self, exposure: Exposure, due: ExitsDue) -> list[Signal]:
        """The exits that are due. Those of an operator whose wish has ended meanwhile are not raised."""
        wanted = self._trading_state.flattening(self._broker)
        still = replace(
            due,
            everything=due.everything and wanted.everything,
            strategies=tuple(one for one in due.strategies if wanted.concerns(one)),
        )
        begin_round(exposure, due.revision)
        return list(exits_due(exposure, still, self._chasing))

    def after_failed(self, exposure: Exposure, failed: OrderFailed) -> list[Signal]:
        """The exit that follows one that found no market in time; an alarm after the last one."""
        order = failed.order
        if not (self._is_at_the_broker or self._trading_state.flattening(self._broker).concerns(order.strategy)):
            return []
        if note_failed(exposure, failed, self._chasing):
            metrics.EXITS_GIVEN_UP.labels(self._broker).inc()
            log.error("exit_given_up", **about(order), reason=failed.reason)
        again = follow_up(exposure, failed, self._chasing, run_id=self._view.run_id)
        if again is None:
            return []
        metrics.EXITS_REPRICED.labels(self._broker).inc()
        log.warning("exit_repriced", **about(order), percent=again.market_protection)
        return [again]

    def after_filled(self, exposure: Exposure, filled: OrderFilled) -> None:
        """A flat position begins anew."""
        note_filled(exposure, filled)
