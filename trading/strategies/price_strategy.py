"""Strategies that look at last prices, tick by tick."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import msgspec

from models.messages.ticks import Tick
from trading.strategies.base import Strategy, Wish


class PriceState(msgspec.Struct, array_like=True, kw_only=True):
    """Base of such a strategy's state: what tells a repeated tick from a new one."""

    at: int = -1
    volume: int = 0
    price_units: int = 0


class PriceStrategy(Strategy):
    """Base: `on_price` sees every tick but exact repeats. A strategy defines it and `new_state`."""

    @abstractmethod
    def on_price(self, instrument_token: int, price_units: int, own: Any) -> Sequence[Wish]:
        """Answer the next last price, in 1/10,000 rupee; `own` is the instrument's state."""

    def on_tick(self, tick: Tick, clock: int) -> Sequence[Wish]:
        """Leave out repeats: a tick of the same second that shows no trade and the same price."""
        token, price = tick.instrument_token, tick.last_price_units
        own = self.state.get(token) or self.own(token)
        if own.price_units == price and own.volume == tick.volume and own.at == (tick.exchange_time or clock):
            return ()
        own.price_units, own.volume, own.at = price, tick.volume, tick.exchange_time or clock
        return self.on_price(token, price, own)
