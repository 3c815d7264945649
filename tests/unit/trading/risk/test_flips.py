"""A signal through zero is two decisions: its exit does not depend on its entry."""

from __future__ import annotations

from decimal import Decimal

import pytest

from models.messages import ids
from models.messages.control import TradingState
from models.messages.orders import Product, Side
from models.messages.signals import AcceptedSignal, DeniedSignal, Signal
from tests.factories import exposure, instrument, limits, market
from tests.unit.trading.risk.asking import answer, ask, entry, holding, standing, target, working
from trading.market.sessions import Phase
from trading.risk.exposure import reserve

BUY, SELL = Side.BUY, Side.SELL
FLIP = entry(side=SELL, quantity=150)
BOTH = [(SELL, 100, True), (SELL, 50, False)]


@pytest.mark.parametrize("wish", [FLIP, target(-50)])
def test_while_active_exit_and_entry_pass_as_two_orders(wish: Signal) -> None:
    result = answer(wish, holding(100))
    assert isinstance(result, AcceptedSignal)
    assert ask(wish, holding(100)) == BOTH
    assert result.rest is None
    assert [one.order_id for one in result.orders] == [ids.order_id("signal", 0), ids.order_id("signal", 1)]


@pytest.mark.parametrize("state", [TradingState.REDUCING, TradingState.HALTED])
@pytest.mark.parametrize("wish", [FLIP, target(-50)])
def test_while_winding_down_only_the_exit_passes_and_the_rest_is_denied(state: TradingState, wish: Signal) -> None:
    code = {TradingState.REDUCING: "reducing_only", TradingState.HALTED: "trading_halted"}[state]
    result = answer(wish, holding(100), picture=market(trading_state=state))
    assert isinstance(result, AcceptedSignal)
    assert [(one.side, one.quantity, one.reduces) for one in result.orders] == BOTH[:1]
    assert result.rest is not None
    assert (result.rest.code, result.rest.is_rest, result.rest.signal_id) == (code, True, "signal")
    assert result.rest.signal == wish


def test_the_exits_ids_are_the_same_whether_the_entry_passes_or_not() -> None:
    whole, part = answer(FLIP, holding(100)), answer(FLIP, holding(100), limits(max_order_quantity=49))
    assert isinstance(whole, AcceptedSignal)
    assert isinstance(part, AcceptedSignal)
    assert part.orders == whole.orders[:1]
    assert part.rest is not None
    assert part.rest.values == {"quantity": "50", "limit": "49"}
    assert ids.decision_id("signal") != ids.rest_id("signal")


@pytest.mark.parametrize("most", [49, 50])
def test_limits_of_an_order_look_at_the_entry_alone(most: int) -> None:
    assert (len(ask(FLIP, holding(100), limits(max_order_quantity=most))) == 2) is (most == 50)
    assert (len(ask(FLIP, holding(100), limits(max_order_notional=Decimal(1500 * most)))) == 2) is (most == 50)


@pytest.mark.parametrize("most", [49, 50])
def test_the_position_limit_sees_where_both_lead(most: int) -> None:
    found = ask(FLIP, holding(100), limits(max_position_quantity=most))
    assert found == (BOTH if most == 50 else BOTH[:1])


@pytest.mark.parametrize(("most", "found"), [(2, BOTH), (1, BOTH[:1])])
def test_the_exits_orders_count_before_the_entrys(most: int, found: object) -> None:
    assert ask(FLIP, holding(100), limits(max_open_orders=most)) == found
    assert ask(FLIP, holding(100), limits(max_order_rate=most)) == found
    counted = holding(100)
    assert ask(FLIP, counted, limits(max_daily_trades=most)) == found


def test_when_the_exit_is_refused_nothing_of_the_entry_is_sent() -> None:
    result = answer(FLIP, holding(100), picture=market(phase=Phase.CLOSED))
    assert isinstance(result, DeniedSignal)
    assert (result.code, result.is_rest) == ("market_closed", False)
    far = answer(FLIP, holding(100), of=instrument(freeze_quantity=9))
    assert isinstance(far, DeniedSignal)
    assert far.code == "too_many_slices"  # twelve slices of the exit, six of the entry


def test_each_part_has_its_own_slices() -> None:
    result = answer(FLIP, holding(100), of=instrument(freeze_quantity=10))
    assert isinstance(result, AcceptedSignal)
    assert [one.quantity for one in result.orders] == [10] * 15
    assert [one.reduces for one in result.orders] == [True] * 10 + [False] * 5
    assert [one.slice_number for one in result.orders] == list(range(15))


def test_each_part_is_in_whole_lots() -> None:
    lots = instrument(lot_size=40)
    result = answer(FLIP, holding(100), of=lots)
    assert isinstance(result, AcceptedSignal)
    assert [(one.quantity, one.reduces) for one in result.orders] == [(80, True), (40, False)]
    result = answer(entry(side=SELL, quantity=130), holding(100), of=lots)
    assert isinstance(result, AcceptedSignal)
    assert result.rest is not None
    assert (len(result.orders), result.rest.code) == (1, "lot_multiple")


def test_delivery_shares_are_sold_down_to_nothing_but_not_short() -> None:
    wish = entry(side=SELL, quantity=150, product=Product.CNC)
    result = answer(wish, holding(100, Product.CNC))
    assert isinstance(result, AcceptedSignal)
    assert [(one.quantity, one.reduces) for one in result.orders] == [(100, True)]
    assert result.rest is not None
    assert (result.rest.code, result.rest.values) == ("short_selling", {"quantity": "50", "available": "0"})


def test_what_is_short_already_leaves_nothing_to_sell() -> None:
    result = answer(entry(side=SELL, product=Product.CNC), holding(-5, Product.CNC))
    assert isinstance(result, DeniedSignal)
    assert (result.code, result.values) == ("short_selling", {"quantity": "10", "available": "0"})


def test_only_the_entry_takes_exposure_and_buying_power() -> None:
    found = holding(100)
    result = answer(FLIP, found)
    assert isinstance(result, AcceptedSignal)
    reserve(found, result, instrument())
    assert [(one.remaining, one.reduces) for one in found.open_orders.values()] == [(100, True), (50, False)]
    assert standing(found).projected == -50
    tight = limits(max_gross_exposure=Decimal(150_000 + 75_000))
    assert ask(FLIP, holding(100), tight) == BOTH
    assert ask(FLIP, holding(100), limits(max_gross_exposure=Decimal(150_000 + 74_999))) == BOTH[:1]


@pytest.mark.parametrize(("quantity", "parts"), [(9, [True]), (10, [True]), (11, [True, False])])
def test_an_order_reduces_only_as_far_as_the_position_goes(quantity: int, parts: list[bool]) -> None:
    found = ask(entry(side=SELL, quantity=quantity), holding(10))
    assert isinstance(found, list)
    assert [reduces for _, _, reduces in found] == parts
    assert sum(units for _, units, _ in found) == quantity


def test_more_of_the_same_never_reduces() -> None:
    assert ask(entry(quantity=5), holding(10)) == [(BUY, 5, False)]
    assert ask(entry(quantity=5, side=SELL), holding(-10)) == [(SELL, 5, False)]


def test_a_flip_of_a_short() -> None:
    assert ask(entry(quantity=15), holding(-10)) == [(BUY, 10, True), (BUY, 5, False)]
    found = exposure()
    working(found, SELL, 10)
    assert ask(entry(quantity=15), found) == [(BUY, 15, False)]
