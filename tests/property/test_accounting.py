"""Books of an account against an independent count of the same fills, exact to the last decimal."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import OrderFilled, Side
from models.messages.portfolio import SnapshotCause
from tests.factories import ACCOUNT, AT, filled, order
from tests.property.accounting_model import (
    FIRST_DAY,
    INSTRUMENTS,
    STRATEGIES,
    Model,
    all_marks,
    days,
    delivery_charges,
    fills,
    marks,
    prices,
)
from trading.accounting.account import (
    Account,
    account_day_pnl,
    apply_fill,
    drawdown,
    equity,
    mark_to_market,
    new_account,
    position_quantity,
    strategy_day_pnl,
    strategy_equity,
)
from trading.accounting.day import DayEnd, roll_day
from trading.accounting.expiry import settle_expired
from trading.accounting.position import Position, day_pnl, position_key, unrealised, value
from trading.accounting.snapshot import snapshot
from trading.charges.fees import dp_charge

START = Decimal("1000000.00")
ZERO = Decimal(0)
TradingDays = list[tuple[date, DayEnd | None, list[OrderFilled]]]


def book(account: Account, fill: OrderFilled) -> bool:
    return apply_fill(account, fill, INSTRUMENTS[fill.order.instrument])


def copy(account: Account) -> Account:
    """As it comes back from a table."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(account), type=Account)


def opened() -> Account:
    account = new_account(ACCOUNT, START)
    assert roll_day(account, FIRST_DAY)
    return account


def assert_identity(account: Account, now: dict[str, Decimal]) -> None:
    """The identity of the account, of each book, and of the published snapshot with both."""
    body = snapshot(account, now, SnapshotCause.MARK, AT)
    assert body.cash + body.position_value == body.start_cash + body.realised + body.unrealised - body.charges
    assert body.equity == body.cash + body.position_value == equity(account, now)
    assert body.unrealised == sum((one.unrealised for one in body.positions), ZERO)
    assert body.drawdown == drawdown(account, now) >= 0
    assert body.day_pnl == account_day_pnl(account, now)
    for strategy, one in account.books.items():
        own = [position for position in account.positions.values() if position.strategy == strategy]
        worth = sum((value(position, now) for position in own), ZERO)
        open_gain = sum((unrealised(position, now) for position in own), ZERO)
        assert one.cash + worth == one.realised + open_gain - one.charges == strategy_equity(account, strategy, now)
    assert account.cash == START + sum((one.cash for one in account.books.values()), ZERO)
    assert account.realised == sum((one.realised for one in account.books.values()), ZERO)
    assert account.charges == sum((one.charges for one in account.books.values()), ZERO)


@given(found=fills(), now=marks, repeats=st.integers(0, 3))
def test_the_identity_holds_after_every_fill_and_repeats_change_nothing(
    found: list[OrderFilled], now: dict[str, Decimal], repeats: int
) -> None:
    account, model = opened(), Model()
    for number, fill in enumerate(found, start=1):
        assert book(account, fill)
        model.fill(fill)
        before = copy(account)
        for again in found[:number] * repeats:
            assert not book(account, again)
        assert account == before
        account = before
        assert_identity(account, now)
        assert account.charges == model.charges()
        assert account.fills == number
    for (strategy, key, product), quantity in model.quantity.items():
        position = account.positions[position_key(strategy, key, product)]
        assert position.quantity == quantity == position_quantity(account, strategy, key, product)


@given(found=fills(), now=all_marks)
def test_the_average_cost_is_that_of_exact_fractions(found: list[OrderFilled], now: dict[str, Decimal]) -> None:
    account, model = opened(), Model()
    for fill in found:
        book(account, fill)
        model.fill(fill)
        assert equity(account, now) == Fraction(START) + model.gained(now)
    rounding = Fraction(1, 10_000) * (model.closes + 1)
    for whose, quantity in model.quantity.items():
        position = account.positions[position_key(*whose)]
        assert abs(Fraction(position.realised) - model.realised[whose]) <= rounding
        assert abs(Fraction(position.cost) - model.cost[whose]) <= rounding
        if not quantity:
            assert position.realised == model.flow[whose]
            assert (position.cost, position.settled, position.average_price) == (ZERO, ZERO, ZERO)
        else:
            assert position.cost * quantity > 0


@given(found=fills(), now=all_marks, seed=st.integers(0, 2**32))
def test_fills_in_any_order_and_number_end_in_the_same_books(
    found: list[OrderFilled], now: dict[str, Decimal], seed: int
) -> None:
    """Which close meets which cost depends on the order; what is held, paid and charged does not."""
    straight, shuffled = opened(), opened()
    for fill in found:
        book(straight, fill)
    again = found * 3
    random.Random(seed).shuffle(again)
    assert sum(book(shuffled, fill) for fill in again) == len(found)
    assert equity(shuffled, now) == equity(straight, now)
    assert (shuffled.charges, shuffled.fills) == (straight.charges, straight.fills)
    assert shuffled.finished == straight.finished
    assert shuffled.orders == straight.orders
    for key, position in straight.positions.items():
        assert shuffled.positions[key].quantity == position.quantity


