"""Every check on both sides of its boundary, with its own reason code."""

from __future__ import annotations

from decimal import Decimal

import pytest

from models.messages.control import TradingState
from models.messages.orders import OrderType, Side
from models.messages.signals import AcceptedSignal, DeniedSignal, Intent
from tests.factories import AT, exposure, filled, instrument, limits, market, order, origin, signal
from trading.accounting.account import apply_fill
from trading.market.sessions import Phase
from trading.risk.chain import CHAIN, decide
from trading.risk.codes import MEANINGS, ReasonCode
from trading.risk.exposure import Exposure, OpenOrder, accepted_key


def holding(quantity: int, price: str = "1500", strategy: str = "momentum") -> Exposure:
    """An exposure with a position."""
    found = exposure()
    side = Side.BUY if quantity > 0 else Side.SELL
    bought = order(quantity=abs(quantity), side=side, strategy=strategy)
    apply_fill(found.account, filled(bought, abs(quantity), price, abs(quantity)), instrument())
    return found


def open_order(**values: object) -> OpenOrder:
    """A working market order of 10."""
    defaults = {
        "strategy": "momentum",
        "instrument": "NSE:INFY",
        "side": Side.BUY,
        "remaining": 10,
        "reserve_price": Decimal(1500),
    }
    return OpenOrder(**{**defaults, **values})  # type: ignore[arg-type]


def code_of(result: AcceptedSignal | DeniedSignal) -> str | None:
    """Reason code of a denial, None for an acceptance."""
    return result.code if isinstance(result, DeniedSignal) else None


ENTRY = signal()
CASES = [
    # code, passes, refused: each (signal, exposure, limits, market)
    ("quantity_limit", {"limits": limits(max_order_quantity=10)}, {"limits": limits(max_order_quantity=9)}),
    ("position_limit", {"limits": limits(max_position_quantity=10)}, {"limits": limits(max_position_quantity=9)}),
    (
        "order_notional",
        {"limits": limits(max_order_notional=Decimal(15_000))},
        {"limits": limits(max_order_notional=Decimal("14999.9999"))},
    ),
    (
        "gross_exposure",
        {"limits": limits(max_gross_exposure=Decimal(15_000))},
        {"limits": limits(max_gross_exposure=Decimal("14999.9999"))},
    ),
    ("open_orders", {"limits": limits(max_open_orders=1)}, {"limits": limits(max_open_orders=1), "open": 1}),
    (
        "daily_trades",
        {"limits": limits(max_daily_trades=5), "trades": 4},
        {"limits": limits(max_daily_trades=5), "trades": 5},
    ),
    ("daily_loss", {"loss": Decimal("49999.9999")}, {"loss": Decimal(50_000)}),
    ("stale_feed", {"origin": origin(clock=AT + 10)}, {"origin": origin(clock=AT + 11)}),
    ("signal_age", {"market": market(clock=AT + 30)}, {"market": market(clock=AT + 31)}),
    ("duplicate_signal", {"last": AT - 1}, {"last": AT}),
    ("market_closed", {"market": market()}, {"market": market(phase=Phase.PRE_OPEN)}),
    ("trading_halted", {"market": market()}, {"market": market(trading_state=TradingState.HALTED)}),
    ("reducing_only", {"market": market()}, {"market": market(trading_state=TradingState.REDUCING)}),
]


def run_case(case: dict[str, object]) -> AcceptedSignal | DeniedSignal:
    """Decide an entry of 10 at 1,500 rupees in the case's circumstances."""
    found = exposure()
    for number in range(int(case.get("open", 0))):  # type: ignore[call-overload]
        found.open_orders[f"o{number}"] = open_order(strategy="other")
    found.trades_today = case.get("trades", 0)  # type: ignore[assignment]
    found.account.cash -= case.get("loss", Decimal(0))  # type: ignore[operator]
    if "last" in case:
        found.last_accepted[accepted_key("momentum", "NSE:INFY", Side.BUY)] = case["last"]  # type: ignore[assignment]
    wish = signal(origin=case.get("origin", origin()))
    return decide(wish, found, case.get("limits", limits()), case.get("market", market()), instrument())  # type: ignore[arg-type]


