"""Exposure is reserved with an accepted order and released exactly once, however its end is reported."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec

from models.messages.orders import OrderFailed, OrderStatus, PlannedOrder, Product, Side
from models.messages.signals import AcceptedSignal, Intent, Signal
from tests.factories import AT, exposure, filled, instrument, limits, market, origin, signal
from trading.market.instruments import Instrument
from trading.risk.chain import decide
from trading.risk.exposure import Exposure, accepted_key, apply_failed, apply_fill, reserve, roll_day

KEY = "NSE:INFY"


def accept(found: Exposure, wish: Signal, of: Instrument | None = None) -> tuple[PlannedOrder, ...]:
    """Decide, reserve; the orders."""
    result = decide(wish, found, limits(), market(), of or instrument())
    assert isinstance(result, AcceptedSignal)
    reserve(found, result)
    return result.orders


def failed(order: PlannedOrder, quantity: int = 0) -> OrderFailed:
    return OrderFailed(
        order=order,
        broker_order_id="B1",
        outcome=OrderStatus.CANCELLED,
        filled_quantity=quantity,
        reason="",
        event_time=AT,
    )


def close(**values: object) -> Signal:
    return signal(intent=Intent.CLOSE, side=None, quantity=None, **values)


def test_an_accepted_signal_reserves_each_of_its_orders() -> None:
    found = exposure()
    orders = accept(found, signal(quantity=250), instrument(freeze_quantity=100))
    assert [one.remaining for one in found.open_orders.values()] == [100, 100, 50]
    assert list(found.open_orders) == [one.order_id for one in orders]
    assert (found.projected("momentum", KEY), found.trades_today) == (250, 3)
    assert found.last_accepted == {accepted_key("momentum", KEY, Side.BUY): AT}
    assert found.gross({}) == 250 * 1500


def test_fills_turn_what_is_reserved_into_a_position() -> None:
    found = exposure()
    (order,) = accept(found, signal())
    for cumulative, remaining in ((4, 6), (4, 6), (9, 1)):
        apply_fill(found, filled(order, cumulative - (4 if cumulative > 4 else 0), "1500", cumulative), instrument())
        assert found.open_orders[order.order_id].remaining == remaining
        assert found.projected("momentum", KEY) == 10
    apply_fill(found, filled(order, 1, "1500", 10), instrument())
    assert found.open_orders == {}
    assert found.projected("momentum", KEY) == found.certain("momentum", KEY) == 10


def test_an_order_that_ends_releases_what_had_not_filled_and_only_once() -> None:
    found = exposure()
    (order,) = accept(found, signal())
    (other,) = accept(found, signal(signal_id="other", strategy="rsi"))
    apply_fill(found, filled(order, 4, "1500", 4), instrument())
    for _ in range(2):
        apply_failed(found, failed(order, 4))
        assert list(found.open_orders) == [other.order_id]
        assert found.projected("momentum", KEY) == 4
        assert found.projected("rsi", KEY) == 10


def test_a_fill_after_the_end_is_a_position_and_a_repeat_of_it_nothing() -> None:
    found = exposure()
    (order,) = accept(found, signal())
    apply_fill(found, filled(order, 4, "1500", 4), instrument())
    apply_failed(found, failed(order, 4))
    for _ in range(2):
        apply_fill(found, filled(order, 4, "1500", 4), instrument())  # it was booked before the end
        assert found.projected("momentum", KEY) == 4
    for _ in range(2):
        apply_fill(found, filled(order, 2, "1500", 6), instrument())
        assert found.projected("momentum", KEY) == 6
    assert found.open_orders == {}


def test_charges_after_the_end_go_on_from_the_orders_turnover() -> None:
    """20 rupees of brokerage are the most one order costs: 0.03 % of 66,667 rupees and more."""
    ended, whole = exposure(), exposure()
    for found in (ended, whole):
        (order,) = accept(found, signal(quantity=100))
        apply_fill(found, filled(order, 60, "1500", 60), instrument())
        if found is ended:
            apply_failed(found, failed(order, 60))
        apply_fill(found, filled(order, 30, "1500", 90), instrument())
    assert ended.account.charges == whole.account.charges


def test_an_exit_reserves_no_gross_exposure() -> None:
    found = exposure()
    (order,) = accept(found, signal())
    apply_fill(found, filled(order, 10, "1500", 10), instrument())
    accept(found, close(signal_id="exit"))
    assert found.gross({KEY: Decimal(1600)}) == 16_000
    assert found.projected("momentum", KEY) == 0


def test_a_position_of_one_product_is_not_closed_with_another() -> None:
    """Selling intraday what is held for delivery would leave the holding and open a short."""
    found = exposure()
    (order,) = accept(found, signal(product=Product.CNC))
    apply_fill(found, filled(order, 10, "1500", 10), instrument())
    result = decide(close(signal_id="exit"), found, limits(), market(), instrument())
    assert not isinstance(result, AcceptedSignal)
    assert result.code == "nothing_to_do"
    (sale,) = accept(found, close(signal_id="exit", product=Product.CNC))
    assert (sale.side, sale.quantity, sale.product) == (Side.SELL, 10, Product.CNC)
    assert found.projected("momentum", KEY, Product.CNC) == 0


def test_the_position_limit_counts_all_products() -> None:
    found = exposure()
    (order,) = accept(found, signal(product=Product.CNC))
    apply_fill(found, filled(order, 10, "1500", 10), instrument())
    wish = signal(signal_id="other", origin=origin(event_time=AT + 5, clock=AT + 5))
    result = decide(wish, found, limits(max_position_quantity=19), market(clock=AT + 5), instrument())
    assert not isinstance(result, AcceptedSignal)
    assert result.code == "position_limit"


def test_a_new_day_starts_its_counts_and_measures_loss_from_its_own_equity() -> None:
    found = exposure()
    (order,) = accept(found, signal())
    apply_fill(found, filled(order, 10, "1500", 10), instrument())
    paid = found.account.charges
    assert found.day_loss({KEY: Decimal(1400)}) == 1000 + paid
    roll_day(found, date(2026, 8, 21), {KEY: Decimal(1400)})
    assert (found.day, found.trades_today, found.last_accepted) == ("2026-08-21", 0, {})
    assert found.day_loss({KEY: Decimal(1400)}) == 0
    assert found.day_loss({KEY: Decimal(1410)}) == -100
    assert found.projected("momentum", KEY) == 10


def test_the_state_stays_small_over_days_of_trading() -> None:
    found, sizes = exposure(), []
    for day in range(10):
        at = AT + day * 86_400
        roll_day(found, date(2026, 8, 20 + day), {})
        for number in range(50):
            name, quantity = f"{day}-{number}", 4 if number % 3 else 10
            side = Side.BUY if number % 2 else Side.SELL
            entered, left = origin(event_time=at, clock=at), origin(event_time=at + 1, clock=at + 1)
            (order,) = accept(found, signal(signal_id=name, side=side, strategy=f"s{number}", origin=entered))
            apply_fill(found, filled(order, quantity, "1500", quantity, event_time=at), instrument())
            if quantity < 10:
                apply_failed(found, failed(order, quantity))
            (back,) = accept(found, close(signal_id=f"{name}-exit", strategy=f"s{number}", origin=left))
            apply_fill(found, filled(back, quantity, "1500", quantity, event_time=at), instrument())
        sizes.append(len(msgspec.msgpack.encode(found)))
    assert found.open_orders == {}
    assert max(sizes) < min(sizes) * 1.1
    assert max(sizes) < 20_000
