"""The decision on a signal: sized, then every check in the declared order; the first refusal counts.

Adding a rule is one class in `trading/risk/checks`, its code in `codes.py`, a place in `CHAIN`, and its test.
"""

from __future__ import annotations

from models.messages import ids
from models.messages.orders import PlannedOrder
from models.messages.signals import AcceptedSignal, DeniedSignal, Signal
from trading.accounting.position import position_key
from trading.market.instruments import Instrument
from trading.orders.rounding import round_price
from trading.risk.checks.base import Check
from trading.risk.checks.book import (
    BuyingPower,
    DailyLoss,
    DailyTrades,
    GrossExposure,
    MaxDrawdown,
    OpenOrders,
    OrderRate,
    PositionLimit,
)
from trading.risk.checks.instrument import InstrumentTradable, LotMultiple, ProductAllowed, ShortSelling
from trading.risk.checks.moment import DuplicateSignal, MarketSession, SignalAge, SquareOff, StaleFeed
from trading.risk.checks.order import FreezeLimit, OrderNotional, PriceBand, PriceCollar, QuantityLimit, TickSize
from trading.risk.checks.state import ReconciliationDifference, ReducingOnly, TradingHalted
from trading.risk.codes import ReasonCode
from trading.risk.exposure import Exposure
from trading.risk.limits import Limits
from trading.risk.market import MarketPicture
from trading.risk.request import Denied, Request, denied
from trading.risk.sizing import size

CHAIN: tuple[Check, ...] = (
    TradingHalted(),
    ReducingOnly(),
    MarketSession(),
    SquareOff(),
    StaleFeed(),
    InstrumentTradable(),
    ProductAllowed(),
    ShortSelling(),
    QuantityLimit(),
    FreezeLimit(),
    LotMultiple(),
    TickSize(),
    PriceBand(),
    PriceCollar(),
    OrderNotional(),
    PositionLimit(),
    GrossExposure(),
    BuyingPower(),
    OpenOrders(),
    DuplicateSignal(),
    SignalAge(),
    DailyTrades(),
    DailyLoss(),
    MaxDrawdown(),
    OrderRate(),
    ReconciliationDifference(),
)
FOR_ENTRIES = tuple(check.check for check in CHAIN)
FOR_EXITS = tuple(check.check for check in CHAIN if not check.passes_exits)


def decide(
    signal: Signal,
    exposure: Exposure,
    limits: Limits,
    market: MarketPicture,
    instrument: Instrument | None,
    own: Limits | None = None,
) -> AcceptedSignal | DeniedSignal:
    """Decide one signal. Pure: the same input gives the same answer, `exposure` is not changed. Raises nothing.

    `limits` are the account's, `own` the strategy's where it has some of its own. A signal that passes through zero is
    two decisions: its exit is accepted also when the entry beyond it is denied (`rest`), never the other way round.
    """
    try:
        return _decide(signal, exposure, limits, market, instrument, own or limits)
    except Exception as error:
        what = type(error).__name__
        message = f"The order cannot be judged: a price or an amount is unusable ({what})"
        return denied_signal(signal, denied(ReasonCode.FIGURES_UNUSABLE, message, error=what))


def _decide(
    signal: Signal,
    exposure: Exposure,
    limits: Limits,
    market: MarketPicture,
    instrument: Instrument | None,
    own: Limits,
) -> AcceptedSignal | DeniedSignal:
    if instrument is None:
        message = f"{signal.instrument} is not in the instrument dump"
        return denied_signal(signal, denied(ReasonCode.INSTRUMENT_UNKNOWN, message, token=signal.instrument_token))
    if instrument.key != signal.instrument:
        message = f"Token {signal.instrument_token} is {instrument.key}, not {signal.instrument}"
        return denied_signal(signal, denied(ReasonCode.INSTRUMENT_UNKNOWN, message, token=signal.instrument_token))
    sized = size(signal, exposure, own, limits, market, instrument)
    if isinstance(sized, Denied):
        return denied_signal(signal, sized)
    requests = [one for one in (sized.reducing, sized.entry) if one is not None]
    rest = sized.refusal
    for request in requests:
        refusal = first_refusal(request)
        if refusal is None:
            continue
        if request.before is None:
            return denied_signal(signal, refusal)
        requests, rest = requests[:1], refusal
    return _accepted(signal, requests, None if rest is None else denied_signal(signal, rest, is_rest=True))


def first_refusal(request: Request) -> Denied | None:
    """What the first check against the request says."""
    for check in FOR_EXITS if request.reduces else FOR_ENTRIES:
        refusal = check(request)
        if refusal is not None:
            return refusal
    return None


def denied_signal(signal: Signal, refusal: Denied, *, is_rest: bool = False) -> DeniedSignal:
    """The refusal of a signal, or (`is_rest`) of its part that does not reduce."""
    return DeniedSignal(
        signal_id=signal.signal_id,
        account=signal.account,
        strategy=signal.strategy,
        instrument=signal.instrument,
        code=refusal.code.value,
        message=refusal.message,
        values=refusal.values,
        is_rest=is_rest,
        signal=signal,
    )


def _accepted(signal: Signal, requests: list[Request], rest: DeniedSignal | None) -> AcceptedSignal:
    parts = [(request, quantity) for request in requests for quantity in request.slices]
    return AcceptedSignal(
        signal_id=signal.signal_id,
        account=signal.account,
        strategy=signal.strategy,
        orders=tuple(_planned(request, number, quantity) for number, (request, quantity) in enumerate(parts)),
        origin=signal.origin,
        rest=rest,
    )


def _is_its_own(signal: Signal) -> bool:
    """Whether the tick behind the signal is one of the instrument it wants; the other leg of a pair counts its own."""
    return signal.origin.instrument_token == signal.instrument_token


def _planned(request: Request, number: int, quantity: int) -> PlannedOrder:
    signal = request.signal
    order_id = ids.order_id(signal.signal_id, number)
    whose = position_key(signal.strategy, signal.instrument, signal.product)
    exits = (None, None) if request.reduces else (signal.stop_loss, signal.target)
    stop_loss, target = (
        None if price is None else round_price(price, request.instrument.tick_size, request.side.opposite)
        for price in exits
    )
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
        order_type=signal.order_type,
        limit_price=request.limit_price,
        trigger_price=request.trigger_price,
        market_protection=signal.market_protection,
        stop_loss=stop_loss,
        target=target,
        exits_seen=request.exposure.bracket_exits.get(whose, 0),
        product=signal.product,
        validity=signal.validity,
        validity_minutes=signal.validity_minutes,
        reduces=request.reduces,
        tag=ids.order_tag(order_id),
        event_time=signal.origin.event_time,
        tick_sequence=signal.origin.tick_sequence if _is_its_own(signal) else 0,
        run_id=signal.origin.run_id,
        frame_id=signal.origin.frame_id,
        received_ns=signal.origin.received_ns,
    )