@given(found=days(), now=all_marks)
def test_days_and_settlements_move_money_between_pockets_and_make_none(
    found: TradingDays, now: dict[str, Decimal]
) -> None:
    account, model, over = new_account(ACCOUNT, START), Model(), []
    for day, ended, todays in found:
        roll(account, day, ended)
        if ended is not None and ended.prices:
            assert_futures_settled(account, ended)
        depository = delivery_charges(over) * dp_charge(day)
        start = equity(account, {})
        assert start == account.day_start_equity
        charged = account.charges
        for fill in todays:
            assert book(account, fill)
            model.fill(fill)
        assert_identity(account, now)
        assert equity(account, now) == Fraction(START) + model.gained(now) - Fraction(depository)
        assert account.charges == model.charges() + Fraction(depository)
        paid_today = account.charges - charged
        gained = sum((day_pnl(one, now) for one in account.positions.values()), ZERO)
        assert account_day_pnl(account, now) == gained - paid_today
        assert account_day_pnl(account, now) == sum((strategy_day_pnl(account, one, now) for one in STRATEGIES), ZERO)
        account = copy(account)
        over.append(todays)


def roll(account: Account, day: date, ended: DayEnd | None) -> None:
    """Roll, and see that doing it again, or to an earlier day, changes nothing."""
    assert roll_day(account, day, ended)
    after = copy(account)
    assert not roll_day(account, day, ended)
    assert not roll_day(account, day - timedelta(days=1), None)
    assert account == after
    assert account.day == day.isoformat()


def assert_futures_settled(account: Account, ended: DayEnd) -> None:
    for one in account.positions.values():
        assert one.quantity == one.overnight_quantity != 0
        if one.instrument in ended.prices:
            assert one.overnight_worth == one.quantity * ended.prices[one.instrument]
        if one.is_future:
            assert value(one, {}) == 0
            if one.instrument in ended.prices:
                assert one.settled == one.quantity * ended.prices[one.instrument]
        else:
            assert one.settled == 0


@given(found=days(), gap=st.integers(1, 12), cuts=st.sets(st.integers(1, 11)), now=marks)
def test_several_days_without_ticks_are_the_same_as_one_after_the_other(
    found: TradingDays, gap: int, cuts: set[int], now: dict[str, Decimal]
) -> None:
    at_once = new_account(ACCOUNT, START)
    for day, ended, todays in found:
        roll_day(at_once, day, ended)
        for fill in todays:
            book(at_once, fill)
    one_by_one, last = copy(at_once), found[-1][0]
    ended = DayEnd(last, now)
    for days_on in sorted(cut for cut in cuts if cut < gap):
        roll_day(one_by_one, last + timedelta(days=days_on), ended)
    roll_day(one_by_one, last + timedelta(days=gap), ended)
    roll_day(at_once, last + timedelta(days=gap), ended)
    one_by_one.orders = one_by_one.finished = at_once.orders = at_once.finished = {}  # remembered for a day each
    assert one_by_one == at_once


@given(found=fills(), last=prices)
def test_what_is_flat_has_no_cost_and_all_its_profit_realised(found: list[OrderFilled], last: Decimal) -> None:
    account = opened()
    for fill in found:
        book(account, fill)
    for number, position in enumerate(list(account.positions.values())):
        if position.quantity:
            book(account, flattening(position, number, last))
        assert (position.quantity, position.cost, position.settled) == (0, ZERO, ZERO)
    assert equity(account, {}) == account.cash == START + account.realised - account.charges


def flattening(position: Position, number: int, price: Decimal) -> OrderFilled:
    out = order(
        order_id=f"out-{number}",
        strategy=position.strategy,
        instrument=position.instrument,
        product=position.product,
        side=Side.SELL if position.quantity > 0 else Side.BUY,
        quantity=abs(position.quantity),
    )
    return filled(out, out.quantity, str(price), out.quantity)


@given(found=fills(), first=all_marks, second=all_marks)
def test_the_high_water_mark_is_the_most_the_account_was_marked_at(
    found: list[OrderFilled], first: dict[str, Decimal], second: dict[str, Decimal]
) -> None:
    account, most = opened(), START
    for number, fill in enumerate(found):
        book(account, fill)
        now = (first, second)[number % 2]
        assert drawdown(account, now) == max(most - equity(account, now), ZERO)
        worth = mark_to_market(account, now)
        most = max(most, worth)
        assert worth == equity(account, now) == equity(account, {})  # the marks are remembered
        assert account.high_water_mark == most
        assert drawdown(account, now) == most - worth


@given(found=days(), now=all_marks, final=prices)
def test_expiry_turns_contracts_into_cash_and_realised_profit(
    found: TradingDays, now: dict[str, Decimal], final: Decimal
) -> None:
    account = new_account(ACCOUNT, START)
    for day, ended, todays in found:
        roll_day(account, day, ended)
        for fill in todays:
            book(account, fill)
    contracts = [one for one in account.positions.values() if one.contract is not None]
    at_final = dict(now)
    for one in contracts:
        assert one.contract is not None
        at_final[one.instrument] = one.contract.worth_at(final)
    worth, charged = equity(account, at_final), account.charges
    opened = [one for one in contracts if one.quantity]
    assert sum(settle_expired(account, key, final) for key in {one.instrument for one in contracts}) == len(opened)
    assert equity(account, at_final) == worth - (account.charges - charged)
    for one in contracts:
        assert (one.quantity, one.cost, one.settled, value(one, now)) == (0, ZERO, ZERO, ZERO)
    assert_identity(account, now)