@pytest.mark.parametrize(("code", "passes", "refused"), CASES, ids=[case[0] for case in CASES])
def test_check_on_both_sides_of_its_boundary(code: str, passes: dict[str, object], refused: dict[str, object]) -> None:
    assert code_of(run_case(passes)) is None
    assert code_of(run_case(refused)) == code


@pytest.mark.parametrize(
    ("price", "code"), [("1530", None), ("1530.05", "price_collar"), ("1470", None), ("1469.95", "price_collar")]
)
def test_limit_price_beyond_the_collar_is_denied(price: str, code: str | None) -> None:
    wish = signal(order_type=OrderType.LIMIT, limit_price=Decimal(price))
    assert code_of(decide(wish, exposure(), limits(), market(), instrument())) == code


def test_every_check_has_a_case_here_and_every_code_a_meaning() -> None:
    tested = {case[0] for case in CASES} | {"price_collar"}
    assert len(tested) == len(CHAIN)
    assert set(MEANINGS) == set(ReasonCode)


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.REDUCING])
def test_exit_passes_while_entries_are_stopped(state: TradingState) -> None:
    close = signal(intent=Intent.CLOSE, side=None, quantity=None)
    result = decide(close, holding(10), limits(), market(trading_state=state), instrument())
    assert isinstance(result, AcceptedSignal)
    assert (result.orders[0].side, result.orders[0].quantity, result.orders[0].reduces) == (Side.SELL, 10, True)


def test_exit_passes_every_account_limit() -> None:
    tight = limits(max_order_quantity=1, max_position_quantity=1, max_order_notional=Decimal(1), max_daily_trades=1)
    close = signal(intent=Intent.CLOSE, side=None, quantity=None)
    assert code_of(decide(close, holding(10), tight, market(), instrument())) is None


def test_unknown_and_untradable_instruments_are_denied() -> None:
    index = instrument(tick_size=Decimal(0), lot_size=0)
    assert code_of(decide(ENTRY, exposure(), limits(), market(), None)) == "instrument_unknown"
    assert code_of(decide(ENTRY, exposure(), limits(), market(), index)) == "instrument_not_tradable"


def test_denial_carries_a_sentence_and_the_values_compared() -> None:
    result = decide(ENTRY, exposure(), limits(max_order_quantity=9), market(), instrument())
    assert isinstance(result, DeniedSignal)
    assert result.message == "Quantity 10 exceeds the limit of 9 for NSE:INFY"
    assert result.values == {"quantity": "10", "limit": "9"}


def test_decide_changes_nothing() -> None:
    before = holding(10)
    copy = repr(before)
    decide(ENTRY, before, limits(), market(), instrument())
    assert repr(before) == copy


@pytest.mark.parametrize(("quantity", "slices"), [(100, [100]), (101, [100, 1]), (1000, [100] * 10)])
def test_order_is_sliced_at_the_freeze_quantity(quantity: int, slices: list[int]) -> None:
    wish = signal(quantity=quantity)
    result = decide(wish, exposure(), limits(), market(), instrument(freeze_quantity=100))
    assert isinstance(result, AcceptedSignal)
    assert [one.quantity for one in result.orders] == slices
    assert len({one.order_id for one in result.orders}) == len(slices)


def test_more_than_ten_slices_are_denied() -> None:
    wish = signal(quantity=1001)
    wide = limits(max_order_quantity=5000, max_position_quantity=5000)
    assert code_of(decide(wish, exposure(), wide, market(), instrument(freeze_quantity=100))) == "too_many_slices"


def test_quantity_below_a_lot_is_denied() -> None:
    assert code_of(decide(ENTRY, exposure(), limits(), market(), instrument(lot_size=25))) == "lot_multiple"
