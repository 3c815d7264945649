"""The day roll: settlement, expiry, deliveries, depository charges, and what is forgotten."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from models.messages.orders import Product, Side
from tests.factories import ACCOUNT, filled, instrument, order
from tests.unit.trading.accounting.books import (
    FRIDAY,
    INFY,
    MONDAY,
    START,
    TCS,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    Books,
    contract,
)
from trading.accounting.account import apply_fill, equity, new_account
from trading.accounting.day import DayEnd, is_delivered, roll_day
from trading.charges.fees import dp_charge

D = Decimal
DP = D("15.34")


def test_a_day_begins_once() -> None:
    books = Books()
    books.trade(10, "100")
    before = msgspec.msgpack.encode(books.account)
    for day in (THURSDAY, date(2026, 8, 19)):
        assert not roll_day(books.account, day, DayEnd(date(2026, 8, 18), {"NSE:INFY": D(1)}))
    assert msgspec.msgpack.encode(books.account) == before
    assert roll_day(books.account, FRIDAY)
    assert books.account.day == "2026-08-21"


def test_positions_begin_the_day_with_what_they_ended_it() -> None:
    books = Books()
    books.trade(10, "100")
    one = books.trade(-4, "110")
    books.roll(FRIDAY, NSE_INFY=105)
    assert (one.overnight_quantity, one.overnight_cost, one.overnight_worth) == (6, 600, 630)
    assert (one.day_buy_quantity, one.day_buy_value, one.day_sell_quantity, one.day_sell_value) == (0, 0, 0, 0)
    assert (one.mark, one.realised) == (105, 40)


def test_what_is_flat_is_forgotten_and_its_profit_is_not() -> None:
    books = Books()
    books.trade(10, "100")
    books.trade(-10, "110")
    kept = books.trade(5, "100", TCS)
    books.roll(FRIDAY)
    assert list(books.account.positions.values()) == [kept]
    assert books.account.realised == books.account.books["momentum"].realised == 100


@pytest.mark.parametrize(
    "ended", [None, DayEnd(date(2026, 8, 19), {"NSE:INFY": D(1)}), DayEnd(FRIDAY, {"NSE:INFY": D(1)})]
)
def test_without_prices_of_the_day_the_last_marks_count(ended: DayEnd | None) -> None:
    """None, those of an earlier day, and those of a day that cannot be over."""
    books = Books()
    one = books.trade(10, "100")
    one.mark = D(103)
    assert roll_day(books.account, FRIDAY, ended)
    assert (one.mark, one.overnight_worth) == (103, 1030)
    assert books.account.day_start_equity == books.account.cash + 1030


def test_prices_of_a_day_after_the_last_roll_count() -> None:
    books = Books()
    one = books.trade(10, "100")
    books.roll(TUESDAY, ended=MONDAY, NSE_INFY=104)
    assert one.overnight_worth == 1040


def test_the_close_raises_the_high_water_mark() -> None:
    books = Books()
    books.trade(1000, "100")
    books.roll(FRIDAY, NSE_INFY=130)
    assert books.account.high_water_mark == equity(books.account, {}) == books.account.cash + 130_000


def test_the_day_starts_with_the_equity_at_the_close_by_account_and_book() -> None:
    books = Books()
    books.trade(10, "100")
    books.trade(-5, "100", TCS, strategy="rsi")
    books.roll(FRIDAY, NSE_INFY=110, NSE_TCS=90)
    account = books.account
    assert account.day_start_equity == START + 100 + 50 - account.charges
    assert account.books["momentum"].day_start_equity == 100 - account.books["momentum"].charges
    assert account.books["rsi"].day_start_equity == 50 - account.books["rsi"].charges


def test_a_future_settles_every_day_in_its_strategys_book() -> None:
    books = Books()
    future = contract("FUT", expiry=date(2026, 9, 29))
    one = books.trade(65, "24000", future, product=Product.NRML, strategy="rsi")
    paid = books.account.charges
    books.roll(FRIDAY, NFO_NIFTYFUT="24100")
    assert books.account.cash == START - paid + 6_500
    assert books.account.books["rsi"].cash == 6_500 - paid
    assert (one.settled, one.quantity, books.account.realised) == (65 * 24_100, 65, 0)
    books.roll(MONDAY, NFO_NIFTYFUT="24060")
    assert books.account.cash == START - paid + 3_900
    assert equity(books.account, {future.key: D(24_061)}) == START - paid + 65 * 61


def test_a_future_without_any_mark_stays_at_its_price() -> None:
    books = Books()
    books.trade(65, "24000", contract("FUT"), product=Product.NRML)
    books.roll(FRIDAY)
    assert books.account.cash == START - books.account.charges


def test_shares_are_not_settled() -> None:
    books = Books()
    one = books.trade(10, "100")
    cash = books.account.cash
    books.roll(FRIDAY, NSE_INFY=110)
    assert (books.account.cash, one.settled) == (cash, 0)


def test_an_index_contract_ends_at_the_index() -> None:
    books = Books()
    books.trade(65, "24000", contract("FUT"), product=Product.NRML)
    books.trade(65, "150", contract("CE", strike=24_000), product=Product.NRML)
    books.roll(TUESDAY, ended=MONDAY, NFO_NIFTYFUT=24_050)
    assert len(books.account.positions) == 2
    before, charged = equity(books.account, {}), books.account.charges
    books.roll(WEDNESDAY, ended=TUESDAY, **{"NSE_NIFTY 50": "24100", "NFO_NIFTYFUT": 24_099})
    assert books.account.positions == {}
    assert books.account.realised == 65 * 100 + 65 * (100 - 150)
    # On the close of the future a little lower than the index, and of the call at its cost: what the last day added.
    assert equity(books.account, {}) == before + 65 * 50 + 65 * (100 - 150) - (books.account.charges - charged)
    assert books.account.cash == equity(books.account, {})


@pytest.mark.parametrize(
    ("ended", "prices"),
    [
        (TUESDAY, {"NFO_NIFTYFUT": 24_100}),  # the index itself is not known
        (MONDAY, {"NSE_NIFTY 50": 24_100}),  # known, but not of the last day
        (WEDNESDAY, {"NSE_NIFTY 50": 24_100}),
    ],
)
def test_no_contract_ends_without_the_index_of_its_last_day(ended: date, prices: dict[str, int]) -> None:
    books = Books(MONDAY)
    one = books.trade(65, "24000", contract("FUT"), product=Product.NRML)
    books.roll(date(2026, 8, 27), ended=ended, **prices)
    assert one.quantity == 65
    assert books.account.realised == 0


def test_a_contract_on_a_stock_never_ends_by_itself() -> None:
    books = Books(TUESDAY)
    one = books.trade(500, "1400", contract("FUT", name="RELIANCE"), product=Product.NRML)
    books.roll(WEDNESDAY, NFO_RELIANCEFUT=1410, NSE_RELIANCE=1410, **{"": 5})
    assert one.quantity == 500


# Depository charges


def held(*quantities: tuple[str, int]) -> Books:
    """Deliveries of INFY held over night, by strategy."""
    books = Books()
    for strategy, quantity in quantities:
        books.deliver(quantity, "100", strategy=strategy)
    books.roll(FRIDAY)
    return books


def depository(books: Books, day: date = MONDAY) -> dict[str, Decimal]:
    """What a roll charges, by strategy."""
    before = {strategy: book.charges for strategy, book in books.account.books.items()}
    charged, cash = books.account.charges, books.account.cash
    books.roll(day)
    found = {strategy: book.charges - before[strategy] for strategy, book in books.account.books.items()}
    assert books.account.charges - charged == cash - books.account.cash == sum(found.values())
    return {strategy: amount for strategy, amount in found.items() if amount}


def test_a_share_that_leaves_the_demat_account_costs_once() -> None:
    books = held(("momentum", 10))
    books.deliver(-4, "110")
    books.deliver(-3, "111")
    assert depository(books) == {"momentum": DP} == {"momentum": dp_charge(FRIDAY)}
    assert depository(books, TUESDAY) == {}


def test_every_share_and_day_costs_again() -> None:
    books = held(("momentum", 10))
    books.deliver(10, "100", TCS)
    books.roll(MONDAY)
    books.deliver(-4, "110")
    books.deliver(-4, "110", TCS)
    assert depository(books, TUESDAY) == {"momentum": 2 * DP}
    books.deliver(-4, "110")
    assert depository(books, WEDNESDAY) == {"momentum": DP}


def test_the_same_share_on_both_exchanges_leaves_once() -> None:
    books = held(("momentum", 10))
    on_bse = instrument(instrument_token=9, exchange="BSE")
    books.deliver(10, "100", on_bse)
    books.roll(MONDAY)
    books.deliver(-4, "110")
    books.deliver(-4, "110", on_bse)
    assert depository(books, TUESDAY) == {"momentum": DP}


def test_buys_and_sells_of_one_day_cancel_out() -> None:
    books = held(("momentum", 10))
    books.deliver(-4, "110")
    books.deliver(4, "109")
    assert depository(books) == {}


def test_a_purchase_of_another_strategy_cancels_a_sale_out() -> None:
    books = held(("momentum", 10))
    books.deliver(-4, "110")
    books.deliver(3, "109", strategy="rsi")
    assert depository(books) == {"momentum": DP}
    books.deliver(-4, "110")
    books.deliver(5, "109", strategy="rsi")
    assert depository(books, TUESDAY) == {}


def test_the_strategy_that_sold_most_pays_and_of_equals_the_last_by_name() -> None:
    books = held(("momentum", 10), ("rsi", 10), ("trend", 10))
    for strategy, quantity in (("momentum", -2), ("rsi", -4), ("trend", -3)):
        books.deliver(quantity, "110", strategy=strategy)
    assert depository(books) == {"rsi": DP}
    for strategy in ("trend", "momentum"):
        books.deliver(-2, "110", strategy=strategy)
    assert depository(books, TUESDAY) == {"trend": DP}


def test_intraday_trades_do_not_touch_the_demat_account() -> None:
    books = Books()
    books.trade(-10, "100")
    assert depository(books, FRIDAY) == {}


def test_the_first_roll_of_all_charges_nothing() -> None:
    account = new_account(ACCOUNT, START)
    apply_fill(account, filled(order(side=Side.SELL, product=Product.CNC), 10, "100", 10), INFY)
    charged = account.charges
    assert roll_day(account, FRIDAY)
    assert account.charges == charged
    assert account.positions["momentum|NSE:INFY|CNC"].t1_quantity == 0


# T+1


@pytest.mark.parametrize(
    ("bought", "day", "delivered"),
    [
        (THURSDAY, FRIDAY, False),
        (THURSDAY, date(2026, 8, 22), True),  # a Saturday: as the Monday after it
        (FRIDAY, date(2026, 8, 22), False),
        (THURSDAY, MONDAY, True),
        (FRIDAY, MONDAY, False),
        (FRIDAY, TUESDAY, True),
        (date(2026, 11, 23), date(2026, 11, 25), False),  # the 24th is a holiday
        (date(2026, 11, 23), date(2026, 11, 26), True),
    ],
)
def test_shares_are_delivered_as_the_second_trading_day_begins(bought: date, day: date, delivered: bool) -> None:
    assert is_delivered(bought, day) is delivered


def test_a_purchase_is_unsettled_for_a_day() -> None:
    books = Books()
    one = books.deliver(10, "100")
    assert (one.t1_quantity, one.bought_on) == (0, "")
    books.roll(FRIDAY)
    assert (one.t1_quantity, one.bought_on) == (10, "2026-08-20")
    books.deliver(5, "100")
    books.roll(MONDAY)
    assert (one.quantity, one.t1_quantity, one.bought_on) == (15, 5, "2026-08-21")
    books.roll(TUESDAY)
    assert (one.t1_quantity, one.bought_on) == (0, "")


def test_a_roll_at_the_weekend_keeps_the_purchases_of_two_days_apart() -> None:
    books = Books()
    one = books.deliver(10, "100")
    books.roll(FRIDAY)
    books.deliver(5, "100")
    books.roll(date(2026, 8, 22))
    assert (one.quantity, one.t1_quantity, one.bought_on) == (15, 5, "2026-08-21")
    books.roll(MONDAY)
    assert (one.quantity, one.t1_quantity, one.bought_on) == (15, 5, "2026-08-21")


def test_over_a_long_pause_everything_is_delivered() -> None:
    books = Books()
    one = books.deliver(10, "100")
    books.roll(TUESDAY)
    assert (one.t1_quantity, one.bought_on) == (0, "")


def test_over_a_weekend_purchases_stay_unsettled() -> None:
    books = Books(FRIDAY)
    one = books.deliver(10, "100")
    books.roll(date(2026, 8, 22))
    books.deliver(1, "100")
    books.roll(date(2026, 8, 23))
    assert (one.t1_quantity, one.bought_on) == (11, "2026-08-22")
    books.roll(MONDAY)
    assert (one.t1_quantity, one.bought_on) == (11, "2026-08-22")  # nothing was bought on Sunday
    books.roll(TUESDAY)
    assert one.t1_quantity == 0


def test_settled_shares_are_sold_first() -> None:
    books = Books()
    one = books.deliver(10, "100")
    books.roll(MONDAY)
    books.deliver(8, "100")
    books.roll(TUESDAY)
    assert (one.quantity, one.t1_quantity) == (18, 8)
    books.deliver(-12, "100")
    books.roll(date(2026, 8, 26))
    assert (one.quantity, one.t1_quantity) == (6, 0)  # all settled by then


def test_what_is_bought_and_sold_on_a_day_is_no_purchase() -> None:
    books = Books()
    one = books.deliver(10, "100")
    books.deliver(-4, "100")
    books.roll(FRIDAY)
    assert one.t1_quantity == 6


def test_selling_unsettled_shares_leaves_fewer_of_them() -> None:
    books = Books(FRIDAY)
    one = books.deliver(10, "100")
    books.roll(date(2026, 8, 22))
    books.deliver(-4, "100")
    books.roll(MONDAY)
    assert (one.quantity, one.t1_quantity, one.bought_on) == (6, 6, "2026-08-21")


def test_more_sold_than_held_leaves_nothing_unsettled() -> None:
    books = Books()
    one = books.deliver(10, "100")
    books.deliver(-15, "100")
    books.roll(FRIDAY)
    assert (one.quantity, one.t1_quantity, one.bought_on) == (-5, 0, "")


def test_intraday_positions_have_no_settlement() -> None:
    books = Books()
    one = books.trade(10, "100")
    books.roll(FRIDAY)
    assert (one.t1_quantity, one.bought_on) == (0, "")
