"""Decisions at the edges: shorts, flips, several products, exits that are no exits, prices that are none."""

from __future__ import annotations

from decimal import Decimal

import pytest

from models.messages.control import TradingState
from models.messages.orders import OrderType, PlannedOrder, Product, Side
from models.messages.signals import AcceptedSignal, Intent, Signal
from models.messages.validation import MAX_QUANTITY
from tests.factories import AT, exposure, filled, instrument, limits, market, order, origin, signal
from trading.market.sessions import Phase
from trading.risk.chain import decide
from trading.risk.exposure import Exposure, OpenOrder, accepted_key, apply_fill
from trading.risk.limits import Limits
from trading.risk.market import MarketPicture

KEY = "NSE:INFY"


def holding(quantity: int, product: Product = Product.MIS) -> Exposure:
    """An account in which the strategy holds so much."""
    found = exposure()
    side = Side.BUY if quantity > 0 else Side.SELL
    bought = order(quantity=abs(quantity), side=side, product=product)
    apply_fill(found, filled(bought, abs(quantity), "1500", abs(quantity)), instrument())
    return found


def working(found: Exposure, side: Side, quantity: int, *, is_limit: bool = False, reduces: bool = False) -> None:
    """Add an order that has not filled yet."""
    found.open_orders[f"working-{len(found.open_orders)}"] = OpenOrder(
        strategy="momentum",
        instrument=KEY,
        side=side,
        remaining=quantity,
        reserve_price=Decimal(1500),
        reduces=reduces,
        is_limit=is_limit,
    )


def close(**values: object) -> Signal:
    return signal(intent=Intent.CLOSE, side=None, quantity=None, **values)


def target(quantity: int, **values: object) -> Signal:
    return signal(intent=Intent.TARGET, side=None, quantity=None, target_quantity=quantity, **values)


def ask(
    wish: Signal, found: Exposure | None = None, limit: Limits | None = None, picture: MarketPicture | None = None
) -> str | list[tuple[Side, int, bool]]:
    """The code of a denial, or (side, quantity, reduces) of each order."""
    result = decide(wish, found or exposure(), limit or limits(), picture or market(), instrument())
    if isinstance(result, AcceptedSignal):
        return [brief(one) for one in result.orders]
    return result.code


def brief(one: PlannedOrder) -> tuple[Side, int, bool]:
    return one.side, one.quantity, one.reduces


@pytest.mark.parametrize(("most", "answer"), [(10, [(Side.SELL, 10, False)]), (9, "position_limit")])
def test_a_short_position_has_the_same_limit(most: int, answer: object) -> None:
    assert ask(signal(side=Side.SELL), limit=limits(max_position_quantity=most)) == answer


@pytest.mark.parametrize(("most", "answer"), [(15, [(Side.BUY, 10, False)]), (14, "position_limit")])
def test_the_position_limit_counts_what_works(most: int, answer: object) -> None:
    found = exposure()
    working(found, Side.BUY, 5, is_limit=True)
    assert ask(signal(), found, limits(max_position_quantity=most)) == answer


@pytest.mark.parametrize("price", ["0", "-1500"])
def test_an_entry_that_is_worth_nothing_is_denied(price: str) -> None:
    assert ask(signal(origin=origin(price=Decimal(price)))) == "order_notional"


def test_an_exit_at_the_market_needs_no_price() -> None:
    """Getting out must be possible on a tick that has none."""
    assert ask(close(origin=origin(price=Decimal(0))), holding(10)) == [(Side.SELL, 10, True)]


def test_a_limit_price_that_rounds_to_nothing_is_denied_also_to_exits() -> None:
    wish = close(
        order_type=OrderType.LIMIT, limit_price=Decimal("0.04"), origin=origin(price=Decimal(0))
    )  # buying back a short rounds down
    assert ask(wish, holding(-10)) == "price_collar"


def test_an_exit_has_a_collar_and_a_session_too() -> None:
    far = close(order_type=OrderType.LIMIT, limit_price=Decimal(1000))
    assert ask(far, holding(10)) == "price_collar"
    assert ask(close(), holding(10), picture=market(phase=Phase.CLOSED)) == "market_closed"


@pytest.mark.parametrize(
    ("second", "answer"), [(AT - 1, "ok"), (AT, "duplicate_signal"), (AT + 1, "ok"), (AT + 5, "ok")]
)
def test_a_duplicate_is_one_of_the_same_moment_before_or_after(second: int, answer: str) -> None:
    found = exposure()
    found.last_accepted[accepted_key("momentum", KEY, Side.BUY)] = second
    assert (ask(signal(), found) == "duplicate_signal") is (answer == "duplicate_signal")


@pytest.mark.parametrize(("second", "duplicate"), [(AT - 3, False), (AT - 2, True), (AT + 2, True), (AT + 3, False)])
def test_the_window_of_duplicates_reaches_both_ways(second: int, duplicate: bool) -> None:
    found = exposure()
    found.last_accepted[accepted_key("momentum", KEY, Side.BUY)] = second
    assert (ask(signal(), found, limits(duplicate_window_seconds=3)) == "duplicate_signal") is duplicate


