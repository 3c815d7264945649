"""One strategy's position in one instrument and product: quantity, cost, and the day's figures.

Shares and options are paid in full, so their value is quantity x mark. A future is not paid for: its value is what it
has moved since its units were last settled, `worth - settled`. A partial close releases a share of cost, rounded to
1/10,000 rupee, so nothing is lost to division.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

import msgspec

from models.messages.orders import Product
from trading.accounting.contracts import Contract

FINEST = Decimal("0.0001")
ZERO = Decimal(0)
Marks = Mapping[str, Decimal]  # last prices in rupees by instrument key


class Position(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Money in rupees; `cost`, `settled` and `overnight_worth` are signed like the quantity they belong to.

    `settled` is what the open units of a future were last settled at (or traded at since), 0 for anything else.
    `overnight_worth` is the overnight quantity at the last day's closing price. `t1_quantity` units of a delivery
    position were bought on `bought_on` (ISO date) and are not settled yet.
    """

    strategy: str
    instrument: str
    instrument_token: int
    product: Product
    quantity: int = 0
    cost: Decimal = ZERO
    realised: Decimal = ZERO
    settled: Decimal = ZERO
    mark: Decimal | None = None
    contract: Contract | None = None
    overnight_quantity: int = 0
    overnight_cost: Decimal = ZERO
    overnight_worth: Decimal = ZERO
    day_buy_quantity: int = 0
    day_buy_value: Decimal = ZERO
    day_sell_quantity: int = 0
    day_sell_value: Decimal = ZERO
    t1_quantity: int = 0
    bought_on: str = ""

    @property
    def average_price(self) -> Decimal:
        """Average price of the open quantity, rupees; 0 when flat."""
        return (self.cost / self.quantity).quantize(FINEST) if self.quantity else ZERO

    @property
    def is_future(self) -> bool:
        """True when the position is settled daily instead of being paid for."""
        return self.contract is not None and self.contract.is_future


@lru_cache(maxsize=4096)
def position_key(strategy: str, instrument: str, product: Product) -> str:
    """Key of a position in its account."""
    return f"{strategy}|{instrument}|{product.value}"


def trade(position: Position, signed: int, price: Decimal) -> tuple[Decimal, Decimal]:
    """Change the position by `signed` units at `price`; returns the cash that moves and what is realised."""
    settled = position.settled
    closing = 0
    if position.quantity * signed < 0:
        closing = max(signed, -position.quantity) if signed < 0 else min(signed, -position.quantity)
    realised = _close(position, closing, price) if closing else ZERO
    opening = signed - closing
    position.quantity += opening
    position.cost += opening * price
    if position.is_future:
        position.settled += opening * price
    if signed > 0:
        position.day_buy_quantity += signed
        position.day_buy_value += signed * price
    else:
        position.day_sell_quantity -= signed
        position.day_sell_value -= signed * price
    return position.settled - settled - signed * price, realised


def _close(position: Position, closing: int, price: Decimal) -> Decimal:
    released = _share(position.cost, -closing, position.quantity)
    position.settled -= _share(position.settled, -closing, position.quantity)
    position.cost -= released
    position.quantity += closing
    realised = -closing * price - released
    position.realised += realised
    return realised


def _share(amount: Decimal, part: int, whole: int) -> Decimal:
    if part == whole or not amount:
        return amount
    return (amount * part / whole).quantize(FINEST, ROUND_HALF_EVEN)


def settle(position: Position) -> Decimal:
    """Settle a future at its mark; returns the cash that moves. Nothing else is settled daily."""
    if not position.is_future:
        return ZERO
    worth_now = worth(position, {})
    moved, position.settled = worth_now - position.settled, worth_now
    return moved


def worth(position: Position, marks: Marks) -> Decimal:
    """Quantity x mark in rupees; without a mark the last one known counts, without any the cost."""
    mark = marks.get(position.instrument, position.mark)
    return position.cost if mark is None else position.quantity * mark


def value(position: Position, marks: Marks) -> Decimal:
    """What the position adds to the account's cash, rupees: worth, for futures less what has been settled."""
    return worth(position, marks) - position.settled


def unrealised(position: Position, marks: Marks) -> Decimal:
    """Worth above cost, rupees."""
    return worth(position, marks) - position.cost


def day_pnl(position: Position, marks: Marks) -> Decimal:
    """Rupees gained today before charges: Kite's m2m, against the last day's close and today's prices."""
    traded = position.day_sell_value - position.day_buy_value
    return worth(position, marks) + traded - position.overnight_worth
