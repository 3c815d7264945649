"""One position as Kite keeps it: what was carried over and what was bought and sold today, in units."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from sandbox.money import average
from sandbox.vocabulary import Product, Side
from trading.market.instruments import Instrument


@dataclass(slots=True)
class Leg:
    """One side: how many, for how much."""

    quantity: int = 0
    value: int = 0

    @property
    def price(self) -> Fraction:
        """Average."""
        return average(self.value, self.quantity)

    def add(self, quantity: int, value: int) -> None:
        """More of it."""
        self.quantity += quantity
        self.value += value

    def take(self, quantity: int) -> int:
        """Remove a part at the average price; returns its value."""
        value = self.value * quantity // self.quantity
        self.add(-quantity, -value)
        return value

    def plus(self, other: Leg) -> Leg:
        """Both together."""
        return Leg(self.quantity + other.quantity, self.value + other.value)


@dataclass(slots=True)
class Position:
    """The position in one instrument and product. `overnight` is one leg, bought or sold by `overnight_side`."""

    instrument: Instrument
    product: Product
    overnight: Leg
    overnight_side: Side
    day_buy: Leg
    day_sell: Leg

    @classmethod
    def flat(cls, instrument: Instrument, product: Product) -> Position:
        """Nothing yet."""
        return cls(instrument, product, Leg(), Side.BUY, Leg(), Leg())

    def day_leg(self, side: Side) -> Leg:
        """What was traded today on a side."""
        return self.day_buy if side is Side.BUY else self.day_sell

    def leg(self, side: Side) -> Leg:
        """All of a side, with what was carried over."""
        day = self.day_leg(side)
        return day.plus(self.overnight) if side is self.overnight_side else day

    @property
    def overnight_quantity(self) -> int:
        """Signed."""
        return self.overnight_side.sign * self.overnight.quantity

    @property
    def day_quantity(self) -> int:
        """Signed, of today's trades only."""
        return self.day_buy.quantity - self.day_sell.quantity

    @property
    def quantity(self) -> int:
        """Signed: what there is now."""
        return self.overnight_quantity + self.day_quantity

    @property
    def is_used(self) -> bool:
        """True when there is anything to show."""
        return bool(self.overnight.quantity or self.has_day)

    @property
    def has_day(self) -> bool:
        """True when it was traded today."""
        return bool(self.day_buy.quantity or self.day_sell.quantity)

    @property
    def open_side(self) -> Side:
        """The side that is open."""
        return Side.BUY if self.quantity >= 0 else Side.SELL

    @property
    def average_price(self) -> Fraction:
        """Average of the open side; 0 of a flat position."""
        return self.leg(self.open_side).price if self.quantity else Fraction(0)

    @property
    def realised(self) -> Fraction:
        """Profit of what is closed."""
        buy, sell = self.leg(Side.BUY), self.leg(Side.SELL)
        return min(buy.quantity, sell.quantity) * (sell.price - buy.price)

    def unrealised(self, last_price: int) -> Fraction:
        """Profit of what is open."""
        return self.quantity * (last_price - self.average_price) if last_price else Fraction(0)

    def trade(self, side: Side, quantity: int, price: int) -> None:
        """A fill."""
        self.day_leg(side).add(quantity, quantity * price)
