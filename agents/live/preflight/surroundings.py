"""The checks of what surrounds an account: egress address, instruments, calendar, clock. Pure; they raise nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv6Address, ip_address

import msgspec

from agents.live.preflight.result import Check, Result, failed, passed, skipped
from brokers.errors import BrokerFailure
from brokers.zerodha.client import Greeting
from trading.market.sessions import DayKind, day_kind, live_refusal

Address = IPv4Address | IPv6Address
LOAD = "run `alpha-panda instruments load --broker zerodha`"
SECOND = 1.0  # what the broker's Date is told in


class Way(msgspec.Struct, frozen=True):
    """How calls leave: the server's name, and the local and remote address of a connection to it."""

    host: str
    local: str
    remote: str
    is_kite: bool


class Moment(msgspec.Struct, frozen=True):
    """One moment by two clocks: the wall's, and one that goes on while the machine sleeps and never jumps."""

    wall: float
    awake: float


def judge_egress(way: Way, configured: Address | None, bound: Address | None) -> Result:
    """Orders leave from the registered address, as far as this machine can see."""
    local, remote = (ip_address(one.partition("%")[0]) for one in (way.local, way.remote))
    if remote.is_loopback and not way.is_kite:
        return passed(Check.EGRESS, f"{way.host} is this machine: no registered address is needed")
    if configured is None and not remote.is_global and not way.is_kite:
        return skipped(Check.EGRESS, f"{way.host} is in a private network: what it passes on leaves from elsewhere")
    if configured is None:
        return failed(Check.EGRESS, f"kite.egress_address is not set; orders would leave from {local}")
    if not configured.is_global:
        return failed(Check.EGRESS, f"kite.egress_address is {configured}, which is no address of the internet")
    if local == configured:
        return passed(Check.EGRESS, f"Orders leave from {local}, the registered address")
    if local.is_global:
        return failed(Check.EGRESS, f"Orders would leave from {local}; registered is {configured}")
    unseen = f"what the world sees instead could not be checked, it has to be {configured}"
    if bound is None:
        return skipped(Check.EGRESS, f"Orders leave from {local} behind address translation: {unseen}")
    return passed(Check.EGRESS, f"Orders are bound to {local} behind address translation: {unseen}")


def judge_instruments(
    exchanges: Collection[str], stored: Mapping[str, date], loaded: Mapping[str, date], today: date
) -> Result:
    """Today's dump is stored, and in use, for every exchange with subscribed instruments. Days are by exchange."""
    if not exchanges:
        return failed(Check.INSTRUMENTS, f"No instruments are loaded: {LOAD}")
    old = sorted(one for one in exchanges if stored.get(one) != today)
    if old:
        days = ", ".join(f"{one} of {stored.get(one, 'no day')}" for one in old)
        return failed(Check.INSTRUMENTS, f"The dump of {today} is not loaded ({days}): {LOAD}")
    unused = sorted(one for one in exchanges if loaded.get(one) != today)
    if unused:
        days = ", ".join(f"{one} of {loaded.get(one, 'no day')}" for one in unused)
        return failed(Check.INSTRUMENTS, f"This worker uses older instruments ({days}): restart the workers")
    return passed(Check.INSTRUMENTS, f"The dump of {today} is loaded for {', '.join(sorted(exchanges))}")


def judge_calendar(today: date, exchanges: Collection[str]) -> Result:
    """The day is confirmed on every exchange with subscribed instruments. A holiday is: nothing trades on it."""
    refusals = [refusal for one in sorted(exchanges) if (refusal := live_refusal(today, one)) is not None]
    if refusals or not exchanges:
        return failed(Check.CALENDAR, "; ".join(dict.fromkeys(refusals)) or "No instruments, so no exchange to look up")
    kind, name = day_kind(today)
    day = {
        DayKind.REGULAR: "a regular trading day",
        DayKind.SPECIAL: f"a special session, {name}",
        DayKind.HOLIDAY: f"a holiday, {name}: nothing trades",
        DayKind.WEEKEND: f"a {name}: nothing trades",
    }[kind]
    return passed(Check.CALENDAR, f"{today} is {day} on {', '.join(sorted(exchanges))}")


def judge_clock(greeting: Greeting, now: Moment, before: Moment, tolerance: float) -> Result:
    """The wall clock agrees with the broker's, and has gone on since `before` like a clock that cannot be set."""
    jump = (now.wall - before.wall) - (now.awake - before.awake)
    if abs(jump) > tolerance:
        return failed(Check.CLOCK, f"The wall clock was set by {jump:+.1f} s, the limit is {tolerance:g} s")
    theirs = _second_of(greeting.date)
    if theirs is None and isinstance(greeting.user, BrokerFailure):
        return skipped(Check.CLOCK, "Not compared: the broker does not answer")
    if theirs is None:
        return failed(Check.CLOCK, "Not compared: the broker's answer has no date")
    least, most = greeting.asked_at - (theirs + SECOND), greeting.answered_at - theirs  # how far it is ahead
    if most < -tolerance or least > tolerance:
        told = f"{abs(least if least > 0 else most):.1f} s {'ahead of' if least > 0 else 'behind'} the broker's"
        return failed(
            Check.CLOCK, f"The wall clock is {told} or more, the limit is {tolerance:g} s: set it by a time server"
        )
    if most - least > 2 * tolerance:
        return skipped(Check.CLOCK, f"Not compared: the broker's answer took {most - least - SECOND:.1f} s")
    return passed(Check.CLOCK, f"The wall clock is {least:+.1f} to {most:+.1f} s from the broker's")


def clock_skew(greeting: Greeting) -> float | None:
    """Seconds this machine is ahead of the broker, the middle of what is possible; None when nobody can say."""
    theirs = _second_of(greeting.date)
    return None if theirs is None else (greeting.asked_at + greeting.answered_at) / 2 - (theirs + SECOND / 2)


def _second_of(header: str) -> float | None:
    try:
        found = parsedate_to_datetime(header)
    except (ValueError, TypeError):
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
