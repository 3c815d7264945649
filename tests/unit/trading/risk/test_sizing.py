"""Sizing: from a wish to units, rounded and sliced, that can never turn an exit into a position."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import OrderType, Product, Side
from models.messages.signals import AcceptedSignal, DeniedSignal, Intent
from models.messages.validation import MAX_QUANTITY
from tests.factories import AT, exposure, filled, instrument, limit_order, limits, origin, signal
from tests.unit.trading.risk.asking import (
    Answer,
    accept,
    answer,
    ask,
    close,
    entry,
    failed,
    future,
    holding,
    of,
    target,
    working,
)
from trading.risk.exposure import Exposure, apply_failed, apply_fill

BUY, SELL = Side.BUY, Side.SELL
WIDE = limits(
    max_order_quantity=MAX_QUANTITY,
    max_position_quantity=MAX_QUANTITY,
    max_order_notional=Decimal(10**15),
    max_gross_exposure=Decimal(10**15),
)


def rest_of(wish: object, found: Exposure) -> tuple[Answer, str | None]:
    """The orders, and the code with which the rest was denied."""
    result = answer(wish, found)  # type: ignore[arg-type]
    assert isinstance(result, AcceptedSignal)
    return ask(wish, found), result.rest and result.rest.code  # type: ignore[arg-type]


def test_a_close_sells_what_is_held_and_buys_back_what_is_short() -> None:
    assert ask(close(), holding(10)) == [(SELL, 10, True)]
    assert ask(close(), holding(-7)) == [(BUY, 7, True)]
    assert ask(close()) == "nothing_to_do"


@pytest.mark.parametrize(
    ("held", "side", "quantity", "found"),
    [
        (10, SELL, 4, [(SELL, 4, True)]),
        (10, SELL, 10, [(SELL, 10, True)]),
        (10, SELL, 11, [(SELL, 10, True)]),
        (-10, BUY, 11, [(BUY, 10, True)]),
        (10, BUY, 4, "nothing_to_do"),
        (-10, SELL, 4, "nothing_to_do"),
    ],
)
def test_a_reduction_ends_at_zero_and_never_adds(held: int, side: Side, quantity: int, found: Answer) -> None:
    assert ask(signal(intent=Intent.REDUCE, side=side, quantity=quantity), holding(held)) == found


def test_a_reduction_leaves_units_that_another_order_leaves_already() -> None:
    held = holding(10)
    working(held, SELL, 7)
    assert ask(signal(intent=Intent.REDUCE, side=SELL, quantity=10), held) == [(SELL, 3, True)]
    working(held, BUY, 20)
    assert ask(signal(intent=Intent.REDUCE, side=SELL, quantity=10), held) == [(SELL, 3, True)]
    working(held, SELL, 3)
    assert ask(signal(intent=Intent.REDUCE, side=SELL, quantity=10), held) == "nothing_to_do"


def test_a_target_is_the_difference_to_what_is_held() -> None:
    assert ask(target(12), holding(10)) == [(BUY, 2, False)]
    assert ask(target(4), holding(10)) == [(SELL, 6, True)]
    assert ask(target(10), holding(10)) == "nothing_to_do"
    assert ask(target(-3), holding(-10)) == [(BUY, 7, True)]
    assert ask(target(-13), holding(-10)) == [(SELL, 3, False)]


def test_a_repeated_wish_finds_what_works_already() -> None:
    exiting, entering = holding(10), exposure()
    working(exiting, SELL, 10, reduces=True)
    working(entering, BUY, 10)
    assert ask(close(), exiting) == "nothing_to_do"
    assert ask(target(10), entering) == "nothing_to_do"
    assert ask(target(15), entering) == [(BUY, 5, False)]


@pytest.mark.parametrize("wish", [close(), target(0), target(-5), target(4)])
def test_nothing_is_sized_against_an_entry_that_has_not_filled(wish: object) -> None:
    """Should it be rejected, that would be a short."""
    found = exposure()
    working(found, BUY, 10)
    assert ask(wish, found) == "opposite_order_working"  # type: ignore[arg-type]


def test_an_exit_takes_what_has_filled_of_its_entry_and_leaves_the_rest() -> None:
    found = holding(4)
    working(found, BUY, 6)
    assert rest_of(close(), found) == ([(SELL, 4, True)], "opposite_order_working")
    assert rest_of(target(0), found) == ([(SELL, 4, True)], "opposite_order_working")
    assert rest_of(target(1), found) == ([(SELL, 3, True)], "opposite_order_working")
    assert rest_of(target(-5), found) == ([(SELL, 4, True)], "opposite_order_working")
    assert ask(target(7), found) == "opposite_order_working"
    assert ask(target(12), found) == [(BUY, 2, False)]


def test_an_exit_leaves_what_other_orders_of_its_side_may_sell() -> None:
    found = holding(10)
    working(found, SELL, 4)
    assert ask(close(), found) == [(SELL, 6, True)]
    assert ask(entry(side=SELL, quantity=8), found) == [(SELL, 6, True), (SELL, 2, False)]
    working(found, SELL, 6, reduces=True)
    assert ask(entry(side=SELL, quantity=8), found) == [(SELL, 8, False)]


def test_an_open_signal_is_taken_at_its_word_also_against_a_working_order() -> None:
    found = exposure()
    working(found, BUY, 10)
    assert ask(entry(side=SELL), found) == [(SELL, 10, False)]


def test_a_position_of_another_product_or_strategy_is_not_touched() -> None:
    assert ask(close(), holding(10, strategy="rsi")) == "nothing_to_do"
    assert ask(close(), holding(10, Product.CNC)) == "nothing_to_do"
    assert ask(target(5), holding(10, Product.CNC)) == [(BUY, 5, False)]
    assert ask(target(5, product=Product.CNC), holding(10, Product.CNC)) == [(SELL, 5, True)]


@pytest.mark.parametrize(
    ("quantity", "lot", "freeze", "found"),
    [
        (1_755, 65, 1_800, [1_755]),  # NIFTY: 27 lots are the most below its freeze quantity
        (1_820, 65, 1_800, [1_755, 65]),
        (17_550, 65, 1_800, [1_755] * 10),
        (17_615, 65, 1_800, "too_many_slices"),
        (MAX_QUANTITY, 65, 1_800, "too_many_slices"),
        (MAX_QUANTITY, 1, 1, "too_many_slices"),
        (65, 65, 64, "too_many_slices"),  # not even one lot may be sent
        (65, 65, 65, [65]),
        (64, 65, None, "lot_multiple"),
        (129, 65, None, [65]),
    ],
)
def test_quantities_in_lots_below_the_freeze_quantity(
    quantity: int, lot: int, freeze: int | None, found: object
) -> None:
    traded = instrument(lot_size=lot, freeze_quantity=freeze)
    wish = signal(quantity=quantity, origin=origin(price=Decimal("0.05")))
    result = answer(wish, None, WIDE, None, traded)
    assert ([one.quantity for one in result.orders] if isinstance(result, AcceptedSignal) else result.code) == found
    if isinstance(result, AcceptedSignal):
        assert [one.slice_number for one in result.orders] == list(range(len(result.orders)))
        assert len({one.order_id for one in result.orders}) == len(result.orders)


@pytest.mark.parametrize(
    ("weight", "price", "units"),
    [
        ("0.15", "1500", 100),  # a million rupees
        ("0.1499999", "1500", 99),
        ("0.0015", "1500", 1),
        ("1.5", "1500", 1000),
    ],
)
def test_a_weight_is_a_share_of_the_equity_in_whole_units(weight: str, price: str, units: int) -> None:
    wish = entry(quantity=None, weight=Decimal(weight), origin=origin(price=Decimal(price)))
    assert ask(wish) == [(BUY, units, False)]


def test_a_weight_is_valued_at_the_limit_price_and_rounded_to_lots() -> None:
    price = {"order_type": OrderType.LIMIT, "limit_price": Decimal(1480)}
    assert ask(entry(quantity=None, weight=Decimal("0.148"), **price)) == [(BUY, 100, False)]
    lots = of(future(lot_size=65), quantity=None, weight=Decimal("0.2"), product=Product.NRML)
    assert ask(entry(**lots), of=future(lot_size=65)) == [(BUY, 130, False)]


@pytest.mark.parametrize(
    ("weight", "price"), [("0.00149", "1500"), ("0.5", "0"), ("0.5", "-1500")], ids=["too little", "no price", "below"]
)
def test_a_weight_of_less_than_a_unit_is_denied(weight: str, price: str) -> None:
    wish = entry(quantity=None, weight=Decimal(weight), origin=origin(price=Decimal(price)))
    assert ask(wish) == "lot_multiple"


def test_a_weight_is_of_the_equity_at_cost() -> None:
    """What positions are worth at the moment must not decide how much is bought: two replays size alike."""
    found = holding(100, strategy="other")
    found.account.positions["other|NSE:INFY|MIS"].mark = Decimal(9999)
    wish = entry(quantity=None, weight=Decimal("0.15"))
    assert ask(wish, found) == [(BUY, 99, False)]  # charges were paid
    found.account.realised = Decimal(1_000_000)
    assert ask(wish, found) == [(BUY, 199, False)]
    found.account.realised = Decimal(-1_000_000)
    assert ask(wish, found) == "lot_multiple"


def test_prices_go_to_the_tick_that_is_not_worse_and_every_price_of_the_wish_goes_along() -> None:
    prices = {"limit_price": Decimal("1510.03"), "trigger_price": Decimal("1505.03")}
    exits = {"stop_loss": Decimal("1480.02"), "target": Decimal("1550.01")}
    (bought,) = accept(exposure(), entry(order_type=OrderType.SL, market_protection=Decimal(3), **prices, **exits))
    assert (bought.order_type, bought.limit_price, bought.trigger_price) == (
        OrderType.SL,
        Decimal("1510.00"),
        Decimal("1505.00"),
    )
    assert (bought.stop_loss, bought.target, bought.market_protection) == (
        Decimal("1480.05"),
        Decimal("1550.05"),
        Decimal(3),
    )
    (sold,) = accept(exposure(), entry(side=SELL, order_type=OrderType.LIMIT, limit_price=Decimal("1510.01")))
    assert sold.limit_price == Decimal("1510.05")


@pytest.mark.parametrize(("token", "sequence"), [(408_065, 7), (1, 0)])
def test_an_order_counts_ticks_of_its_own_instrument_only(token: int, sequence: int) -> None:
    """The wish for the other leg of a pair comes from a tick of this one."""
    (one,) = accept(exposure(), entry(origin=origin(instrument_token=token, tick_sequence=7)))
    assert one.tick_sequence == sequence


def test_an_exit_has_no_exits_of_its_own() -> None:
    exits = {"stop_loss": Decimal(1550), "target": Decimal(1480)}
    exit_order, entry_order = accept(holding(10), entry(side=SELL, quantity=15, **exits))
    assert (exit_order.stop_loss, exit_order.target) == (None, None)
    assert (entry_order.stop_loss, entry_order.target) == (Decimal(1550), Decimal(1480))


quantities = st.integers(-50, 50).filter(bool)


@given(
    held=st.integers(-50, 50),
    orders=st.lists(st.tuples(quantities, st.booleans()), max_size=4),
    wanted=st.one_of(st.none(), st.integers(-60, 60)),
    fills=st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_what_is_sold_to_leave_is_there_whatever_fills(
    held: int, orders: list[tuple[int, bool]], wanted: int | None, fills: list[bool]
) -> None:
    found = holding(held) if held else exposure()
    for quantity, reduces in orders:
        working(found, BUY if quantity > 0 else SELL, abs(quantity), reduces=reduces)
    result = answer(close() if wanted is None else target(wanted), found)
    if isinstance(result, DeniedSignal):
        return
    reducing = sum(one.side.sign * one.quantity for one in result.orders if one.reduces)
    same_side = [one for (one, _), fill in zip(orders, fills, strict=False) if fill and one * reducing > 0]
    for after in (held + reducing, held + reducing + sum(same_side)):
        if reducing:
            assert after * held >= 0
    if wanted is None:
        assert all(one.reduces for one in result.orders)


def test_an_entry_that_fills_in_the_second_of_its_exit_counts_from_the_next_on() -> None:
    """Whether the fill or the signal arrives first must not matter."""
    early, late = exposure(), exposure()
    (one,) = accept(early, entry(origin=origin(clock=AT - 1)))
    accept(late, entry(origin=origin(clock=AT - 1)))
    apply_fill(early, filled(one, 10, "1500", 10, event_time=AT), instrument())
    assert ask(close(), early) == ask(close(), late) == "opposite_order_working"
    assert ask(close(origin=origin(clock=AT + 1)), early) == [(SELL, 10, True)]


def test_an_order_that_ends_in_the_second_of_a_signal_works_until_the_next() -> None:
    early, late = exposure(), exposure()
    one = limit_order("1500", order_id="one")
    for found in (early, late):
        working(found, BUY, 10)
        found.open_orders["one"] = found.open_orders.pop("working-0")
    apply_failed(early, failed(one, event_time=AT))
    assert ask(target(10), early) == ask(target(10), late) == "nothing_to_do"
    assert ask(target(10, origin=origin(clock=AT + 1)), early) == [(BUY, 10, False)]


def test_an_exit_that_fails_in_the_second_of_a_signal_is_not_repeated_in_it() -> None:
    found = holding(10)
    (one,) = accept(found, close())
    apply_failed(found, failed(one, event_time=AT))
    assert ask(close(), found) == "nothing_to_do"
    assert ask(close(origin=origin(clock=AT + 1)), found) == [(SELL, 10, True)]


def test_changes_of_past_seconds_are_forgotten() -> None:
    found = exposure()
    for number in range(20):
        (one,) = accept(found, entry(signal_id=str(number), origin=origin(event_time=AT + number, clock=AT + number)))
        apply_fill(found, filled(one, 10, "1500", 10, event_time=AT + number), instrument())
    assert [one.at - AT for one in found.recent] == [15, 16, 17, 18, 19]
