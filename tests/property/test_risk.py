"""What holds for every decision on any input at all."""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from models.messages.control import TradingState
from models.messages.orders import OrderType, Product, Side, Validity
from models.messages.signals import AcceptedSignal, DeniedSignal, Intent, Signal
from models.messages.validation import LATEST_SECOND, MAX_MONEY, MAX_QUANTITY
from tests.factories import AT, exposure, filled, instrument, limits, market, origin, signal
from tests.property.risk_stories import prices
from trading.accounting.account import equity, strategy_day_pnl
from trading.market.instruments import Instrument
from trading.market.sessions import Phase
from trading.orders.rounding import MOST_SLICES
from trading.risk.chain import CHAIN, decide
from trading.risk.codes import ReasonCode
from trading.risk.exposure import Exposure, apply_fill, reserve
from trading.risk.figures import figures
from trading.risk.limits import NAMES, Limits
from trading.risk.market import MarketPicture

KEY = "NSE:INFY"
amounts = st.decimals(-MAX_MONEY, MAX_MONEY, places=4)
seconds = st.one_of(st.integers(0, LATEST_SECOND), st.integers(AT - 40, AT + 40))
quantities = st.one_of(st.integers(1, 100), st.integers(1, MAX_QUANTITY))
anything = st.one_of(
    st.none(),
    st.sampled_from([Decimal(text) for text in ("NaN", "sNaN", "Infinity", "-Infinity", "-1", "0", "1e400", "1e-400")]),
    amounts,
    st.integers(),
    st.just(10**5000),
    st.floats(),
    st.text(max_size=3),
)


@st.composite
def any_signal(draw: st.DrawFn) -> Signal:
    """Any signal that is valid on the wire."""
    intent = draw(st.sampled_from(Intent))
    kind = draw(st.sampled_from(OrderType))
    side = draw(st.sampled_from(Side))
    limit = draw(st.one_of(prices, prices, amounts)) if kind in (OrderType.LIMIT, OrderType.SL) else None
    trigger = draw(prices) if kind in (OrderType.SL, OrderType.SL_M) else None
    if trigger is not None and limit is not None:
        limit = (max if side is Side.BUY else min)(limit, trigger)
    validity = draw(st.sampled_from(Validity))
    opens, reduces = intent is Intent.OPEN, intent is Intent.REDUCE
    weight = draw(st.one_of(st.none(), st.decimals(0, 10, places=6).filter(bool))) if opens else None
    values: dict[str, Any] = {
        "signal_id": draw(st.text(min_size=1, max_size=5)),
        "intent": intent,
        "side": side if opens or reduces else None,
        "weight": weight,
        "quantity": draw(quantities) if reduces or (opens and weight is None) else None,
        "target_quantity": draw(st.integers(-MAX_QUANTITY, MAX_QUANTITY)) if intent is Intent.TARGET else None,
        "order_type": kind,
        "limit_price": limit,
        "trigger_price": trigger,
        "product": draw(st.sampled_from(Product)),
        "validity": validity,
        "validity_minutes": draw(st.integers(1, 10)) if validity is Validity.TTL else 0,
        "origin": origin(event_time=draw(seconds), clock=draw(seconds), price=draw(st.one_of(prices, amounts))),
    }
    made = signal(**values)
    assert msgspec.json.decode(msgspec.json.encode(made), type=Signal) == made
    return made


@st.composite
def any_instrument(draw: st.DrawFn) -> Instrument | None:
    """Any instrument a dump can hold, an index, or none."""
    if draw(st.integers(0, 9)) == 0:
        return None
    return instrument(
        tick_size=draw(st.sampled_from([Decimal(size) for size in ("0.0001", "0.01", "0.05", "0.1", "5", "0")])),
        lot_size=draw(st.sampled_from([0, 1, 25, 65, 10**15])),
        freeze_quantity=draw(st.one_of(st.none(), st.integers(1, 2000))),
        instrument_type=draw(st.sampled_from(["EQ", "FUT", "CE", "PE"])),
        strike=draw(prices),
        expiry=draw(st.sampled_from([None, date(2026, 8, 19), date(2026, 8, 20)])),
    )


@st.composite
def any_exposure(draw: st.DrawFn) -> Exposure:
    """What is left by a few accepted signals, partly filled."""
    found = exposure()
    for number in range(draw(st.integers(0, 4))):
        at = AT + 10 * number
        wish = signal(
            signal_id=f"before-{number}",
            strategy=draw(st.sampled_from(["momentum", "rsi"])),
            side=draw(st.sampled_from(Side)),
            quantity=draw(st.integers(1, 200)),
            product=draw(st.sampled_from(Product)),
            origin=origin(event_time=at, clock=at),
        )
        result = decide(wish, found, limits(), market(clock=at), instrument())
        if isinstance(result, AcceptedSignal):
            reserve(found, result, instrument())
            for one in result.orders:
                quantity = draw(st.integers(0, one.quantity))
                if quantity:
                    apply_fill(found, filled(one, quantity, str(draw(prices)), quantity), instrument())
    return found


pictures = st.builds(
    market,
    clock=seconds,
    phase=st.one_of(st.just(Phase.CONTINUOUS), st.sampled_from(Phase)),
    trading_state=st.one_of(st.just(TradingState.ACTIVE), st.sampled_from(TradingState)),
    marks=st.dictionaries(st.just(KEY), prices),
    square_off=st.one_of(st.none(), seconds),
    price_band=st.one_of(st.none(), st.tuples(prices, prices)),
    previous_close=st.one_of(st.none(), prices),
    open_differences=st.integers(0, 1),
)
WIDE = limits(max_order_quantity=MAX_QUANTITY, max_order_notional=MAX_MONEY, max_gross_exposure=MAX_MONEY)


