"""What risk knows of the market at a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from models.messages.control import TradingState
from trading.market.sessions import Phase


@dataclass(frozen=True)
class MarketPicture:
    """`clock` is the market's event second, `phase` the signal's, `marks` last prices by instrument key."""

    clock: int
    phase: Phase
    trading_state: TradingState
    marks: Mapping[str, Decimal]
