"""The account: one book for each strategy, charges of each order's turnover, repeats, peaks."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from models.messages.orders import Product, Side
from tests.factories import ACCOUNT, AT, filled, instrument, order
from tests.unit.trading.accounting.books import DAY, FRIDAY, INFY, MONDAY, START, TCS, THURSDAY, Books, contract
from trading.accounting.account import (
    Account,
    StrategyBook,
    account_day_pnl,
    apply_fill,
    drawdown,
    equity,
    mark_to_market,
    new_account,
    position_quantity,
    post,
    strategy_day_pnl,
    strategy_equity,
)
from trading.accounting.day import roll_day
from trading.charges.charges import charges_for
from trading.charges.rates import SegmentKind

D = Decimal
MARKS = {"NSE:INFY": D(120), "NSE:TCS": D(90)}


def intraday(side: Side, turnover: str, exchange: str = "NSE") -> Decimal:
    return charges_for(SegmentKind.EQUITY_INTRADAY, exchange, side, D(turnover), THURSDAY).total


def test_a_new_account_has_only_cash() -> None:
    account = new_account(ACCOUNT, START)
    assert (account.account, account.start_cash, account.cash, account.day) == (ACCOUNT, START, START, "")
    assert (account.day_start_equity, account.high_water_mark, equity(account, {})) == (START, START, START)


def test_an_account_decoded_twice_shares_nothing() -> None:
    one, other = new_account(ACCOUNT, START), new_account(ACCOUNT, START)
    post(one, "momentum", cash=D(1))
    assert (other.books, other.positions, other.orders, other.finished) == ({}, {}, {}, {})


def test_a_fill_moves_cash_position_and_book() -> None:
    books = Books()
    position = books.trade(10, "100")
    account, paid = books.account, intraday(Side.BUY, "1000")
    assert (position.strategy, position.instrument, position.instrument_token) == ("momentum", "NSE:INFY", 408_065)
    assert (position.product, position.contract) == (Product.MIS, None)
    assert (account.cash, account.charges, account.realised, account.fills) == (START - 1000 - paid, paid, 0, 1)
    assert account.books == {"momentum": StrategyBook(cash=-1000 - paid, charges=paid)}
    books.trade(-10, "110")
    more = intraday(Side.SELL, "1100")
    assert (account.realised, account.charges, account.fills) == (100, paid + more, 2)
    assert account.books["momentum"].realised == 100


def test_strategies_have_books_of_their_own() -> None:
    books = Books()
    books.trade(10, "100")
    books.trade(-5, "110", strategy="rsi")
    account = books.account
    assert strategy_equity(account, "momentum", MARKS) == 200 - account.books["momentum"].charges
    assert strategy_equity(account, "rsi", MARKS) == -50 - account.books["rsi"].charges
    assert strategy_equity(account, "nobody", MARKS) == 0
    assert strategy_day_pnl(account, "nobody", MARKS) == 0
    assert equity(account, MARKS) == START + 150 - account.charges


def test_a_contract_is_kept_with_its_position() -> None:
    books = Books()
    position = books.trade(65, "24000", contract(), product=Product.NRML)
    assert position.contract is not None
    assert position.contract.index == "NSE:NIFTY 50"
    assert books.account.cash == START - books.account.charges


def test_charges_are_those_of_the_orders_turnover_not_of_each_fill() -> None:
    """Brokerage is capped at 20 rupees an order: three fills of one order pay it once."""
    account = new_account(ACCOUNT, START)
    one = order(quantity=300)
    for number in (1, 2, 3):
        apply_fill(account, filled(one, 100, "1000", number * 100), INFY)
        assert account.charges == intraday(Side.BUY, f"{number * 100_000}")
    assert account.orders == {}


def test_charges_go_by_exchange_and_the_fills_day() -> None:
    account = new_account(ACCOUNT, START)
    future = contract("FUT")
    one = order(order_id="a", instrument=future.key, product=Product.NRML, side=Side.SELL, quantity=65)
    before_april = AT - 200 * DAY
    apply_fill(account, filled(one, 65, "24000", 65, event_time=before_april), future)
    assert (
        account.books["momentum"].charges
        == charges_for(SegmentKind.FUTURES, "NFO", Side.SELL, D(65 * 24_000), FRIDAY.replace(month=2)).total
    )
    on_bse = new_account(ACCOUNT, START)
    shares = instrument(exchange="BSE")
    apply_fill(on_bse, filled(order(instrument=shares.key), 10, "1000", 10), shares)
    assert on_bse.charges == intraday(Side.BUY, "10000", "BSE")


def test_a_repeat_changes_nothing_before_and_after_the_order_is_finished() -> None:
    account = new_account(ACCOUNT, START)
    one = order(quantity=10)
    first, second = filled(one, 4, "100", 4), filled(one, 6, "110", 10)
    assert apply_fill(account, first, INFY)
    assert not apply_fill(account, first, INFY)
    assert apply_fill(account, second, INFY)
    before = msgspec.msgpack.encode(account)
    for again in (first, second, second):
        assert not apply_fill(account, again, INFY)
    assert msgspec.msgpack.encode(account) == before
    assert account.fills == 2


def test_a_fill_that_was_overtaken_is_booked_when_it_comes() -> None:
    account = new_account(ACCOUNT, START)
    one = order(quantity=10)
    first, second = filled(one, 4, "100", 4), filled(one, 6, "110", 10)
    assert apply_fill(account, second, INFY)
    assert position_quantity(account, "momentum", "NSE:INFY") == 6
    assert list(account.orders) == [one.order_id]
    assert apply_fill(account, first, INFY)
    assert position_quantity(account, "momentum", "NSE:INFY") == 10
    assert account.positions["momentum|NSE:INFY|MIS"].cost == 1060
    assert account.charges == intraday(Side.BUY, "1060")
    assert account.orders == {}


def test_of_a_fill_that_overlaps_only_the_new_units_are_booked() -> None:
    account = new_account(ACCOUNT, START)
    one = order(quantity=20)
    apply_fill(account, filled(one, 10, "100", 10), INFY)
    assert apply_fill(account, filled(one, 8, "110", 12), INFY)
    position = account.positions["momentum|NSE:INFY|MIS"]
    assert (position.quantity, position.cost) == (12, 1220)
    assert account.charges == intraday(Side.BUY, "1220")


def test_no_more_units_are_booked_than_have_filled_in_all() -> None:
    account = new_account(ACCOUNT, START)
    assert apply_fill(account, filled(order(quantity=20), 10, "100", 4), INFY)
    assert position_quantity(account, "momentum", "NSE:INFY") == 4
    assert account.orders[order().order_id].cumulative_quantity == 4


def test_units_beyond_the_orders_quantity_are_booked_too() -> None:
    """What the broker says it filled is what is held; the excess is charged like an order of its own."""
    account = new_account(ACCOUNT, START)
    one = order(quantity=10)
    apply_fill(account, filled(one, 10, "100", 10), INFY)
    assert apply_fill(account, filled(one, 2, "100", 12), INFY)
    assert not apply_fill(account, filled(one, 2, "100", 12), INFY)
    assert position_quantity(account, "momentum", "NSE:INFY") == 12
    assert account.charges == intraday(Side.BUY, "1000") + intraday(Side.BUY, "200")


def test_orders_are_remembered_until_the_day_after_theirs_is_over() -> None:
    books = Books()
    open_order, done = order(order_id="open", quantity=20), order(order_id="done")
    fills = filled(open_order, 10, "100", 10), filled(done, 10, "100", 10)
    for one in fills:
        apply_fill(books.account, one, INFY)
    books.roll(FRIDAY)
    assert not any(apply_fill(books.account, one, INFY) for one in fills)
    books.roll(MONDAY)
    assert (books.account.orders, books.account.finished) == ({}, {})


def test_a_late_fill_is_remembered_from_the_day_it_came() -> None:
    books = Books()
    books.roll(FRIDAY)
    late = filled(order(order_id="late"), 10, "100", 10, event_time=AT)
    assert apply_fill(books.account, late, INFY)
    books.roll(MONDAY)
    assert not apply_fill(books.account, late, INFY)


def test_quantities_by_product_and_of_all() -> None:
    books = Books()
    books.trade(10, "100")
    books.deliver(3, "100")
    books.trade(7, "100", TCS)
    books.trade(5, "100", strategy="rsi")
    account = books.account
    assert position_quantity(account, "momentum", "NSE:INFY") == 13
    assert position_quantity(account, "momentum", "NSE:INFY", Product.CNC) == 3
    assert position_quantity(account, "momentum", "NSE:INFY", Product.NRML) == 0
    assert position_quantity(account, "rsi", "NSE:TCS") == 0


def test_posting_pays_charges_from_cash_in_book_and_account() -> None:
    account = new_account(ACCOUNT, START)
    post(account, "momentum", cash=D(5), realised=D(3), charges=D(2))
    post(account, "rsi", charges=D(1))
    post(account, "momentum", cash=D(1))
    assert (account.cash, account.realised, account.charges) == (START + 3, 3, 3)
    assert account.books == {
        "momentum": StrategyBook(cash=D(4), realised=D(3), charges=D(2)),
        "rsi": StrategyBook(cash=D(-1), charges=D(1)),
    }


def test_the_day_counts_from_the_roll() -> None:
    books = Books()
    books.trade(10, "100")
    books.roll(FRIDAY, NSE_INFY=110)
    account = books.account
    assert account.day_start_equity == equity(account, {"NSE:INFY": D(110)})
    assert account_day_pnl(account, {"NSE:INFY": D(107)}) == -30
    assert strategy_day_pnl(account, "momentum", {"NSE:INFY": D(107)}) == -30
    before = account.charges
    books.trade(-10, "108")
    assert account_day_pnl(account, {}) == -20 - (account.charges - before)


def test_the_high_water_mark_rises_and_stays() -> None:
    books = Books()
    books.trade(1000, "100")
    account = books.account
    start = equity(account, {"NSE:INFY": D(100)})
    assert mark_to_market(account, {"NSE:INFY": D(90)}) == start - 10_000
    assert account.high_water_mark == START
    assert mark_to_market(account, {"NSE:INFY": D(130)}) == start + 30_000
    assert account.high_water_mark == start + 30_000
    assert mark_to_market(account, {"NSE:INFY": D(125)}) == start + 25_000
    assert account.high_water_mark == start + 30_000
    assert drawdown(account, {}) == 5_000
    assert drawdown(account, {"NSE:INFY": D(110)}) == 20_000
    assert drawdown(account, {"NSE:INFY": D(131)}) == 0


def test_marks_are_remembered_for_what_is_open() -> None:
    books = Books()
    books.trade(10, "100")
    flat = books.trade(10, "100", TCS)
    books.trade(-10, "101", TCS)
    mark_to_market(books.account, MARKS)
    assert books.account.positions["momentum|NSE:INFY|MIS"].mark == 120
    assert flat.mark is None
    mark_to_market(books.account, {})
    assert books.account.positions["momentum|NSE:INFY|MIS"].mark == 120


def test_flat_positions_are_not_asked_for_a_mark() -> None:
    books = Books()
    books.trade(10, "100")
    books.trade(-10, "101")

    class NoMarks(dict[str, Decimal]):
        def get(self, *_: object) -> Decimal:  # type: ignore[override]
            raise AssertionError

    assert equity(books.account, NoMarks()) == mark_to_market(books.account, NoMarks()) == books.account.cash


@pytest.mark.parametrize("orders", [0, 1000, 5000])
def test_an_account_stays_small(orders: int) -> None:
    """Twelve bytes an order for two days at most, 400 a position: a full day of Kite's 5,000 orders is below 100 kB."""
    books = Books()
    many = [instrument(instrument_token=10_000 + number, tradingsymbol=f"STOCK{number}") for number in range(50)]
    for number in range(orders):
        books.trade(10 if number % 2 else -10, "1234.55", many[number % 50], product=Product.MIS)
    for one in many:
        books.trade(10, "1234.55", one)
    size = len(msgspec.msgpack.encode(books.account))
    assert size < 1_000 + 12 * orders + 400 * 50
    books.roll(FRIDAY)
    books.roll(MONDAY)
    assert len(msgspec.msgpack.encode(books.account)) < 1_000 + 400 * 50


