"""From what a signal wants to how much is to be bought or sold.

The starting point is the strategy's own position in the signal's product at that broker once everything working has
filled, so a repeated wish finds nothing to do. An exit counts limit entries only as far as they have filled: neither
a denied entry nor one that never fills can turn its exit into a short.
"""

from __future__ import annotations

from decimal import Decimal

from models.messages.orders import Side
from models.messages.signals import Intent, Signal
from trading.market.instruments import Instrument
from trading.orders.rounding import MOST_SLICES, count_slices, round_price, round_quantity, slice_quantity
from trading.risk.codes import ReasonCode
from trading.risk.exposure import Exposure
from trading.risk.limits import Limits
from trading.risk.market import MarketPicture
from trading.risk.request import Denied, Request, denied


def size(
    signal: Signal, exposure: Exposure, limits: Limits, market: MarketPicture, instrument: Instrument | None
) -> Request | Denied:
    """The sized request, or why there is none."""
    if instrument is None:
        return denied(ReasonCode.INSTRUMENT_UNKNOWN, f"{signal.instrument} is not in the instrument dump")
    if not instrument.is_tradable:
        return denied(ReasonCode.INSTRUMENT_NOT_TRADABLE, f"{signal.instrument} cannot be traded")
    whose = signal.strategy, signal.instrument, signal.product
    projected = exposure.projected(*whose, at=signal.origin.clock)
    certain = exposure.certain(*whose, at=signal.origin.clock)
    change = _change(signal, projected, certain)
    if change == 0:
        message = f"{signal.strategy} has {certain} of {signal.instrument}, {projected} once everything has filled"
        return denied(ReasonCode.NOTHING_TO_DO, message, projected=projected, intent=signal.intent.value)
    quantity = round_quantity(abs(change), instrument.lot_size)
    if quantity == 0:
        message = f"Quantity {abs(change)} is below the lot size of {instrument.lot_size}"
        return denied(ReasonCode.LOT_MULTIPLE, message, quantity=abs(change), lot_size=instrument.lot_size)
    count = count_slices(quantity, instrument.lot_size, instrument.freeze_quantity)
    if not 0 < count <= MOST_SLICES:
        message = f"Quantity {quantity} needs {count} slices of at most {instrument.freeze_quantity}"
        return denied(ReasonCode.TOO_MANY_SLICES, message, slices=count, most=MOST_SLICES)
    side = Side.BUY if change > 0 else Side.SELL
    return Request(
        signal=signal,
        instrument=instrument,
        side=side,
        quantity=quantity,
        slices=tuple(slice_quantity(quantity, instrument.lot_size, instrument.freeze_quantity)),
        limit_price=_limit_price(signal.limit_price, instrument, side),
        projected=projected,
        reduces=_reduces(certain, side, quantity),
        exposure=exposure,
        limits=limits,
        market=market,
    )


def _change(signal: Signal, projected: int, certain: int) -> int:
    if signal.intent is Intent.OPEN:
        return (signal.side or Side.BUY).sign * (signal.quantity or 0)
    target = 0 if signal.intent is Intent.CLOSE else signal.target_quantity or 0
    wanted = target - projected
    if wanted * projected >= 0:
        return wanted
    surely = target - certain
    return surely if surely * wanted > 0 else 0


def _limit_price(price: Decimal | None, instrument: Instrument, side: Side) -> Decimal | None:
    return None if price is None else round_price(price, instrument.tick_size, side)


def _reduces(certain: int, side: Side, quantity: int) -> bool:
    return certain * side.sign < 0 and quantity <= abs(certain)
