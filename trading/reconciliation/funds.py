"""The money that can be used, at the broker and as our account believes.

An estimate on our side, on the safe side where it can be: equity less what positions and working entries tie up, less
the fifth of sold holdings' proceeds that Zerodha releases on the next day. Collateral does not count.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from models.messages.orders import Product
from trading.accounting.account import Account, equity
from trading.accounting.margin import margin_used
from trading.accounting.position import ZERO, Position
from trading.orders.state import OrderRecord
from trading.reconciliation.difference import Difference, Readings, Tolerances
from trading.reconciliation.kinds import DifferenceKind as K

SALES_HELD_BACK = Decimal("0.2")
SUBJECT = "usable"


def believed_funds(readings: Readings) -> Decimal:
    """What our account could still use, rupees."""
    account, marks = readings.account, readings.marks
    tied_up = margin_used(account, marks, readings.rates) + _working(readings) + _held_back(account)
    return equity(account, marks) - tied_up


def funds_differences(readings: Readings, tolerances: Tolerances) -> Iterable[Difference]:
    """Whether the broker has less than that. More is none: our estimates are on the safe side."""
    funds = readings.broker.funds
    if funds is None:
        return
    believed = believed_funds(readings)
    allowed = max(tolerances.funds_rupees, abs(believed) * tolerances.funds_percent / 100)
    if believed - funds.usable > allowed:
        yield Difference(
            kind=K.FUNDS_LOW,
            subject=SUBJECT,
            ours=f"{believed:.2f}",
            theirs=f"{funds.usable:.2f}",
            basis=str(readings.account.fills),
            is_moving=True,
        )


def _working(readings: Readings) -> Decimal:
    """Entries that may still fill, in full at their price: no less than any broker blocks for them."""
    return sum((_reserved(one, readings) for one in readings.orders.values() if one.is_open), ZERO)


def _reserved(record: OrderRecord, readings: Readings) -> Decimal:
    order = record.order
    if order.reduces:
        return ZERO
    price = order.limit_price or order.trigger_price or readings.marks.get(order.instrument, ZERO)
    return (order.quantity - record.filled_quantity) * price


def _held_back(account: Account) -> Decimal:
    sold = (_net_sale(one) for one in account.positions.values() if one.product is Product.CNC)
    return SALES_HELD_BACK * sum(sold, ZERO)


def _net_sale(position: Position) -> Decimal:
    units = position.day_sell_quantity - position.day_buy_quantity
    return units * position.day_sell_value / position.day_sell_quantity if units > 0 else ZERO