def check_answer(result: AcceptedSignal | DeniedSignal) -> None:
    """It is a value that can be sent, with the code of a rule."""
    denial = result if isinstance(result, DeniedSignal) else result.rest
    if denial is not None:
        assert denial.code in set(ReasonCode)
        assert denial.message
        assert denial.is_rest is isinstance(result, AcceptedSignal)
    encoded = msgspec.json.encode(result)
    assert msgspec.json.decode(encoded, type=type(result)) == result


@given(wish=any_signal(), before=any_exposure(), picture=pictures, of=any_instrument())
def test_a_decision_is_a_value_and_changes_nothing(
    wish: Signal, before: Exposure, picture: Any, of: Instrument | None
) -> None:
    untouched = deepcopy(before)
    result = decide(wish, before, limits(), picture, of)
    assert before == untouched
    assert result == decide(wish, deepcopy(before), limits(), picture, of)
    check_answer(result)
    if isinstance(result, DeniedSignal):
        assert result.code != ReasonCode.FIGURES_UNUSABLE, result.message  # that is for what cannot come over the wire


@given(
    wish=any_signal(),
    before=any_exposure(),
    values=st.dictionaries(st.sampled_from(NAMES), anything),
    own=st.one_of(st.none(), st.dictionaries(st.sampled_from(NAMES), anything)),
    picture=st.fixed_dictionaries(
        {
            "clock": anything,
            "phase": st.just(Phase.CONTINUOUS),
            "trading_state": st.one_of(st.just(TradingState.ACTIVE), anything),
            "marks": st.dictionaries(st.just(KEY), anything),
            "square_off": anything,
            "price_band": st.one_of(st.none(), st.tuples(anything, anything)),
            "previous_close": anything,
            "open_differences": anything,
        }
    ),
    of=st.fixed_dictionaries({"tick_size": anything, "lot_size": anything, "freeze_quantity": anything}),
    spoiled=st.dictionaries(
        st.sampled_from(["cash", "realised", "charges", "start_cash", "high_water_mark", "day_start_equity"]), anything
    ),
)
def test_nothing_raises_whatever_it_is_given(
    wish: Signal,
    before: Exposure,
    values: dict[str, Any],
    own: dict[str, Any] | None,
    picture: dict[str, Any],
    of: dict[str, Any],
    spoiled: dict[str, Any],
) -> None:
    for name, value in spoiled.items():
        setattr(before.account, name, value)
    base = {name: getattr(limits(), name) for name in NAMES}
    of_strategy = None if own is None else Limits.from_layers(base, own)
    result = decide(
        wish, before, Limits.from_layers(base, values), MarketPicture(**picture), instrument(**of), of_strategy
    )
    check_answer(result)
    if isinstance(result, AcceptedSignal):
        for one in result.orders:
            assert type(one.quantity) is int
            assert 0 < one.quantity <= MAX_QUANTITY


@given(wish=any_signal(), before=any_exposure(), picture=pictures, bad=anything, name=st.sampled_from(NAMES))
def test_a_limit_that_is_no_amount_never_lets_more_pass(
    wish: Signal, before: Exposure, picture: Any, bad: Any, name: str
) -> None:
    spoiled = Limits.from_layers({one: getattr(WIDE, one) for one in NAMES}, {name: bad})
    if name not in spoiled.unusable:
        return
    result, usual = (decide(wish, before, one, picture, instrument()) for one in (spoiled, WIDE))
    if isinstance(result, AcceptedSignal):
        assert isinstance(usual, AcceptedSignal)
        assert usual.orders[: len(result.orders)] == result.orders
        needs = {check.code for check in CHAIN if name in check.limits and check.passes_exits}
        assert not needs or all(one.reduces for one in result.orders)


@given(wish=any_signal(), before=any_exposure(), picture=pictures, of=any_instrument())
def test_what_is_accepted_can_be_sent_as_it_is(
    wish: Signal, before: Exposure, picture: Any, of: Instrument | None
) -> None:
    result = decide(wish, before, WIDE, picture, of)
    if not isinstance(result, AcceptedSignal):
        return
    assert of is not None
    assert picture.phase is Phase.CONTINUOUS
    for reduces in (True, False):
        assert sum(one.reduces is reduces for one in result.orders) <= MOST_SLICES
    assert [one.reduces for one in result.orders] == sorted((one.reduces for one in result.orders), reverse=True)
    names = {one.order_id for one in result.orders} | {one.tag for one in result.orders}
    assert len(names) == 2 * len(result.orders) > 0
    for one in result.orders:
        assert one.quantity % of.lot_size == 0
        assert of.freeze_quantity is None or one.quantity <= of.freeze_quantity
        for price in (one.limit_price, one.trigger_price):
            assert price is None or (price > 0 and price % of.tick_size == 0)
        assert one.reduces or picture.trading_state is TradingState.ACTIVE
        assert one.order_type is wish.order_type


@given(before=any_exposure(), marks=st.dictionaries(st.just(KEY), prices), strategy=st.sampled_from(["momentum", "no"]))
def test_figures_are_those_of_the_accounting(before: Exposure, marks: Any, strategy: str) -> None:
    found = figures(before, strategy, limits(), marks)
    assert found.equity == equity(before.account, marks)
    assert found.day_loss == before.account.day_start_equity - found.equity
    assert found.strategy_day_loss == -strategy_day_pnl(before.account, strategy, marks)
    assert found.gross >= found.strategy_gross >= 0
    assert 0 <= found.blocked <= found.gross
