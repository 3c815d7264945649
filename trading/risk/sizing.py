"""From what a signal wants to how much is to be bought or sold, rounded and sliced.

An exit is sized from what the strategy holds at that broker in the signal's product, less what already works on that
side: whatever fills, fails or is denied, it never passes zero. What goes beyond is an entry, a request of its own.
A close or a target starts from the position once everything working has filled, so a repeated wish finds nothing to
do, but nothing is sized against an order that has not filled: that part must be asked for again.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

import msgspec

from models.messages.orders import Side
from models.messages.signals import Intent, Signal
from trading.accounting.account import Account
from trading.market.instruments import Instrument
from trading.orders.rounding import MOST_SLICES, count_slices, round_price, round_quantity, slice_quantity
from trading.risk.codes import ReasonCode
from trading.risk.exposure import Exposure, Standing
from trading.risk.limits import Limits
from trading.risk.market import MarketPicture
from trading.risk.request import Denied, Request, denied


class Sized(msgspec.Struct, frozen=True, gc=False):
    """The request that reduces the position and the one that goes beyond, or why there is none of the latter."""

    reducing: Request | None
    entry: Request | None
    refusal: Denied | None


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """Units to buy or sell; only the first `sure` of them do not count on an order that has not filled."""

    side: Side
    units: int
    sure: int


def size(
    signal: Signal,
    exposure: Exposure,
    limits: Limits,
    account_limits: Limits,
    market: MarketPicture,
    instrument: Instrument,
) -> Sized | Denied:
    """The sized requests, at least one, or why there is none."""
    whose = signal.strategy, signal.instrument, signal.product
    standing, everywhere = exposure.standings(*whose, signal.origin.clock)
    wanted = _wanted(signal, standing, exposure.account)
    if isinstance(wanted, Denied):
        return wanted
    side = wanted.side
    reducing = min(wanted.sure, standing.exit_units(side))
    refusal = _against_working(signal, standing, side, wanted.units - reducing)
    beyond = wanted.sure - reducing if refusal is None else 0
    if refusal is not None and not reducing:
        return refusal

    limit, trigger = _on_tick(signal.limit_price, instrument, side), _on_tick(signal.trigger_price, instrument, side)
    price = next(one for one in (limit, trigger, signal.origin.price) if one is not None)

    def request(quantity: int, before: Request | None, *, reduces: bool) -> Request:
        units = _whole_lots(quantity, instrument)
        return Request(
            signal=signal,
            instrument=instrument,
            side=side,
            quantity=units,
            slices=_slices(units, instrument),
            before=before,
            limit_price=limit,
            trigger_price=trigger,
            price=price,
            notional=units * price,
            reduces=reduces,
            standing=standing,
            everywhere=everywhere,
            exposure=exposure,
            limits=limits,
            account_limits=account_limits,
            market=market,
        )

    first = request(reducing, None, reduces=True) if reducing else None
    return Sized(first, request(beyond, first, reduces=False) if beyond else None, refusal)


def _wanted(signal: Signal, standing: Standing, account: Account) -> Wanted | Denied:
    if signal.intent is Intent.OPEN:
        units = _units_of_weight(signal, account) if signal.weight is not None else signal.quantity or 0
        if units > 0:
            return Wanted(signal.side or Side.BUY, units, units)
        message = f"{signal.weight} of the equity is less than one unit of {signal.instrument}"
        return denied(ReasonCode.LOT_MULTIPLE, message, weight=signal.weight, price=_valued_at(signal))
    if signal.intent is Intent.REDUCE:
        return _to_reduce(signal, standing)
    target = 0 if signal.intent is Intent.CLOSE else signal.target_quantity or 0
    change = target - standing.projected
    if not change:
        message = f"{signal.strategy} has {target} of {signal.instrument} once everything working has filled"
        return denied(ReasonCode.NOTHING_TO_DO, message, projected=target, intent=signal.intent.value)
    side = Side.BUY if change > 0 else Side.SELL
    return Wanted(side, abs(change), max(0, side.sign * (target - standing.extreme(side))))


def _to_reduce(signal: Signal, standing: Standing) -> Wanted | Denied:
    side, quantity = signal.side or Side.SELL, signal.quantity or 0
    units = min(quantity, standing.exit_units(side))
    if units:
        return Wanted(side, units, units)
    message = f"{signal.strategy} has no units of {signal.instrument} to {side.value} that are not being left already"
    return denied(ReasonCode.NOTHING_TO_DO, message, held=standing.held, working=standing.working(side))


def _units_of_weight(signal: Signal, account: Account) -> int:
    """At cost, for that only fills change: two replays size alike."""
    at_cost = account.start_cash + account.realised - account.charges
    price = _valued_at(signal)
    if signal.weight is None or price <= 0 or at_cost <= 0:
        return 0
    return int((signal.weight * at_cost / price).to_integral_value(ROUND_FLOOR))


def _valued_at(signal: Signal) -> Decimal:
    return signal.origin.price if signal.limit_price is None else signal.limit_price


def _against_working(signal: Signal, standing: Standing, side: Side, beyond: int) -> Denied | None:
    working = standing.working(side.opposite)
    if signal.intent is Intent.OPEN or not beyond or not working:
        return None
    message = (
        f"{signal.strategy} has {working} of {signal.instrument} to {side.opposite.value} that have not filled; "
        f"{side.value} {beyond} against them must be asked for again"
    )
    return denied(ReasonCode.OPPOSITE_ORDER_WORKING, message, working=working, beyond=beyond)


def _whole_lots(quantity: int, instrument: Instrument) -> int:
    return round_quantity(quantity, instrument.lot_size) if instrument.lot_size > 0 else quantity


def _slices(quantity: int, instrument: Instrument) -> tuple[int, ...]:
    """Empty when there are too many of them, or none is possible: a check refuses that."""
    lot, freeze = instrument.lot_size, instrument.freeze_quantity
    if lot <= 0 or quantity <= 0 or count_slices(quantity, lot, freeze) > MOST_SLICES:
        return ()
    return tuple(slice_quantity(quantity, lot, freeze))


def _on_tick(price: Decimal | None, instrument: Instrument, side: Side) -> Decimal | None:
    if price is None or instrument.tick_size <= 0:
        return price
    return round_price(price, instrument.tick_size, side)
