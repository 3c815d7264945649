"""Checks of the moment: session, square-off, feed, repeats, age."""

from __future__ import annotations

from models.messages.orders import Product
from trading.market.sessions import Phase
from trading.risk.checks.base import Check, unusable
from trading.risk.codes import ReasonCode
from trading.risk.exposure import accepted_key
from trading.risk.request import Denied, Request, denied


class MarketSession(Check):
    """Orders only while the instrument trades continuously."""

    code = ReasonCode.MARKET_CLOSED
    passes_exits = False

    def check(self, request: Request) -> Denied | None:
        """Refuse outside the continuous phase."""
        phase = request.market.phase
        if phase is Phase.CONTINUOUS:
            return None
        message = f"{request.instrument.segment} is {phase.value} at the signal's time"
        return denied(self.code, message, phase=phase.value)


class SquareOff(Check):
    """Once intraday positions are being closed, none is opened, and no exit rests in the way of closing one."""

    code = ReasonCode.SQUARE_OFF
    passes_exits = False

    def check(self, request: Request) -> Denied | None:
        """Refuse from the square-off time on what is MIS, but for exits at the market."""
        until, clock = request.market.square_off, request.market.clock
        if request.signal.product is not Product.MIS or until is None or clock < until:
            return None
        if request.reduces and request.limit_price is None and request.trigger_price is None:
            return None
        return denied(self.code, "Intraday positions are being closed, at the market", clock=clock, square_off=until)


class StaleFeed(Check):
    """No entry on a tick that the feed's clock had already left behind."""

    code = ReasonCode.STALE_FEED
    limits = ("stale_feed_seconds",)

    def check(self, request: Request) -> Denied | None:
        """Refuse when the tick was older than `stale_feed_seconds` by the feed's own clock."""
        origin, most = request.signal.origin, request.limits.stale_feed_seconds
        if not most:
            return unusable(request.limits, self)
        age = origin.clock - origin.event_time
        if age <= most:
            return None
        message = f"The tick was {age} s older than the feed's clock; the limit is {most} s"
        return denied(self.code, message, age_seconds=age, limit=most)


class DuplicateSignal(Check):
    """Not the same side of the same instrument twice in a moment."""

    code = ReasonCode.DUPLICATE_SIGNAL
    limits = ("duplicate_window_seconds",)

    def check(self, request: Request) -> Denied | None:
        """Refuse an entry within `duplicate_window_seconds` of the last accepted one, by event time."""
        signal, window = request.signal, request.limits.duplicate_window_seconds
        if not window:
            return unusable(request.limits, self)
        last = request.exposure.last_accepted.get(accepted_key(signal.strategy, signal.instrument, request.side))
        if last is None or abs(signal.origin.event_time - last) >= window:
            return None
        message = f"{signal.strategy} asked for {request.side.value} less than {window} s ago"
        return denied(self.code, message, last=last, limit=window)


class SignalAge(Check):
    """No entry on a signal the market has left behind."""

    code = ReasonCode.SIGNAL_AGE
    limits = ("max_signal_age_seconds",)

    def check(self, request: Request) -> Denied | None:
        """Refuse when the market's clock is more than `max_signal_age_seconds` past the signal's."""
        most = request.limits.max_signal_age_seconds
        if not most:
            return unusable(request.limits, self)
        age = request.market.clock - request.signal.origin.clock
        if age <= most:
            return None
        return denied(self.code, f"The signal is {age} s old; the limit is {most} s", age_seconds=age, limit=most)
