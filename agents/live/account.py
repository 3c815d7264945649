"""The account as the portfolio manager has it, beside the engine: read from the changelog of its table.

The books have one owner. What is here is a copy that may be a moment behind, for comparisons and never for writing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from faust_app.runtime.broadcast import TopicReader
from faust_app.runtime.market_view import MarketView
from faust_app.runtime.settings import Settings
from faust_app.runtime.topics import Topics
from tables import portfolios
from tables.journal import decode_state_row
from trading.accounting.account import Account, new_account
from trading.accounting.day import roll_day
from trading.market.instruments import InstrumentRegistry
from trading.market.sessions import trading_day

STAGE = "portfolio_manager"


class AccountView:
    """One account. `registry` gives the instruments there are. Run both `reader` and `marks`."""

    def __init__(self, settings: Settings, broker: str, registry: Callable[[], InstrumentRegistry]) -> None:
        self._key = settings.account_key(broker)
        self._start_cash = settings.brokers[broker].start_cash
        self._registry = registry
        self._decode = msgspec.msgpack.Decoder(Account).decode
        self._raw: bytes | None = None
        self._market = MarketView(settings, registry())
        topic = Topics(settings).changelog(STAGE, broker, portfolios.NAME)
        self.reader = TopicReader(settings.kafka, topic, self._on_row, partitions=settings.kafka.partitions, tail=None)
        self.marks = self._market.reader

    def _on_row(self, message: Any) -> None:
        if message.key == self._key.encode():
            self._raw = message.value

    def at(self, second: int) -> Account | None:
        """A copy of the account on the trading day of `second`; None while the changelog is being read."""
        if not (self.reader.caught_up.is_set() and self.marks.caught_up.is_set()):
            return None
        self._market.registry = self._registry()
        account = new_account(self._key, self._start_cash)
        if self._raw is not None:
            account = self._decode(decode_state_row(self._raw).state)
        day = trading_day(second)
        roll_day(account, day, self._market.end_before(day))
        return account

    @property
    def prices(self) -> Mapping[str, Decimal]:
        """Last prices in rupees by instrument key."""
        self._market.registry = self._registry()
        return self._market.prices