def test_another_side_strategy_or_an_exit_is_no_duplicate() -> None:
    found = holding(10)
    for side in Side:
        found.last_accepted[accepted_key("momentum", KEY, side)] = AT
    assert ask(close(), found) == [(Side.SELL, 10, True)]
    assert ask(signal(strategy="rsi"), found) == [(Side.BUY, 10, False)]
    del found.last_accepted[accepted_key("momentum", KEY, Side.SELL)]
    assert ask(signal(side=Side.SELL, quantity=20), found) == [(Side.SELL, 20, False)]


@pytest.mark.parametrize(("quantity", "reduces"), [(9, True), (10, True), (11, False), (20, False)])
def test_an_order_reduces_only_as_far_as_the_position_goes(quantity: int, reduces: bool) -> None:
    assert ask(signal(side=Side.SELL, quantity=quantity), holding(10)) == [(Side.SELL, quantity, reduces)]
    halted = market(trading_state=TradingState.HALTED)
    passes = ask(signal(side=Side.SELL, quantity=quantity), holding(10), picture=halted) != "trading_halted"
    assert passes is reduces


def test_more_of_the_same_never_reduces() -> None:
    assert ask(signal(quantity=5), holding(10)) == [(Side.BUY, 5, False)]
    assert ask(signal(quantity=5, side=Side.SELL), holding(-10)) == [(Side.SELL, 5, False)]


def test_a_target_is_one_of_the_signals_product() -> None:
    found = holding(10, Product.CNC)
    assert ask(target(5), found) == [(Side.BUY, 5, False)]
    assert ask(target(5, product=Product.CNC), found) == [(Side.SELL, 5, True)]


def test_a_close_counts_a_limit_exit_that_works_already() -> None:
    """10 held, a limit exit for all of them works, 5 more are bought: only those 5 are left to close."""
    found = holding(10)
    working(found, Side.SELL, 10, is_limit=True, reduces=True)
    assert ask(close(), found) == "nothing_to_do"
    working(found, Side.BUY, 5)
    assert ask(close(), found) == [(Side.SELL, 5, True)]


def test_a_close_of_a_part_that_has_filled() -> None:
    found = holding(4)
    working(found, Side.BUY, 6, is_limit=True)
    assert ask(close(), found) == [(Side.SELL, 4, True)]
    assert ask(target(0), found) == [(Side.SELL, 4, True)]
    assert ask(target(7), found) == "nothing_to_do"
    assert ask(target(12), found) == [(Side.BUY, 2, False)]


@pytest.mark.parametrize(
    ("quantity", "lot", "freeze", "answer"),
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
    quantity: int, lot: int, freeze: int | None, answer: object
) -> None:
    wide = limits(
        max_order_quantity=MAX_QUANTITY,
        max_position_quantity=MAX_QUANTITY,
        max_order_notional=Decimal(10**15),
        max_gross_exposure=Decimal(10**15),
    )
    of = instrument(lot_size=lot, freeze_quantity=freeze)
    wish = signal(quantity=quantity, origin=origin(price=Decimal("0.05")))
    result = decide(wish, exposure(), wide, market(), of)
    found = [one.quantity for one in result.orders] if isinstance(result, AcceptedSignal) else result.code
    assert found == answer


@pytest.mark.parametrize("open_already", [8, 9])
def test_slices_count_as_orders(open_already: int) -> None:
    found = exposure()
    for _ in range(open_already):
        working(found, Side.BUY, 1)
    of, three = instrument(freeze_quantity=4), limits(max_open_orders=11, max_daily_trades=11)
    found.trades_today = open_already
    result = decide(signal(), found, three, market(), of)
    assert isinstance(result, AcceptedSignal) is (open_already == 8)


@pytest.mark.parametrize(("mark", "answer"), [("1499.99", "ok"), ("1500", "gross_exposure")])
def test_gross_exposure_is_at_the_marks_and_counts_shorts(mark: str, answer: str) -> None:
    """A short of 10 at its mark, an entry of 5 that works at 1,500 and this one of 10 at 1,500."""
    found = holding(-10)
    working(found, Side.BUY, 5)
    most = limits(max_gross_exposure=Decimal("37499.99"))
    picture = market(marks={KEY: Decimal(mark)})
    assert (ask(signal(side=Side.SELL), found, most, picture) == "gross_exposure") is (answer == "gross_exposure")


@pytest.mark.parametrize(("mark", "answer"), [("1495.01", "ok"), ("1495", "daily_loss")])
def test_the_days_loss_counts_open_positions(mark: str, answer: str) -> None:
    found = holding(10)
    found.day_start_equity -= found.account.charges
    most = limits(max_daily_loss=Decimal(50))
    picture = market(marks={KEY: Decimal(mark)})
    assert (ask(signal(), found, most, picture) == "daily_loss") is (answer == "daily_loss")
    assert ask(close(), found, most, picture) == [(Side.SELL, 10, True)]


def test_charges_count_in_the_days_loss() -> None:
    found = holding(10)
    charges = found.account.charges
    assert charges > 0
    assert ask(signal(), found, limits(max_daily_loss=charges)) == "daily_loss"
    assert ask(signal(), found, limits(max_daily_loss=charges + Decimal("0.0001"))) == [(Side.BUY, 10, False)]


def test_the_first_refusal_of_the_chain_counts() -> None:
    wish = signal(quantity=10**6)
    everything = market(trading_state=TradingState.HALTED, phase=Phase.CLOSED)
    assert ask(wish, picture=everything) == "trading_halted"
    assert ask(wish, picture=market(phase=Phase.CLOSED)) == "market_closed"
    assert ask(wish) == "quantity_limit"
