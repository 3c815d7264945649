"""Positions and holdings as Kite's portfolio API reports them, over all strategies, to compare with the broker.

Kite averages all buys and all sells of a position apart, the overnight quantity at its average price among them;
`pnl` is against that average, `m2m` against the last day's close. Deliveries are positions only on the day they
trade; over night they are holdings. Where strategies held opposite sides over night, what they made between them is in
the average. Source: Kite Connect documentation, "Portfolio".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from models.messages.orders import Product
from trading.accounting.account import Account
from trading.accounting.position import FINEST, ZERO, Marks, Position


class KitePosition(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `positions()`; money in rupees, quantities in units."""

    instrument: str
    product: Product
    quantity: int
    overnight_quantity: int
    average_price: Decimal
    close_price: Decimal
    last_price: Decimal
    value: Decimal
    pnl: Decimal
    m2m: Decimal
    buy_quantity: int
    buy_value: Decimal
    sell_quantity: int
    sell_value: Decimal
    day_buy_quantity: int
    day_buy_value: Decimal
    day_sell_quantity: int
    day_sell_value: Decimal


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """Delivery shares of one instrument. `quantity` is settled, `t1_quantity` not yet, both as the day began.

    `used_quantity` units have been sold today beyond what was bought today, `btst_quantity` of them before they were
    settled; `average_price` in rupees.
    """

    instrument: str
    quantity: int
    t1_quantity: int
    used_quantity: int
    btst_quantity: int
    average_price: Decimal

    @property
    def sellable(self) -> int:
        """Units held over night and not sold yet."""
        return self.quantity + self.t1_quantity - self.used_quantity


def net_positions(account: Account, marks: Marks) -> tuple[KitePosition, ...]:
    """What is open or has traded today, the overnight part included."""
    return _rows(account, marks, lambda one: one.product is not Product.CNC)


def day_positions(account: Account, marks: Marks) -> tuple[KitePosition, ...]:
    """What has traded today, as if there had been nothing before."""
    return _rows(account, marks, lambda _: False)


def _rows(account: Account, marks: Marks, carries: Callable[[Position], bool]) -> tuple[KitePosition, ...]:
    rows = (_row(group, marks, carries(group[0])) for group in _groups(account.positions.values()))
    return tuple(row for row in rows if row.buy_quantity or row.sell_quantity)


def _groups(positions: Iterable[Position]) -> Iterable[list[Position]]:
    groups: dict[tuple[str, Product], list[Position]] = {}
    for one in positions:
        groups.setdefault((one.instrument, one.product), []).append(one)
    return groups.values()


def _row(group: list[Position], marks: Marks, carries: bool) -> KitePosition:
    overnight = sum(one.overnight_quantity for one in group) if carries else 0
    cost = sum((one.overnight_cost for one in group), ZERO) if overnight else ZERO
    closed = sum((one.overnight_worth for one in group), ZERO) if overnight else ZERO
    bought, sold = sum(one.day_buy_quantity for one in group), sum(one.day_sell_quantity for one in group)
    paid = sum((one.day_buy_value for one in group), ZERO)
    got = sum((one.day_sell_value for one in group), ZERO)
    buys, buy_value = bought + max(overnight, 0), paid + max(cost, ZERO)
    sells, sell_value = sold + max(-overnight, 0), got + max(-cost, ZERO)
    quantity = overnight + bought - sold
    price = _last_price(group, marks)
    now = quantity * price
    average = buy_value / buys if quantity > 0 else sell_value / sells if quantity < 0 else ZERO
    return KitePosition(
        instrument=group[0].instrument,
        product=group[0].product,
        quantity=quantity,
        overnight_quantity=overnight,
        average_price=average.quantize(FINEST),
        close_price=(closed / overnight).quantize(FINEST) if overnight else ZERO,
        last_price=price,
        value=sell_value - buy_value,
        pnl=sell_value - buy_value + now,
        m2m=got - paid - closed + now,
        buy_quantity=buys,
        buy_value=buy_value,
        sell_quantity=sells,
        sell_value=sell_value,
        day_buy_quantity=bought,
        day_buy_value=paid,
        day_sell_quantity=sold,
        day_sell_value=got,
    )


def _last_price(group: list[Position], marks: Marks) -> Decimal:
    mark = marks.get(group[0].instrument, group[0].mark)
    return max(one.average_price for one in group) if mark is None else mark


def holdings(account: Account) -> tuple[Holding, ...]:
    """Delivery shares held over night, those sold today among them."""
    groups = _groups(one for one in account.positions.values() if one.product is Product.CNC)
    return tuple(_holding(group) for group in groups if any(one.overnight_quantity for one in group))


def _holding(group: list[Position]) -> Holding:
    opening = sum(one.overnight_quantity for one in group)
    unsettled = sum(one.t1_quantity for one in group)
    used = max(sum(one.day_sell_quantity - one.day_buy_quantity for one in group), 0)
    cost = sum((one.overnight_cost for one in group), ZERO)
    return Holding(
        instrument=group[0].instrument,
        quantity=opening - unsettled,
        t1_quantity=unsettled,
        used_quantity=used,
        btst_quantity=max(used - (opening - unsettled), 0),
        average_price=(cost / opening).quantize(FINEST) if opening else ZERO,
    )