def test_an_account_written_before_there_were_books_is_read_and_its_money_kept() -> None:
    before = {
        "account": ACCOUNT,
        "start_cash": "1000000",
        "cash": "998986.5",
        "realised": "7",
        "charges": "20.5",
        "positions": {
            "momentum|NSE:INFY|MIS": {
                "strategy": "momentum",
                "instrument": "NSE:INFY",
                "instrument_token": 408_065,
                "product": "MIS",
                "quantity": 10,
                "cost": "1000",
                "realised": "0",
            }
        },
        "orders": {"a": {"cumulative_quantity": 10, "turnover": "1000", "charged": "20.5", "day": "2026-08-19"}},
        "fills": 1,
    }
    account = msgspec.msgpack.decode(msgspec.msgpack.encode(before), type=Account)
    assert roll_day(account, THURSDAY)
    assert account.books[""] == StrategyBook(
        cash=D("-1013.5"), realised=D(7), charges=D("20.5"), day_start_equity=D("-1013.5")
    )
    assert account.day_start_equity == equity(account, {}) == D("999986.5")
    assert account.high_water_mark == D("999986.5")
    assert account.positions["momentum|NSE:INFY|MIS"].overnight_quantity == 10


def test_an_account_that_knows_more_fields_is_read_by_this_version() -> None:
    later = {**msgspec.to_builtins(new_account(ACCOUNT, START)), "invented_later": [1, 2]}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(later), type=Account) == new_account(ACCOUNT, START)
