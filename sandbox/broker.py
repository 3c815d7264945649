"""Everything the broker keeps of its one account and its exchange, put together."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from models.messages.ticks import Tick
from sandbox.account import Account
from sandbox.board import Board
from sandbox.calls import CallLog
from sandbox.catalogue import Catalogue
from sandbox.changes import Changes
from sandbox.checks import RiskChecks
from sandbox.clock import TOKENS_END, Clock
from sandbox.desk import OrderDesk
from sandbox.errors import BadScenario
from sandbox.exchange import Exchange
from sandbox.fault_kinds import Kind
from sandbox.faults import Faults
from sandbox.gtt import GttBook
from sandbox.limits import Limits
from sandbox.orders import Order, OrderBook
from sandbox.rules import Planted
from sandbox.scenario import Scenario
from sandbox.updates import Updates
from sandbox.vocabulary import Status
from trading.market.instruments import Instrument
from trading.market.sessions import IST

NOT_CHECKED_YET = (Status.RECEIVED, Status.AMO_RECEIVED, Status.VALIDATION_PENDING)


class Broker:
    """State and behaviour without HTTP. The same ticks, calls and scenario give the same orders, trades and money."""

    def __init__(
        self,
        instruments: Sequence[Instrument],
        clock: Clock,
        scenario: Scenario,
        send: Callable[[str], Awaitable[None]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        rules = scenario.rules
        self.rules = rules
        self.clock = clock
        self.monotonic = monotonic
        self.catalogue = Catalogue(instruments)
        self.board = Board(rules.band_percent)
        self.book = OrderBook(clock)
        self.account = Account(rules, self.board.last_price, self._blocking)
        self.faults = Faults(scenario.seeded_faults())
        self.updates = Updates(self.faults, send)
        self.calls = CallLog()
        self.limits = Limits(rules.limits, monotonic, lambda: clock.day)
        self.exchange = Exchange(
            clock, self.board, self.book, self.account, self.updates, self.faults, session_hours=rules.session_hours
        )
        self.checks = RiskChecks(self.board, self.account, self.faults, self.freeze_quantity)
        self.desk = OrderDesk(
            clock, self.book, self.account, self.exchange, self.checks, self.updates, self.faults,
            count_orders=self.limits.count_orders, session_hours=rules.session_hours,
        )  # fmt: skip
        self.changes = Changes(
            clock, self.book, self.account, self.exchange, self.checks, self.updates, self.faults,
            most_modifications=rules.limits.modifications_per_order,
        )  # fmt: skip
        self.gtts = GttBook(clock, self.desk.place)
        self.faults.on_change = self._change_list
        self._change_list()
        try:
            self.plant(scenario.account)
        except KeyError as error:
            raise BadScenario(f"account: {error.args[0]}") from None
        self._roll_later()

    def _blocking(self) -> list[Order]:
        """Orders that block margin."""
        return [one for one in self.book.working if one.status not in NOT_CHECKED_YET]

    def freeze_quantity(self, instrument: Instrument) -> int | None:
        """The largest quantity of one order; None when it is not known."""
        return self.rules.freeze_quantities.get(instrument.key, instrument.freeze_quantity)

    def on_ticks(self, ticks: Sequence[Tick]) -> None:
        """A batch of the market, before clients get it."""
        self.board.note(ticks)
        self.exchange.on_ticks(ticks)
        self.gtts.on_ticks(ticks)

    def plant(self, planted: Planted) -> None:
        """Put holdings and positions into the account. Raises KeyError for an unknown instrument."""
        for holding in planted.holdings:
            self.account.plant_holding(self.tradable(holding.instrument), holding)
        for position in planted.positions:
            self.account.plant_position(self.tradable(position.instrument), position)

    def tradable(self, key: str) -> Instrument:
        """The instrument with this key. Raises KeyError."""
        found = self.catalogue.by_key(key)
        if found is None or not found.is_tradable:
            raise KeyError(f"{key} is not traded here")
        return found

    def _change_list(self) -> None:
        fault = self.faults.find(Kind.CHANGED_DUMP)
        if fault is None:
            self.catalogue.restore()
        else:
            self.catalogue.change(fault.seed)

    def _roll_later(self) -> None:
        morning = datetime.combine(self.clock.day, TOKENS_END, IST)
        if morning.timestamp() <= self.clock.now:
            morning += timedelta(days=1)
        self.clock.at(morning.timestamp(), self._roll)

    def _roll(self) -> None:
        """Another day begins: the order book is empty but for after market orders."""
        self.book.clear([one for one in self.book.working if one.status is Status.AMO_RECEIVED])
        self.account.roll_day()
        self._roll_later()
