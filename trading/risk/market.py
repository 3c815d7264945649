"""What risk knows of the market at a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from models.messages.control import TradingState
from trading.market.sessions import Phase


@dataclass(frozen=True)
class MarketPicture:
    """`clock` is the market's event second, `phase` the signal's.

    `marks` are last prices in rupees by instrument key, as far as the account has not been marked to them already.
    Of the signal's instrument: `square_off` is the event second from which no intraday position is opened (None: none
    today), `price_band` the day's lowest and highest price in rupees (None: not known), `previous_close` its last
    closing price. `open_differences` counts the account's open differences from its broker above tolerance.
    """

    clock: int
    phase: Phase
    trading_state: TradingState
    marks: Mapping[str, Decimal] = field(default_factory=dict)
    square_off: int | None = None
    price_band: tuple[Decimal, Decimal] | None = None
    previous_close: Decimal | None = None
    open_differences: int = 0
