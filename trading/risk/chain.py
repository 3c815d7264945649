"""The decision on a signal: sized, then every check in the declared order; the first refusal counts.

Adding a rule is one class in `trading/risk/checks`, its code in `codes.py`, a place in `CHAIN`, and its test.
"""

from __future__ import annotations

from models.messages import ids
from models.messages.orders import OrderType, PlannedOrder
from models.messages.signals import AcceptedSignal, DeniedSignal, Signal
from trading.market.instruments import Instrument
from trading.risk.checks.account import DailyLoss, DailyTrades, GrossExposure, OpenOrders, PositionLimit
from trading.risk.checks.base import Check
from trading.risk.checks.market import (
    DuplicateSignal,
    MarketSession,
    ReducingOnly,
    SignalAge,
    StaleFeed,
    TradingHalted,
)
from trading.risk.checks.order import OrderNotional, PriceCollar, QuantityLimit
from trading.risk.exposure import Exposure
from trading.risk.limits import Limits
from trading.risk.market import MarketPicture
from trading.risk.request import Denied, Request
from trading.risk.sizing import size

CHAIN: tuple[Check, ...] = (
    TradingHalted(),
    ReducingOnly(),
    MarketSession(),
    StaleFeed(),
    SignalAge(),
    DuplicateSignal(),
    QuantityLimit(),
    PriceCollar(),
    OrderNotional(),
    PositionLimit(),
    GrossExposure(),
    OpenOrders(),
    DailyTrades(),
    DailyLoss(),
)


def decide(
    signal: Signal, exposure: Exposure, limits: Limits, market: MarketPicture, instrument: Instrument | None
) -> AcceptedSignal | DeniedSignal:
    """Decide one signal. Pure: the same input gives the same answer, `exposure` is not changed. Raises nothing."""
    request = size(signal, exposure, limits, market, instrument)
    if isinstance(request, Denied):
        return _denied(signal, request)
    refusal = first_refusal(request)
    return _accepted(request) if refusal is None else _denied(signal, refusal)


def first_refusal(request: Request) -> Denied | None:
    """What the first check against the request says."""
    for check in CHAIN:
        if request.reduces and check.passes_exits:
            continue
        refusal = check.check(request)
        if refusal is not None:
            return refusal
    return None


def _denied(signal: Signal, refusal: Denied) -> DeniedSignal:
    return DeniedSignal(
        signal_id=signal.signal_id,
        account=signal.account,
        strategy=signal.strategy,
        instrument=signal.instrument,
        code=refusal.code.value,
        message=refusal.message,
        values=dict(refusal.values),
        signal=signal,
    )


def _accepted(request: Request) -> AcceptedSignal:
    signal = request.signal
    return AcceptedSignal(
        signal_id=signal.signal_id,
        account=signal.account,
        strategy=signal.strategy,
        orders=tuple(_planned(request, number, quantity) for number, quantity in enumerate(request.slices)),
        origin=signal.origin,
    )


def _planned(request: Request, number: int, quantity: int) -> PlannedOrder:
    signal = request.signal
    order_id = ids.order_id(signal.signal_id, number)
    return PlannedOrder(
        order_id=order_id,
        signal_id=signal.signal_id,
        slice_number=number,
        account=signal.account,
        strategy=signal.strategy,
        instrument=signal.instrument,
        instrument_token=signal.instrument_token,
        side=request.side,
        quantity=quantity,
        order_type=OrderType.MARKET if request.limit_price is None else OrderType.LIMIT,
        limit_price=request.limit_price,
        product=signal.product,
        validity=signal.validity,
        validity_minutes=signal.validity_minutes,
        reduces=request.reduces,
        tag=ids.order_tag(order_id),
        event_time=signal.origin.event_time,
        tick_sequence=signal.origin.tick_sequence,
        run_id=signal.origin.run_id,
        frame_id=signal.origin.frame_id,
        received_ns=signal.origin.received_ns,
    )
