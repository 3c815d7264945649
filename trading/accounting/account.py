"""One account: cash, positions by strategy, realised profit and loss, charges; every charge is booked here.

After every fill, exactly: cash + position value = start cash + realised + unrealised - charges, for the account and,
without the start cash, for each strategy's book. Charges are those of each order's cumulative turnover, booked as it
grows. There are no corporate actions: a split or bonus is an operator's correction.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from models.messages.orders import OrderFilled, Product
from trading.accounting.booked import Finished, Orders, book_units, recall, remember
from trading.accounting.contracts import contract_of
from trading.accounting.position import Marks, Position, position_key, trade, value
from trading.charges.charges import charges_for, segment_kind
from trading.market.instruments import Instrument
from trading.market.sessions import trading_day

ZERO = Decimal(0)


class StrategyBook(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One strategy's share of the account, rupees; `cash` is what flowed in and out. Books add up to the account."""

    cash: Decimal = ZERO
    realised: Decimal = ZERO
    charges: Decimal = ZERO
    day_start_equity: Decimal = ZERO


class Account(msgspec.Struct, kw_only=True):
    """State of one account; money in rupees.

    `day` is the ISO date of the last day roll, `day_start_equity` what the account was worth then, `high_water_mark`
    the most it has been worth whenever it was marked.
    """

    account: str
    start_cash: Decimal
    cash: Decimal
    realised: Decimal = ZERO
    charges: Decimal = ZERO
    positions: dict[str, Position] = {}
    orders: Orders = {}
    fills: int = 0
    finished: Finished = {}
    books: dict[str, StrategyBook] = {}
    day: str = ""
    day_start_equity: Decimal = ZERO
    high_water_mark: Decimal = ZERO


def new_account(account: str, start_cash: Decimal) -> Account:
    """An account that has only cash."""
    return Account(
        account=account,
        start_cash=start_cash,
        cash=start_cash,
        day_start_equity=start_cash,
        high_water_mark=start_cash,
    )


def position_quantity(account: Account, strategy: str, instrument: str, product: Product | None = None) -> int:
    """Units a strategy holds in an instrument, of one product or of all; negative for short."""
    if product is None:
        return sum(position_quantity(account, strategy, instrument, one) for one in Product)
    position = account.positions.get(position_key(strategy, instrument, product))
    return 0 if position is None else position.quantity


def apply_fill(account: Account, filled: OrderFilled, instrument: Instrument) -> bool:
    """Book one fill; False, changing nothing, when its units have been booked. Fills may come in any order.

    Repeats are recognised until the day after the order's is over. Roll the day before.
    """
    order = filled.order
    booked = recall(account.orders, account.finished, order.order_id)
    start = max(filled.cumulative_quantity - filled.quantity, 0)
    units = book_units(booked, start, filled.cumulative_quantity)
    if not units:
        return False
    position = _position(account, filled, instrument)
    cash, realised = trade(position, order.side.sign * units, filled.price)
    day = trading_day(filled.event_time)
    booked.turnover += units * filled.price
    booked.day = max(account.day, day.isoformat())
    kind = segment_kind(instrument.instrument_type, order.product)
    total = charges_for(kind, instrument.exchange, order.side, booked.turnover, day).total
    charges, booked.charged = total - booked.charged, total
    remember(account.orders, account.finished, order.order_id, booked, order.quantity)
    post(account, order.strategy, cash=cash, realised=realised, charges=charges)
    account.fills += 1
    return True


def _position(account: Account, filled: OrderFilled, instrument: Instrument) -> Position:
    order = filled.order
    key = position_key(order.strategy, order.instrument, order.product)
    position = account.positions.get(key)
    if position is None:
        position = account.positions[key] = Position(
            strategy=order.strategy,
            instrument=order.instrument,
            instrument_token=order.instrument_token,
            product=order.product,
            contract=contract_of(instrument),
        )
    return position


def post(
    account: Account, strategy: str, *, cash: Decimal = ZERO, realised: Decimal = ZERO, charges: Decimal = ZERO
) -> None:
    """The only place where cash moves: in a strategy's book and in the account alike. Charges are paid from cash."""
    book = account.books.get(strategy)
    if book is None:
        book = account.books[strategy] = StrategyBook()
    book.cash += cash - charges
    book.realised += realised
    book.charges += charges
    account.cash += cash - charges
    account.realised += realised
    account.charges += charges


def equity(account: Account, marks: Marks) -> Decimal:
    """Cash and the value of positions, rupees."""
    return sum((value(one, marks) for one in account.positions.values() if one.quantity), account.cash)


def mark_to_market(account: Account, marks: Marks) -> Decimal:
    """Take over the marks and raise the high-water mark; returns the equity."""
    total = account.cash
    for position in account.positions.values():
        if position.quantity:
            position.mark = marks.get(position.instrument, position.mark)
            total += value(position, {})
    account.high_water_mark = max(account.high_water_mark, total)
    return total


def drawdown(account: Account, marks: Marks) -> Decimal:
    """Rupees below the most the account has been worth; never negative."""
    return max(account.high_water_mark - equity(account, marks), ZERO)


def account_day_pnl(account: Account, marks: Marks) -> Decimal:
    """Rupees gained since the day began, charges included."""
    return equity(account, marks) - account.day_start_equity


def strategy_equity(account: Account, strategy: str, marks: Marks) -> Decimal:
    """What a strategy has made or lost since the account began, rupees, charges included."""
    book = account.books.get(strategy)
    held = (value(one, marks) for one in account.positions.values() if one.quantity and one.strategy == strategy)
    return sum(held, ZERO if book is None else book.cash)


def strategy_day_pnl(account: Account, strategy: str, marks: Marks) -> Decimal:
    """Rupees a strategy has gained since the day began, charges included."""
    book = account.books.get(strategy)
    return strategy_equity(account, strategy, marks) - (ZERO if book is None else book.day_start_equity)
