"""Sizing: from a wish to a quantity that can never turn an exit into a position."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import OrderFailed, OrderStatus, Side
from models.messages.signals import AcceptedSignal, DeniedSignal, Intent
from tests.factories import AT, exposure, filled, instrument, limit_order, limits, market, order, origin, signal
from tests.unit.trading.test_risk_checks import holding, open_order
from trading.accounting.account import apply_fill
from trading.risk.chain import decide
from trading.risk.exposure import Exposure, apply_failed
from trading.risk.exposure import apply_fill as apply_exposure_fill


def bought(found: Exposure, wish: object) -> int:
    """Signed quantity decided on; 0 for a denial."""
    wide = limits(max_order_quantity=10**6, max_position_quantity=10**6)
    result = decide(wish, found, wide, market(), instrument())  # type: ignore[arg-type]
    return sum(one.side.sign * one.quantity for one in result.orders) if isinstance(result, AcceptedSignal) else 0


def close() -> object:
    return signal(intent=Intent.CLOSE, side=None, quantity=None)


def target(quantity: int) -> object:
    return signal(intent=Intent.TARGET, side=None, quantity=None, target_quantity=quantity)


def test_close_of_nothing_is_nothing_to_do() -> None:
    result = decide(close(), exposure(), limits(), market(), instrument())  # type: ignore[arg-type]
    assert isinstance(result, DeniedSignal)
    assert result.code == "nothing_to_do"


def test_close_sells_what_is_held_and_buys_back_what_is_short() -> None:
    assert bought(holding(10), close()) == -10
    assert bought(holding(-7), close()) == 7


def test_close_counts_working_market_entries_which_fill_for_sure() -> None:
    found = exposure()
    found.open_orders["o"] = open_order()
    assert bought(found, close()) == -10


def test_close_does_not_count_a_limit_entry_that_may_never_fill() -> None:
    found = exposure()
    found.open_orders["o"] = open_order(is_limit=True)
    assert bought(found, close()) == 0
    assert bought(found, target(0)) == 0


def test_repeated_close_finds_the_working_exit() -> None:
    found = holding(10)
    found.open_orders["exit"] = open_order(side=Side.SELL, reduces=True)
    assert bought(found, close()) == 0


def test_target_does_not_double_a_working_limit_entry() -> None:
    found = exposure()
    found.open_orders["o"] = open_order(is_limit=True)
    assert bought(found, target(10)) == 0
    assert bought(found, target(15)) == 5


def test_target_through_zero_sells_what_is_held_and_goes_short() -> None:
    assert bought(holding(10), target(-5)) == -15


def test_another_strategys_position_is_not_touched() -> None:
    assert bought(holding(10, strategy="rsi"), close()) == 0


quantities = st.integers(-50, 50).filter(bool)


@given(
    held=st.integers(-50, 50),
    working=st.lists(st.tuples(quantities, st.booleans()), max_size=4),
    wanted=st.one_of(st.none(), st.integers(-60, 60)),
)
def test_exit_never_sells_more_than_is_surely_there(
    held: int, working: list[tuple[int, bool]], wanted: int | None
) -> None:
    found = holding(held) if held else exposure()
    for number, (quantity, is_limit) in enumerate(working):
        side = Side.BUY if quantity > 0 else Side.SELL
        found.open_orders[str(number)] = open_order(side=side, remaining=abs(quantity), is_limit=is_limit)
    sure = found.certain("momentum", "NSE:INFY")
    change = bought(found, close() if wanted is None else target(wanted))
    goal = wanted or 0
    after_if_no_limit_entry_fills = sure + change
    low, high = min(sure, goal), max(sure, goal)
    assert low <= after_if_no_limit_entry_fills <= high or change == goal - found.projected("momentum", "NSE:INFY")
    if wanted is None:
        assert sure * after_if_no_limit_entry_fills >= 0  # never through zero


def test_denied_entry_leaves_nothing_for_its_exit() -> None:
    found = exposure()
    denied = decide(signal(), found, limits(max_order_quantity=1), market(), instrument())
    assert isinstance(denied, DeniedSignal)
    assert bought(found, close()) == 0
    apply_fill(found.account, filled(order(quantity=3), 3, "1500", 3), instrument())
    assert bought(found, close()) == -3


def test_limit_entry_that_fills_in_the_second_of_the_exit_counts_from_the_next_on() -> None:
    """Whether the fill or the signal arrives first must not matter."""
    entry = limit_order("1500", order_id="entry")
    early, late = exposure(), exposure()
    for found in (early, late):
        found.open_orders["entry"] = open_order(is_limit=True)
    apply_exposure_fill(early, filled(entry, 10, "1500", 10, event_time=AT), instrument())
    assert bought(early, close()) == bought(late, close()) == 0
    assert bought(early, close_at(AT + 1)) == -10


def test_order_that_ends_in_the_second_of_the_signal_is_projected_until_the_next() -> None:
    entry = limit_order("1500", order_id="entry")
    failed = OrderFailed(
        order=entry, broker_order_id="", outcome=OrderStatus.EXPIRED, filled_quantity=0, reason="", event_time=AT
    )
    early, late = exposure(), exposure()
    for found in (early, late):
        found.open_orders["entry"] = open_order(is_limit=True)
    apply_failed(early, failed)
    assert bought(early, target(10)) == bought(late, target(10)) == 0
    later = signal(intent=Intent.TARGET, side=None, quantity=None, target_quantity=10, origin=origin(clock=AT + 1))
    assert bought(early, later) == 10


def test_changes_of_past_seconds_are_forgotten() -> None:
    found = exposure()
    for number in range(20):
        found.open_orders["entry"] = open_order(is_limit=True)
        one = limit_order("1500", order_id=f"e{number}")
        found.open_orders[one.order_id] = open_order(is_limit=True)
        apply_exposure_fill(found, filled(one, 10, "1500", 10, event_time=AT + number), instrument())
    assert len(found.recent) <= 5


def close_at(clock: int) -> object:
    return signal(intent=Intent.CLOSE, side=None, quantity=None, origin=origin(clock=clock))
