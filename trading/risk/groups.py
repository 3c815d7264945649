"""Signals that belong together: all of their entries are accepted, or none.

The legs of a group come one after the other, from one decision of the strategy runner: those that have come wait in the
account's exposure, and the last one decides all. What only reduces is never held back by another leg, and a leg whose
position is already what it asks for denies nobody. Accepted is not filled: the broker may still reject a leg, or leave
it unfilled; the strategy's next wish for the group, which targets positions, sees to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import msgspec
from msgspec.structs import replace

from models.messages.signals import AcceptedSignal, DeniedSignal, Signal
from trading.market.instruments import Instrument
from trading.risk.chain import decide, denied_signal
from trading.risk.codes import ReasonCode
from trading.risk.exposure import Exposure, reserve
from trading.risk.limits import Limits
from trading.risk.market import MarketPicture
from trading.risk.request import denied

Result = AcceptedSignal | DeniedSignal


class Leg(msgspec.Struct, frozen=True):
    """One signal with what `decide` needs beside the account. `own` are the strategy's limits where it has some."""

    signal: Signal
    market: MarketPicture
    instrument: Instrument | None
    own: Limits | None = None


def legs_in(group: str) -> int:
    """How many legs a signal's group has: the number after its last slash."""
    number = group.rpartition("/")[2]
    return max(1, int(number)) if number.isdecimal() and number.isascii() else 1


def collect(exposure: Exposure, signal: Signal) -> tuple[Signal, ...]:
    """The signals to decide now: this one, all of its group when it is the last, none while others are to come."""
    count = legs_in(signal.group)
    if count == 1:
        return (signal,)
    key = f"{signal.strategy}|{signal.group}"
    waiting = [*exposure.waiting.pop(key, ()), signal]
    if len(waiting) < count:
        exposure.waiting[key] = waiting
        return ()
    return tuple(waiting)


def decide_together(legs: Sequence[Leg], exposure: Exposure, limits: Limits) -> list[Result]:
    """Decide the legs of one group, or one signal alone, as `decide` does: pure, raises nothing."""
    if len(legs) == 1:
        return [_decide(legs[0], exposure, limits)]
    trial, results = deepcopy(exposure), []
    for leg in legs:
        result = _decide(leg, trial, limits)
        results.append(result)
        if isinstance(result, AcceptedSignal) and leg.instrument is not None:
            reserve(trial, result, leg.instrument)
    lacking = next((one for one in map(_refusal, results) if one is not None), None)
    if lacking is None:
        return results
    return [_without_entry(leg.signal, one, lacking) for leg, one in zip(legs, results, strict=True)]


def _decide(leg: Leg, exposure: Exposure, limits: Limits) -> Result:
    return decide(leg.signal, exposure, limits, leg.market, leg.instrument, leg.own)


def _refusal(result: Result) -> DeniedSignal | None:
    """What of a leg was refused; nothing when its position is already what it asks for."""
    refused = result if isinstance(result, DeniedSignal) else result.rest
    return None if refused is None or refused.code == ReasonCode.NOTHING_TO_DO.value else refused


def _without_entry(signal: Signal, result: Result, lacking: DeniedSignal) -> Result:
    """The result with only what reduces."""
    if isinstance(result, DeniedSignal) or result.rest is not None or all(one.reduces for one in result.orders):
        return result
    message = f"{lacking.instrument}, of the same group, was denied: {lacking.message}"
    values = {"group": signal.group, "leg_denied": lacking.instrument, "leg_code": lacking.code}
    refusal = denied(ReasonCode.GROUP_INCOMPLETE, message, **values)
    reducing = tuple(one for one in result.orders if one.reduces)
    if not reducing:
        return denied_signal(signal, refusal)
    return replace(result, orders=reducing, rest=denied_signal(signal, refusal, is_rest=True))
