"""What risk accepts passes the last look before the call, and what is a little off does not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from brokers.zerodha.objections import objection
from models.messages.orders import OrderType, Product, Side
from models.messages.signals import AcceptedSignal
from tests.factories import exposure, instrument, limits, market, signal
from trading.market.instruments import Instrument, InstrumentRegistry
from trading.risk.chain import decide

TODAY = date(2026, 8, 20)
WIDE = limits(max_order_quantity=10**6, max_position_quantity=10**6, max_order_notional=Decimal(10**12))
STOPS = (OrderType.SL, OrderType.SL_M)
prices = st.decimals(Decimal(1490), Decimal(1510), places=4)


@st.composite
def any_listed(draw: st.DrawFn, lots: Sequence[int]) -> Instrument:
    """A stock or a contract that is traded."""
    return instrument(
        tick_size=draw(st.sampled_from([Decimal(size) for size in ("0.01", "0.05", "0.1", "0.5", "1", "5")])),
        lot_size=draw(st.sampled_from(lots)),
        freeze_quantity=draw(st.sampled_from([None, 70, 1800])),
        instrument_type=draw(st.sampled_from(["EQ", "FUT"])),
    )


@st.composite
def accepted(
    draw: st.DrawFn, kinds: Sequence[OrderType] = tuple(OrderType), lots: Sequence[int] = (1, 3, 25, 65)
) -> tuple[Instrument, AcceptedSignal]:
    """A signal risk has accepted, with prices and quantities as strategies make them."""
    listed, kind, side = draw(any_listed(lots)), draw(st.sampled_from(kinds)), draw(st.sampled_from(Side))
    carried = Product.NRML if listed.instrument_type == "FUT" else Product.CNC if side is Side.BUY else Product.MIS
    trigger = draw(prices) if kind in STOPS else None
    limit = draw(prices) if kind in (OrderType.LIMIT, OrderType.SL) else None
    if trigger is not None and limit is not None:
        limit = (max if side is Side.BUY else min)(limit, trigger)
    wish = signal(
        side=side,
        quantity=draw(st.integers(65, 600)),
        order_type=kind,
        limit_price=limit,
        trigger_price=trigger,
        product=draw(st.sampled_from([Product.MIS, carried])),
    )
    result = decide(wish, exposure(), WIDE, market(), listed)
    assume(isinstance(result, AcceptedSignal))
    assert isinstance(result, AcceptedSignal)
    return listed, result


@given(accepted())
def test_what_risk_accepts_passes(found: tuple[Instrument, AcceptedSignal]) -> None:
    listed, result = found
    registry = InstrumentRegistry((listed,), {"NSE": TODAY})
    assert [objection(one, registry, TODAY) for one in result.orders] == [""] * len(result.orders)


@given(accepted([OrderType.LIMIT]), st.decimals(Decimal("0.0001"), Decimal("0.0099"), places=4))
def test_a_price_a_little_off_the_tick_does_not(found: tuple[Instrument, AcceptedSignal], off: Decimal) -> None:
    listed, result = found
    one = result.orders[0]
    assert one.limit_price is not None
    registry = InstrumentRegistry((listed,), {"NSE": TODAY})
    assert "off the tick" in objection(replace(one, limit_price=one.limit_price + off), registry, TODAY)


@given(accepted(lots=(3, 25, 65)), st.booleans())
def test_a_broken_lot_does_not(found: tuple[Instrument, AcceptedSignal], reduces: bool) -> None:
    listed, result = found
    one = result.orders[0]
    registry = InstrumentRegistry((listed,), {"NSE": TODAY})
    broken = replace(one, quantity=one.quantity + 1, reduces=reduces)
    assert "no multiple of the lot" in objection(broken, registry, TODAY)
