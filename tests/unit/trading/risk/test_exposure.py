"""Exposure is reserved with an accepted order and released exactly once, however its end is reported."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import permutations

import msgspec
import pytest

from models.messages.orders import OrderType, PlannedOrder, Product, Side
from models.messages.signals import AcceptedSignal
from tests.factories import AT, exposure, filled, instrument, limits, market, order, origin
from tests.unit.trading.risk.asking import (
    KEY,
    accept,
    answer,
    ask,
    close,
    entry,
    failed,
    future,
    holding,
    of,
    option,
    standing,
    working,
)
from trading.accounting.contracts import contract_of
from trading.accounting.day import DayEnd
from trading.risk.exposure import (
    Exposure,
    Standing,
    accepted_key,
    apply_failed,
    apply_fill,
    reserve,
    roll_day,
)

BUY, SELL = Side.BUY, Side.SELL


def fill(found: Exposure, one: PlannedOrder, start: int, end: int, **values: object) -> None:
    """The fill of units `start` to `end`."""
    apply_fill(found, filled(one, end - start, "1500", end, **values), instrument())


def remaining(found: Exposure) -> list[int]:
    return [one.remaining for one in found.open_orders.values()]


def projected(found: Exposure, strategy: str = "momentum") -> int:
    return standing(found, strategy).projected


def test_an_accepted_signal_reserves_each_of_its_orders() -> None:
    found = exposure()
    orders = accept(found, entry(quantity=250), instrument(freeze_quantity=100))
    assert remaining(found) == [100, 100, 50]
    assert list(found.open_orders) == [one.order_id for one in orders]
    assert standing(found) == Standing(0, 250, 0)
    assert found.accepted_today == {"momentum": 3}
    assert found.accepted_at == {AT: {"momentum": 3}}
    assert found.last_accepted == {accepted_key("momentum", KEY, BUY): AT}


@pytest.mark.parametrize(
    ("prices", "reserved"),
    [
        ({}, 1500),
        ({"order_type": OrderType.LIMIT, "limit_price": Decimal(1490)}, 1490),
        ({"order_type": OrderType.SL_M, "trigger_price": Decimal(1520)}, 1520),
        ({"order_type": OrderType.SL, "trigger_price": Decimal(1520), "limit_price": Decimal(1525)}, 1525),
    ],
)
def test_an_order_is_reserved_at_its_own_price(prices: dict[str, object], reserved: int) -> None:
    found = exposure()
    accept(found, entry(**prices))
    assert [one.reserve_price for one in found.open_orders.values()] == [reserved]


def test_a_contracts_order_remembers_its_terms() -> None:
    for one in (future(), option()):
        found = exposure()
        accept(found, entry(**of(one), product=Product.NRML, quantity=65), one)
        assert [order.contract for order in found.open_orders.values()] == [contract_of(one)]


def test_fills_turn_what_is_reserved_into_a_position() -> None:
    found = exposure()
    (one,) = accept(found, entry())
    for start, end, rest in ((0, 4, [6]), (0, 4, [6]), (4, 9, [1]), (9, 10, []), (9, 10, [])):
        fill(found, one, start, end)
        assert remaining(found) == rest
        assert projected(found) == 10
    assert standing(found) == Standing(10, 0, 0)


@pytest.mark.parametrize("turns", list(permutations([(0, 4), (4, 9), (9, 10)])))
def test_fills_in_any_order_release_each_unit_once(turns: tuple[tuple[int, int], ...]) -> None:
    found, done = exposure(), 0
    (one,) = accept(found, entry())
    for start, end in turns:
        fill(found, one, start, end)
        done += end - start
        assert sum(remaining(found)) == 10 - done
        assert projected(found) == 10


def test_an_end_releases_what_had_not_filled_and_only_once() -> None:
    found = exposure()
    (one,) = accept(found, entry())
    (other,) = accept(found, entry(signal_id="other", strategy="rsi"))
    fill(found, one, 0, 4)
    for _ in range(2):
        apply_failed(found, failed(one, 4))
        assert list(found.open_orders) == [other.order_id]
        assert (projected(found), projected(found, "rsi")) == (4, 10)


@pytest.mark.parametrize("repeats", [1, 2])
def test_fills_that_come_after_the_end_were_still_reserved(repeats: int) -> None:
    """Fills and failures arrive on two topics: the end may overtake the fills it knows of."""
    found = exposure()
    (one,) = accept(found, entry())
    for _ in range(repeats):
        apply_failed(found, failed(one, 4))
        assert remaining(found) == [4]
        assert projected(found) == 4
    for _ in range(repeats):
        fill(found, one, 0, 4)
        assert remaining(found) == []
        assert standing(found) == Standing(4, 0, 0)


def test_a_fill_the_end_did_not_know_of_is_a_position() -> None:
    found = exposure()
    (one,) = accept(found, entry())
    fill(found, one, 0, 4)
    apply_failed(found, failed(one, 4))
    for _ in range(2):
        fill(found, one, 4, 6)
        assert standing(found) == Standing(6, 0, 0)
    assert found.open_orders == {}


def test_an_end_that_knows_of_less_than_has_filled_releases_the_rest() -> None:
    found = exposure()
    (one,) = accept(found, entry())
    fill(found, one, 0, 6)
    apply_failed(found, failed(one, 4))
    assert standing(found) == Standing(6, 0, 0)


def test_an_overfill_leaves_nothing_reserved() -> None:
    found = exposure()
    (one,) = accept(found, entry())
    fill(found, one, 0, 12)
    assert standing(found) == Standing(12, 0, 0)
    assert found.open_orders == {}


def test_the_end_of_an_order_nobody_knows_changes_nothing() -> None:
    found = holding(10)
    before = msgspec.msgpack.encode(found)
    apply_failed(found, failed(order(order_id="unknown"), 4))
    assert msgspec.msgpack.encode(found) == before


def test_an_exit_reserves_no_gross_exposure() -> None:
    found = holding(10)
    accept(found, close())
    assert projected(found) == 0
    most = limits(max_gross_exposure=Decimal(30_000))
    wish = entry(strategy="rsi")
    assert ask(wish, found, most) == [(BUY, 10, False)]
    assert ask(wish, found, limits(max_gross_exposure=Decimal("29999.99"))) == "gross_exposure"


def test_a_position_of_one_product_is_not_closed_with_another() -> None:
    """Selling intraday what is held for delivery would leave the holding and open a short."""
    found = holding(10, Product.CNC)
    assert ask(close(), found) == "nothing_to_do"
    (sale,) = accept(found, close(product=Product.CNC))
    assert (sale.side, sale.quantity, sale.product) == (SELL, 10, Product.CNC)
    assert standing(found, product=Product.CNC).projected == 0
    assert standing(found, product=Product.MIS).projected == 0


def test_standing_is_of_one_product_or_of_all() -> None:
    found = holding(10, Product.CNC)
    holding(-4, into=found)
    working(found, BUY, 50, strategy="low")
    working(found, BUY, 3)
    working(found, SELL, 2, product=Product.CNC)
    working(found, BUY, 50, strategy="rsi")
    working(found, BUY, 50, of=future())
    assert standing(found) == Standing(6, 3, 2)
    assert standing(found, product=Product.CNC) == Standing(10, 0, 2)
    assert standing(found, product=Product.MIS) == Standing(-4, 3, 0)
    assert standing(found, product=Product.NRML) == Standing(0, 0, 0)


def test_what_an_order_can_take_off() -> None:
    assert [Standing(10, 0, 4).exit_units(side) for side in (BUY, SELL)] == [0, 6]
    assert [Standing(-10, 4, 0).exit_units(side) for side in (BUY, SELL)] == [6, 0]
    assert [Standing(10, 5, 12).exit_units(side) for side in (BUY, SELL)] == [0, 0]
    assert [Standing(-10, 12, 5).exit_units(side) for side in (BUY, SELL)] == [0, 0]
    assert [Standing(10, 5, 4).extreme(side) for side in (BUY, SELL)] == [15, 6]
    assert [Standing(10, 5, 4).working(side) for side in (BUY, SELL)] == [5, 4]
    assert Standing(10, 5, 4).projected == 11


def test_before_a_second_is_as_if_nothing_of_it_had_happened() -> None:
    found = exposure()
    (bought,) = accept(found, entry())
    found.last_accepted.clear()
    (other,) = accept(found, entry(signal_id="other", product=Product.CNC))
    fill(found, bought, 0, 4, event_time=AT + 1)
    apply_failed(found, failed(bought, 4, event_time=AT + 2))
    fill(found, other, 0, 10, event_time=AT + 2)
    of_mis = [standing(found, product=Product.MIS, at=AT + second) for second in (1, 2, 3)]
    assert of_mis == [Standing(0, 10, 0), Standing(4, 6, 0), Standing(4, 0, 0)]
    of_cnc = [standing(found, product=Product.CNC, at=AT + second) for second in (2, 3)]
    assert of_cnc == [Standing(0, 10, 0), Standing(10, 0, 0)]
    assert standing(found, "rsi", Product.MIS, AT) == Standing(0, 0, 0)
    assert found.standings("momentum", "NSE:TCS", Product.MIS, AT) == (Standing(0, 0, 0), Standing(0, 0, 0))
    assert standing(found, at=AT) == Standing(14, 0, 0)


def test_changes_of_others_do_not_hide_ones_own() -> None:
    found = exposure()
    for name, product in (("rsi", Product.MIS), ("momentum", Product.CNC), ("momentum", Product.MIS)):
        found.last_accepted.clear()
        (one,) = accept(found, entry(signal_id=f"{name} {product}", strategy=name, product=product))
        fill(found, one, 0, 10, event_time=AT + 1)
    assert standing(found, product=Product.MIS, at=AT + 1) == Standing(0, 10, 0)


def test_a_sale_before_a_second() -> None:
    found = holding(10)
    (sold,) = accept(found, close())
    fill(found, sold, 0, 10, event_time=AT + 1)
    assert standing(found, product=Product.MIS, at=AT + 1) == Standing(10, 0, 10)
    assert standing(found, product=Product.MIS, at=AT + 2) == Standing(0, 0, 0)


def test_a_new_day_starts_its_counts_and_measures_loss_from_its_own_equity() -> None:
    found = holding(10)
    accept(found, entry())
    found.bracket_exits["key"] = 3
    ended = DayEnd(date(2026, 8, 20), {KEY: Decimal(1400)})
    assert roll_day(found, date(2026, 8, 21), ended)
    counts = (found.accepted_today, found.accepted_at, found.last_accepted, found.bracket_exits, found.recent)
    assert (found.day, *counts) == ("2026-08-21", {}, {}, {}, {}, [])
    assert standing(found) == Standing(10, 10, 0)
    assert found.account.day_start_equity == 1_000_000 - 1000 - found.account.charges
    before = msgspec.msgpack.encode(found)
    assert not roll_day(found, date(2026, 8, 21), ended)
    assert not roll_day(found, date(2026, 8, 20), ended)
    assert msgspec.msgpack.encode(found) == before


def test_an_order_that_ended_yesterday_is_not_waited_for_today() -> None:
    found = exposure()
    (one,) = accept(found, entry())
    apply_failed(found, failed(one, 4))
    roll_day(found, date(2026, 8, 21))
    assert found.open_orders == {}


def test_units_that_brackets_have_taken_off_are_passed_on() -> None:
    found = holding(10)
    stop = order(order_id="stop", side=SELL, quantity=10, oco_group="entry", reduces=True)
    for start, end in ((0, 4), (0, 4), (4, 6)):
        fill(found, stop, start, end)
    yesterdays = order(order_id="late", side=SELL, quantity=1, oco_group="entry", event_time=AT - 86_400)
    fill(found, yesterdays, 0, 1)
    plain = order(order_id="plain", side=SELL, quantity=1, reduces=True)
    fill(found, plain, 0, 1)
    assert found.bracket_exits == {"momentum|NSE:INFY|MIS": 6}
    (sale,) = accept(found, close())
    assert (sale.quantity, sale.exits_seen) == (2, 6)
    (other,) = accept(found, entry(strategy="rsi"))
    assert other.exits_seen == 0


def test_orders_are_counted_within_seconds_of_event_time() -> None:
    found = exposure()
    for number, second in enumerate((AT - 70, AT - 5, AT - 5, AT - 4, AT, AT + 1)):
        at = origin(event_time=second, clock=second)
        accept(found, entry(signal_id=str(number), strategy=f"s{number}", origin=at), picture=market(clock=second))
    assert [found.orders_within(seconds, AT) for seconds in (1, 4, 5, 6, 60)] == [2, 2, 3, 5, 5]
    assert found.orders_within(1, AT + 1) == 1
    assert [found.orders_within(5, AT, f"s{number}") for number in range(6)] == [0, 0, 0, 1, 1, 1]


def test_only_the_last_minute_of_orders_is_kept() -> None:
    found = exposure()
    for second in range(AT, AT + 200):
        at = origin(event_time=second, clock=second)
        accept(found, entry(signal_id=str(second), origin=at), limit=limits(max_daily_trades=10**6), picture=market())
        found.open_orders.clear()
    assert sorted(found.accepted_at) == list(range(AT + 140, AT + 200))
    late = origin(event_time=AT, clock=AT)
    accept(found, entry(signal_id="late", strategy="rsi", origin=late), limit=limits(max_daily_trades=10**6))
    assert AT not in found.accepted_at


def test_orders_accepted_out_of_turn_are_counted_in_their_second() -> None:
    found = exposure()
    for second in (AT + 9, AT + 3, AT + 6):
        at = origin(event_time=second, clock=second)
        accept(found, entry(signal_id=str(second), origin=at), limit=limits(max_daily_trades=10**6))
    assert list(found.accepted_at) == [AT + 3, AT + 6, AT + 9]
    assert [found.orders_within(4, AT + second) for second in (3, 6, 7, 10, 13)] == [3, 3, 2, 1, 0]


def test_the_state_stays_small_over_days_of_trading() -> None:
    found, sizes = exposure(), []
    for day in range(10):
        at = AT + day * 86_400
        roll_day(found, date(2026, 8, 20 + day))
        for number in range(50):
            name, quantity = f"{day}-{number}", 4 if number % 3 else 10
            side = BUY if number % 2 else SELL
            entered, left = origin(event_time=at, clock=at), origin(event_time=at + 2, clock=at + 2)
            now, later = market(clock=at), market(clock=at + 2)
            (one,) = accept(found, entry(signal_id=name, side=side, strategy=f"s{number}", origin=entered), picture=now)
            fill(found, one, 0, quantity, event_time=at)
            if quantity < 10:
                apply_failed(found, failed(one, quantity, event_time=at))
            (back,) = accept(found, close(signal_id=f"{name}-exit", strategy=f"s{number}", origin=left), picture=later)
            fill(found, back, 0, quantity, event_time=at + 2)
        sizes.append(len(msgspec.msgpack.encode(found)))
    assert found.open_orders == {}
    assert max(sizes[2:]) < min(sizes[2:]) * 1.1
    assert max(sizes) < 60_000


def test_state_survives_bytes() -> None:
    found = holding(10)
    accept(found, entry())
    (one,) = accept(found, entry(signal_id="future", **of(future()), product=Product.NRML, quantity=65), future())
    apply_failed(found, failed(one, 10))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=Exposure) == found


def test_reserving_again_is_reserving_once_more_only_in_the_counts() -> None:
    """A redelivered signal is recognised before it gets here; the orders' ids keep even that harmless."""
    found = exposure()
    (one,) = accept(found, entry())
    again = answer(entry(), exposure())
    assert isinstance(again, AcceptedSignal)
    reserve(found, again, instrument())
    assert (list(found.open_orders), remaining(found)) == ([one.order_id], [10])


def test_fills_of_an_exit_nobody_has_reserved_take_off_the_position_once() -> None:
    found = exposure()
    (one,) = accept(found, entry())
    fill(found, one, 0, 10)
    adopted = msgspec.structs.replace(one, order_id="trigger", side=Side.SELL, reduces=True)
    for start, end in ((0, 4), (4, 10), (0, 4)):
        fill(found, adopted, start, end)
    assert standing(found) == Standing(0, 0, 0)
    assert found.open_orders == {}
    apply_failed(found, failed(adopted, 10))
    assert standing(found) == Standing(0, 0, 0)
