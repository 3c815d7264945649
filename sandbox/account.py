"""The one account: cash, positions, holdings, and what of the cash is blocked. Fills and planted changes move it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from models.messages.ticks import to_units
from sandbox.errors import invalid
from sandbox.margins import NOTHING, Requirement, requirement
from sandbox.money import average
from sandbox.orders import Order, Terms
from sandbox.positions import Leg, Position
from sandbox.rules import PlantedFunds, PlantedHolding, PlantedPosition, Rules
from sandbox.vocabulary import Product, Side
from trading.market.instruments import EQUITY, Instrument

DELIVERY = (Product.CNC, Product.MTF)
SALES_CREDIT = Fraction(4, 5)  # of what sold holdings bring, at once; the rest on the next day
Key = tuple[str, Product]


@dataclass(slots=True)
class Holding:
    """Shares in the demat account; value in units is what they cost."""

    instrument: Instrument
    quantity: int
    value: int
    t1_quantity: int = 0

    @property
    def total(self) -> int:
        """Settled or not."""
        return self.quantity + self.t1_quantity

    @property
    def average_price(self) -> Fraction:
        """Units."""
        return average(self.value, self.total)


@dataclass(frozen=True, slots=True)
class Funds:
    """Cash of the account, units. Profits are negative in `debits`, as Kite adds up what is utilised."""

    opening: int
    payin: int
    margin: Requirement
    delivery: Fraction
    realised: Fraction
    unrealised: Fraction
    sales: Fraction

    @property
    def debits(self) -> Fraction:
        """Everything that is utilised."""
        return self.margin.total + self.delivery - self.realised - self.unrealised - self.sales

    @property
    def net(self) -> Fraction:
        """What can still be used."""
        return self.opening + self.payin - self.debits


class Account:
    """State of the account. `last_price` gives units, 0 while there is none; `working` the orders that block margin."""

    def __init__(
        self, rules: Rules, last_price: Callable[[Instrument], int], working: Callable[[], Iterable[Order]]
    ) -> None:
        self._rules = rules
        self._last_price = last_price
        self._working = working
        self._opening = to_units(rules.opening_cash)
        self._payin = 0
        self._positions: dict[Key, Position] = {}
        self._holdings: dict[str, Holding] = {}

    @property
    def positions(self) -> list[Position]:
        """Positions of the day, also flat ones."""
        return [one for one in self._positions.values() if one.is_used]

    @property
    def holdings(self) -> list[Holding]:
        """Holdings as the day began."""
        return list(self._holdings.values())

    def position(self, instrument: Instrument, product: Product) -> Position:
        """The position, made when there is none."""
        return self._positions.setdefault((instrument.key, product), Position.flat(instrument, product))

    def used_quantity(self, holding: Holding) -> int:
        """How many of a holding were sold today."""
        found = self._positions.get((holding.instrument.key, Product.CNC))
        return max(0, -found.quantity) if found else 0

    def book(self, terms: Terms, price: int, quantity: int) -> None:
        """A fill."""
        self.position(terms.instrument, terms.product).trade(terms.side, quantity, price)

    def sellable(self, instrument: Instrument) -> int:
        """Delivery shares that may be sold: held or bought today, less what working orders already sell."""
        holding = self._holdings.get(instrument.key)
        found = self._positions.get((instrument.key, Product.CNC))
        have = (holding.total if holding else 0) + (found.quantity if found else 0)
        return have - sum(
            one.pending_quantity
            for one in self._working()
            if one.terms.instrument.key == instrument.key
            and one.terms.product is Product.CNC
            and one.terms.side is Side.SELL
        )

    def required(self, terms: Terms, quantity: int, price: int) -> Requirement:
        """Margin of an order: only what goes beyond the open position of the other side needs any."""
        found = self._positions.get((terms.instrument.key, terms.product))
        against = max(0, -terms.side.sign * found.quantity) if found else 0
        reducing = sum(one.pending_quantity for one in self._working() if _same(one.terms, terms))
        opening = max(0, quantity - max(0, against - reducing))
        return requirement(self._rules, terms.instrument, terms.side, terms.product, opening, price)

    def _blocked_by_orders(self) -> Requirement:
        total = NOTHING
        closing: dict[tuple[str, Product, Side], int] = {}
        for order in self._working():
            terms = order.terms
            key = (terms.instrument.key, terms.product, terms.side)
            if key not in closing:
                found = self._positions.get(key[:2])
                closing[key] = max(0, -terms.side.sign * found.quantity) if found else 0
            free = min(closing[key], order.pending_quantity)
            closing[key] -= free
            price = terms.price or terms.trigger_price
            opening = order.pending_quantity - free
            total = total.plus(requirement(self._rules, terms.instrument, terms.side, terms.product, opening, price))
        return total

    def _blocked_by(self, position: Position) -> Requirement:
        price, quantity = round(position.average_price), abs(position.quantity)
        return requirement(self._rules, position.instrument, position.open_side, position.product, quantity, price)

    def funds(self) -> Funds:
        """What is free and what is not, at the last prices."""
        margin, delivery = self._blocked_by_orders(), Fraction(0)
        realised = unrealised = sales = Fraction(0)
        for one in self._positions.values():
            realised += one.realised
            if one.product in DELIVERY:
                delivery += max(0, one.quantity) * one.average_price
                sales += max(0, -one.quantity) * one.average_price * SALES_CREDIT
                continue
            margin = margin.plus(self._blocked_by(one))
            unrealised += one.unrealised(self._last_price(one.instrument))
        return Funds(self._opening, self._payin, margin, delivery, realised, unrealised, sales)

    def convert(self, instrument: Instrument, side: Side, quantity: int, old: Product, new: Product) -> None:
        """Move a part of a position to another product. Raises Refused."""
        source = self._positions.get((instrument.key, old))
        if source is None or source.quantity * side.sign < quantity:
            raise invalid(f"The position in {instrument.tradingsymbol} is smaller than the quantity to convert.")
        if old is new or (new in DELIVERY and instrument.instrument_type != EQUITY):
            raise invalid("Invalid `new_product`.")
        target = self.position(instrument, new)
        from_day = min(quantity, source.day_leg(side).quantity)
        if from_day:
            target.day_leg(side).add(from_day, source.day_leg(side).take(from_day))
        if quantity > from_day:
            carried = quantity - from_day
            target.overnight_side = side
            target.overnight.add(carried, source.overnight.take(carried))

    def plant_holding(self, instrument: Instrument, planted: PlantedHolding) -> None:
        """As if held since before today."""
        total = planted.quantity + planted.t1_quantity
        value = total * to_units(planted.average_price)
        self._holdings[instrument.key] = Holding(instrument, planted.quantity, value, planted.t1_quantity)
        if not total:
            del self._holdings[instrument.key]

    def plant_position(self, instrument: Instrument, planted: PlantedPosition) -> None:
        """Replace a position."""
        side = Side.BUY if planted.quantity >= 0 else Side.SELL
        leg = Leg(abs(planted.quantity), abs(planted.quantity) * to_units(planted.average_price))
        position = Position.flat(instrument, planted.product)
        if planted.overnight:
            position.overnight, position.overnight_side = leg, side
        else:
            position.day_leg(side).add(leg.quantity, leg.value)
        self._positions[instrument.key, planted.product] = position

    def plant_funds(self, planted: PlantedFunds) -> None:
        """Another opening balance, or money paid in or out."""
        if planted.opening_cash is not None:
            self._opening = to_units(planted.opening_cash)
        self._payin += to_units(planted.payin)

    def roll_day(self) -> None:
        """Overnight: profits are settled, delivery goes to the holdings, the rest is carried over."""
        self._opening += self._payin
        self._payin = 0
        for holding in self._holdings.values():
            holding.quantity, holding.t1_quantity = holding.total, 0
        closed, self._positions = self._positions, {}
        for one in closed.values():
            self._opening += round(one.realised)
            if one.instrument.instrument_type == EQUITY and one.product is not Product.NRML:
                self._deliver(one)
            elif one.quantity:
                self._carry(one)

    def _deliver(self, position: Position) -> None:
        quantity, price = position.quantity, round(position.average_price)
        self._opening -= quantity * price
        holding = self._holdings.setdefault(position.instrument.key, Holding(position.instrument, 0, 0))
        if quantity >= 0:
            holding.t1_quantity += quantity
            holding.value += quantity * price
        else:
            left = holding.total + quantity
            holding.value = round(holding.average_price * left)
            holding.quantity = left
        if not holding.total:
            del self._holdings[position.instrument.key]

    def _carry(self, position: Position) -> None:
        leg = Leg(abs(position.quantity), round(abs(position.quantity) * position.average_price))
        carried = Position(position.instrument, Product.NRML, leg, position.open_side, Leg(), Leg())
        self._positions[position.instrument.key, Product.NRML] = carried


def _same(one: Terms, two: Terms) -> bool:
    return one.instrument.key == two.instrument.key and one.product is two.product and one.side is two.side
