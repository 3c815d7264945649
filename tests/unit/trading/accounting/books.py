"""Accounts with something in them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from models.messages.orders import Product, Side
from tests.factories import ACCOUNT, AT, filled, instrument, order
from trading.accounting.account import Account, apply_fill, new_account
from trading.accounting.day import DayEnd, roll_day
from trading.accounting.position import Position, position_key
from trading.market.instruments import Instrument

THURSDAY = date(2026, 8, 20)
FRIDAY = date(2026, 8, 21)
MONDAY = date(2026, 8, 24)
TUESDAY = date(2026, 8, 25)
WEDNESDAY = date(2026, 8, 26)
DAY = 86_400
START = Decimal(1_000_000)
INFY = instrument()
TCS = instrument(instrument_token=2, tradingsymbol="TCS")


def contract(kind: str = "FUT", name: str = "NIFTY", expiry: date | None = TUESDAY, strike: int = 0) -> Instrument:
    """A contract on NFO, of an index by default."""
    return instrument(
        instrument_token=3,
        exchange="NFO",
        tradingsymbol=f"{name}{strike or ''}{kind}",
        instrument_type=kind,
        segment=f"NFO-{'FUT' if kind == 'FUT' else 'OPT'}",
        name=name,
        expiry=expiry,
        strike=Decimal(strike),
        lot_size=65,
    )


class Books:
    """An account, and orders for it that fill at once."""

    def __init__(self, day: date = THURSDAY) -> None:
        self.account: Account = new_account(ACCOUNT, START)
        self.orders = 0
        roll_day(self.account, day)

    def trade(self, quantity: int, price: str, of: Instrument = INFY, **values: Any) -> Position:
        """Buy (or sell: negative) so many at a price, under MIS; returns the position."""
        self.orders += 1
        one = order(
            **{
                "order_id": f"order-{self.orders}",
                "instrument": of.key,
                "instrument_token": of.instrument_token,
                "side": Side.BUY if quantity > 0 else Side.SELL,
                "quantity": abs(quantity),
                "product": Product.MIS,
                **values,
            }
        )
        days_on = (date.fromisoformat(self.account.day) - THURSDAY).days
        assert apply_fill(
            self.account, filled(one, abs(quantity), price, abs(quantity), event_time=AT + days_on * DAY), of
        )
        return self.account.positions[position_key(one.strategy, of.key, one.product)]

    def deliver(self, quantity: int, price: str, of: Instrument = INFY, **values: Any) -> Position:
        """The same for delivery."""
        return self.trade(quantity, price, of, product=Product.CNC, **values)

    def roll(self, day: date, ended: date | None = None, **prices: str | int) -> None:
        """Begin a day, the one before having ended at these prices; `_` stands for `:` in keys."""
        known = {name.replace("_", ":", 1): Decimal(price) for name, price in prices.items()}
        before = date.fromisoformat(self.account.day)
        assert roll_day(self.account, day, DayEnd(ended or before, known))
