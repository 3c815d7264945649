"""The day roll: what happens to an account's books between two trading days.

Driven by event time alone: rolling to a day already rolled to changes nothing, and a roll over several days is the
same as one roll after the other.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date

import msgspec

from models.messages.orders import Product
from trading.accounting.account import Account, StrategyBook, equity, mark_to_market, post, strategy_equity
from trading.accounting.expiry import settle_expired
from trading.accounting.position import ZERO, Marks, Position, settle, worth
from trading.charges.fees import dp_charge
from trading.market.sessions import is_trading_day, next_trading_day


class DayEnd(msgspec.Struct, frozen=True):
    """Last prices of a trading day, rupees by instrument key; a future's is its settlement price."""

    day: date
    prices: Marks


def roll_day(account: Account, day: date, ended: DayEnd | None = None) -> bool:
    """Begin `day`; False, changing nothing, when the account has begun it or a later one.

    Marks everything at the prices of `ended`, or the last ones known where it has none, settles futures in cash, lets
    index contracts expire whose final price it has, books the day's depository charges, ages deliveries, and forgets
    flat positions and the orders of the day before the one that is over.
    """
    new = day.isoformat()
    if new <= account.day:
        return False
    _adopt(account)
    known = ended if ended is not None and account.day <= ended.day.isoformat() < new else None
    mark_to_market(account, known.prices if known else {})
    if known:
        _expire(account, known)
    _charge_deliveries(account)
    for position in account.positions.values():
        post(account, position.strategy, cash=settle(position))
        _age(position, account.day, day)
        _begin(position)
    account.positions = {key: one for key, one in account.positions.items() if one.quantity}
    account.orders = {key: order for key, order in account.orders.items() if order.day >= account.day}
    account.finished = {key: orders for key, orders in account.finished.items() if key >= account.day}
    account.day = new
    account.day_start_equity = equity(account, {})
    for strategy, book in account.books.items():
        book.day_start_equity = strategy_equity(account, strategy, {})
    return True


def _adopt(account: Account) -> None:
    """Give the money of an account kept before there were books to a book without a strategy."""
    if account.fills and not account.books:
        cash = account.cash - account.start_cash
        account.books[""] = StrategyBook(cash=cash, realised=account.realised, charges=account.charges)


def _expire(account: Account, ended: DayEnd) -> None:
    for instrument, contract in {one.instrument: one.contract for one in account.positions.values()}.items():
        if contract is not None and contract.index and contract.expiry == ended.day and contract.index in ended.prices:
            settle_expired(account, instrument, ended.prices[contract.index])


def _charge_deliveries(account: Account) -> None:
    """Book the depository's charge once for each share delivered, to the strategy that sold most of it."""
    if not account.day:
        return
    sold: dict[str, dict[str, int]] = defaultdict(dict)
    for one in account.positions.values():
        if one.product is Product.CNC:
            sold[one.instrument][one.strategy] = one.day_sell_quantity - one.day_buy_quantity
    delivered: dict[str, str] = {}
    for instrument, by_strategy in sold.items():
        if sum(by_strategy.values()) > 0:
            seller = max(by_strategy, key=lambda strategy: (by_strategy[strategy], strategy))
            delivered.setdefault(instrument.partition(":")[2], seller)
    for seller in delivered.values():
        post(account, seller, charges=dp_charge(date.fromisoformat(account.day)))


def _age(position: Position, over: str, day: date) -> None:
    """Bring T+1 up to date: what was sold came from settled units first; today's net purchase is new."""
    if position.product is not Product.CNC:
        return
    if position.bought_on and is_delivered(date.fromisoformat(position.bought_on), day):
        position.t1_quantity = 0
    bought = position.day_buy_quantity - position.day_sell_quantity
    if bought > 0 and over and not is_delivered(date.fromisoformat(over), day):
        position.t1_quantity, position.bought_on = position.t1_quantity + bought, over
    position.t1_quantity = max(min(position.t1_quantity, position.quantity), 0)
    if not position.t1_quantity:
        position.bought_on = ""


def is_delivered(bought: date, day: date) -> bool:
    """True when shares bought on `bought` are in the demat account as `day` begins: from the second trading day on.

    Trading days are counted; days on which only settlement rests are not known here. A day without trading counts as
    the trading day after it, which nobody sells before: so no more than one day's purchases are ever on their way.
    """
    return next_trading_day(next_trading_day(bought)) <= (day if is_trading_day(day) else next_trading_day(day))


def _begin(position: Position) -> None:
    position.overnight_quantity = position.quantity
    position.overnight_cost = position.cost
    position.overnight_worth = worth(position, {})
    position.day_buy_quantity = position.day_sell_quantity = 0
    position.day_buy_value = position.day_sell_value = ZERO
