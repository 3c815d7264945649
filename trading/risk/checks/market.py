"""Checks of the moment: trading state, session, feed, age, repeats."""

from __future__ import annotations

from models.messages.control import TradingState
from trading.market.sessions import Phase
from trading.risk.codes import ReasonCode
from trading.risk.exposure import accepted_key
from trading.risk.request import Denied, Request, denied


class TradingHalted:
    """Nothing new while trading is halted."""

    passes_exits = True

    def check(self, request: Request) -> Denied | None:
        """Refuse entries in state HALTED."""
        if request.market.trading_state is not TradingState.HALTED:
            return None
        return denied(ReasonCode.TRADING_HALTED, "Trading is halted")


class ReducingOnly:
    """Only orders that reduce while trading is winding down."""

    passes_exits = True

    def check(self, request: Request) -> Denied | None:
        """Refuse entries in state REDUCING."""
        if request.market.trading_state is not TradingState.REDUCING:
            return None
        message = f"Only orders that reduce are allowed; {request.side.value} {request.quantity} does not"
        return denied(ReasonCode.REDUCING_ONLY, message, projected=request.projected)


class MarketSession:
    """Orders only while the segment trades continuously."""

    passes_exits = False

    def check(self, request: Request) -> Denied | None:
        """Refuse outside the continuous phase."""
        if request.market.phase is Phase.CONTINUOUS:
            return None
        message = f"{request.instrument.segment} is {request.market.phase.value} at the signal's time"
        return denied(ReasonCode.MARKET_CLOSED, message, phase=request.market.phase.value)


class StaleFeed:
    """No entry on a tick that the feed's clock had already left behind."""

    passes_exits = True

    def check(self, request: Request) -> Denied | None:
        """Refuse when the tick was older than `stale_feed_seconds` by the feed's own clock."""
        origin = request.signal.origin
        age, most = origin.clock - origin.event_time, request.limits.stale_feed_seconds
        if age <= most:
            return None
        message = f"The tick was {age} s older than the feed's clock; the limit is {most} s"
        return denied(ReasonCode.STALE_FEED, message, age_seconds=age, limit=most)


class SignalAge:
    """No entry on a signal the market has left behind."""

    passes_exits = True

    def check(self, request: Request) -> Denied | None:
        """Refuse when the market's clock is more than `max_signal_age_seconds` past the signal's."""
        age, most = request.market.clock - request.signal.origin.clock, request.limits.max_signal_age_seconds
        if age <= most:
            return None
        message = f"The signal is {age} s old; the limit is {most} s"
        return denied(ReasonCode.SIGNAL_AGE, message, age_seconds=age, limit=most)


class DuplicateSignal:
    """Not the same side of the same instrument twice in a moment."""

    passes_exits = True

    def check(self, request: Request) -> Denied | None:
        """Refuse an entry within `duplicate_window_seconds` of the last accepted one, by event time."""
        key = accepted_key(request.signal.strategy, request.signal.instrument, request.side)
        last = request.exposure.last_accepted.get(key)
        window = request.limits.duplicate_window_seconds
        if last is None or abs(request.signal.origin.event_time - last) >= window:
            return None
        message = f"{request.signal.strategy} asked for {request.side.value} less than {window} s ago"
        return denied(ReasonCode.DUPLICATE_SIGNAL, message, last=last, window=window)
