"""One account: cash, positions by strategy, realised profit and loss, charges.

After every fill, exactly: cash + position value = start cash + realised + unrealised - charges. A partial close
moves a share of the position's cost, rounded to 1/10,000 rupee, so nothing is lost to division. Charges are those of
each order's cumulative turnover, booked as they grow, here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from models.messages.orders import OrderFilled, Product
from models.messages.portfolio import PortfolioSnapshot, PositionSnapshot, SnapshotCause
from trading.charges.charges import charges_for, segment_kind
from trading.market.instruments import Instrument
from trading.market.sessions import trading_day

FINEST = Decimal("0.0001")
ZERO = Decimal(0)


class Position(msgspec.Struct, kw_only=True):
    """One strategy's position in one instrument and product. `cost` is signed like `quantity`."""

    strategy: str
    instrument: str
    instrument_token: int
    product: Product
    quantity: int = 0
    cost: Decimal = ZERO
    realised: Decimal = ZERO

    @property
    def average_price(self) -> Decimal:
        """Average price of the open quantity, rupees; 0 when flat."""
        return (self.cost / self.quantity).quantize(FINEST) if self.quantity else ZERO


class OrderTurnover(msgspec.Struct):
    """What has been booked for one order."""

    cumulative_quantity: int
    turnover: Decimal
    charged: Decimal
    day: str


class Account(msgspec.Struct, kw_only=True):
    """State of one account; money in rupees."""

    account: str
    start_cash: Decimal
    cash: Decimal
    realised: Decimal = ZERO
    charges: Decimal = ZERO
    positions: dict[str, Position] = {}
    orders: dict[str, OrderTurnover] = {}
    fills: int = 0


def new_account(account: str, start_cash: Decimal) -> Account:
    """An account that has only cash."""
    return Account(account=account, start_cash=start_cash, cash=start_cash)


def position_key(strategy: str, instrument: str, product: Product) -> str:
    """Key of a position in its account."""
    return f"{strategy}|{instrument}|{product.value}"


def position_quantity(account: Account, strategy: str, instrument: str, product: Product | None = None) -> int:
    """Units a strategy holds in an instrument, of one product or of all; negative for short."""
    return sum(
        account.positions[key].quantity
        for key in (position_key(strategy, instrument, one) for one in (Product if product is None else (product,)))
        if key in account.positions
    )


def apply_fill(account: Account, filled: OrderFilled, instrument: Instrument) -> bool:
    """Book one fill; False, changing nothing, when the order's cumulative quantity has already been booked.

    A complete order is forgotten, to keep the state small: a repeat of its fills is recognised by the fill's id, which
    the caller remembers.
    """
    order = filled.order
    booked = account.orders.get(order.order_id)
    if booked is not None and filled.cumulative_quantity <= booked.cumulative_quantity:
        return False
    key = position_key(order.strategy, order.instrument, order.product)
    position = account.positions.get(key)
    if position is None:
        position = Position(
            strategy=order.strategy,
            instrument=order.instrument,
            instrument_token=order.instrument_token,
            product=order.product,
        )
        account.positions[key] = position
    signed = order.side.sign * filled.quantity
    account.cash -= signed * filled.price
    account.realised += _move(position, signed, filled.price)
    account.fills += 1
    _charge(account, filled, instrument, booked)
    return True


def _move(position: Position, signed: int, price: Decimal) -> Decimal:
    """Change the position by `signed` units at `price`; returns what that realises."""
    closing = 0
    if position.quantity * signed < 0:
        closing = min(abs(signed), abs(position.quantity)) * (1 if signed > 0 else -1)
    realised = ZERO
    if closing:
        released = _share(position.cost, -closing, position.quantity)
        realised = -closing * price - released
        position.cost -= released
        position.quantity += closing
    opening = signed - closing
    position.cost += opening * price
    position.quantity += opening
    position.realised += realised
    return realised


def _share(cost: Decimal, part: int, whole: int) -> Decimal:
    if part == whole:
        return cost
    return (cost * part / whole).quantize(FINEST, ROUND_HALF_EVEN)


def _charge(account: Account, filled: OrderFilled, instrument: Instrument, booked: OrderTurnover | None) -> None:
    order = filled.order
    turnover = (booked.turnover if booked else ZERO) + filled.quantity * filled.price
    kind = segment_kind(instrument.instrument_type, order.product)
    day = trading_day(filled.event_time)
    total = charges_for(kind, instrument.exchange, order.side, turnover, day).total
    account.charges += total - (booked.charged if booked else ZERO)
    account.cash -= total - (booked.charged if booked else ZERO)
    account.orders[order.order_id] = OrderTurnover(filled.cumulative_quantity, turnover, total, day.isoformat())
    if filled.complete:
        del account.orders[order.order_id]


def prune_orders(account: Account, before: date) -> None:
    """Forget orders of earlier days, and positions that are flat."""
    account.orders = {key: order for key, order in account.orders.items() if order.day >= before.isoformat()}
    account.positions = {key: one for key, one in account.positions.items() if one.quantity}


def position_value(account: Account, marks: Mapping[str, Decimal]) -> Decimal:
    """Value of all positions in rupees; one without a mark is valued at its cost."""
    return sum((value(one, marks) for one in account.positions.values()), ZERO)


def value(position: Position, marks: Mapping[str, Decimal]) -> Decimal:
    """Value of one position in rupees, signed like its quantity."""
    if not position.quantity:
        return ZERO
    mark = marks.get(position.instrument)
    return position.cost if mark is None else position.quantity * mark


def unrealised(account: Account, marks: Mapping[str, Decimal]) -> Decimal:
    """Value above cost of all positions."""
    return sum((value(one, marks) - one.cost for one in account.positions.values()), ZERO)


def equity(account: Account, marks: Mapping[str, Decimal]) -> Decimal:
    """Cash and the value of positions."""
    return account.cash + position_value(account, marks)


def snapshot(
    account: Account, marks: Mapping[str, Decimal], cause: SnapshotCause, event_time: int
) -> PortfolioSnapshot:
    """The account as it is published; positions that are flat are left out."""
    worth = position_value(account, marks)
    return PortfolioSnapshot(
        account=account.account,
        cause=cause,
        event_time=event_time,
        start_cash=account.start_cash,
        cash=account.cash,
        position_value=worth,
        realised=account.realised,
        unrealised=unrealised(account, marks),
        charges=account.charges,
        equity=account.cash + worth,
        fills=account.fills,
        positions=tuple(_position_snapshot(one, marks) for one in account.positions.values() if one.quantity),
    )


def _position_snapshot(position: Position, marks: Mapping[str, Decimal]) -> PositionSnapshot:
    mark = marks.get(position.instrument)
    return PositionSnapshot(
        strategy=position.strategy,
        instrument=position.instrument,
        product=position.product,
        quantity=position.quantity,
        average_price=position.average_price,
        mark=position.average_price if mark is None else mark,
        realised=position.realised,
        unrealised=value(position, marks) - position.cost,
    )
