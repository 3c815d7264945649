"""What the checks of the surroundings make of answers: both sides of every boundary."""

from __future__ import annotations

from datetime import date
from email.utils import formatdate
from ipaddress import ip_address

import pytest

from agents.live.preflight.result import Outcome, Result
from agents.live.preflight.surroundings import (
    Moment,
    Way,
    judge_calendar,
    judge_clock,
    judge_egress,
    judge_instruments,
)
from brokers.errors import BrokerFailure
from brokers.zerodha.client import Greeting

KITE = "api.kite.trade"
OURS, OTHER, REMOTE = "11.22.33.44", "11.22.33.45", "104.18.0.1"
TODAY, YESTERDAY = date(2026, 8, 20), date(2026, 8, 19)
NOW = 1_787_200_000.0
P, F, S = Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED


def egress(local: str = OURS, remote: str = REMOTE, configured: str = "", bound: str = "", host: str = KITE) -> Result:
    way = Way(host, local, remote, is_kite=host == KITE)
    return judge_egress(way, ip_address(configured) if configured else None, ip_address(bound) if bound else None)


@pytest.mark.parametrize(
    ("found", "outcome", "words"),
    [
        (egress(configured=OURS), P, "Orders leave from 11.22.33.44, the registered address"),
        (egress("2606:4700::2", "2606:4700::1", "2606:4700:0::2"), P, "2606:4700::2, the registered address"),
        (egress(configured=OTHER), F, "would leave from 11.22.33.44; registered is 11.22.33.45"),
        (egress("2606:4700::2", "2606:4700::1", OURS), F, "would leave from 2606:4700::2; registered is 11.22.33.44"),
        (egress(), F, "kite.egress_address is not set; orders would leave from 11.22.33.44"),
        (egress("192.168.1.4"), F, "kite.egress_address is not set"),
        (egress("192.168.1.4", configured="192.168.1.4"), F, "192.168.1.4, which is no address of the internet"),
        (egress("192.168.1.4", configured=OURS), S, "behind address translation: what the world sees"),
        (egress("192.168.1.4", configured=OURS, bound="192.168.1.4"), P, "Orders are bound to 192.168.1.4"),
        (egress("192.168.1.4", configured=OURS, bound="192.168.1.4"), P, "it has to be 11.22.33.44"),
        (egress("127.0.0.1", "127.0.0.1", host="127.0.0.1"), P, "127.0.0.1 is this machine"),
        (egress("::1", "::1", host="localhost"), P, "localhost is this machine"),
        (egress("127.0.0.1", "127.0.0.1"), F, "kite.egress_address is not set"),
        (egress("10.0.0.2", "10.0.0.3", host="relay"), S, "relay is in a private network"),
        (egress("10.0.0.2", "10.0.0.3"), F, "is not set"),
        (egress(host="relay.example"), F, "is not set"),
        (egress("fe80::1%eth0", "fe80::2%eth0", host="relay"), S, "relay is in a private network"),
    ],
)
def test_the_egress_address(found: Result, outcome: Outcome, words: str) -> None:
    assert found.outcome is outcome
    assert words in found.sentence


@pytest.mark.parametrize(
    ("exchanges", "stored", "loaded", "words"),
    [
        ([], {"NSE": TODAY}, {"NSE": TODAY}, "No instruments are loaded"),
        (["NSE"], {"NSE": YESTERDAY}, {"NSE": YESTERDAY}, "The dump of 2026-08-20 is not loaded (NSE of 2026-08-19)"),
        (["NSE", "NFO"], {"NSE": TODAY}, {"NSE": TODAY, "NFO": TODAY}, "is not loaded (NFO of no day)"),
        (["NSE"], {"NSE": TODAY}, {"NSE": YESTERDAY}, "uses older instruments (NSE of 2026-08-19): restart"),
        (["NSE"], {"NSE": TODAY}, {}, "uses older instruments (NSE of no day)"),
        (["NSE"], {"NSE": date(2026, 8, 21)}, {"NSE": TODAY}, "is not loaded"),
    ],
)
def test_instruments_that_are_not_of_today_fail(
    exchanges: list[str], stored: dict[str, date], loaded: dict[str, date], words: str
) -> None:
    found = judge_instruments(exchanges, stored, loaded, TODAY)
    assert found.outcome is F
    assert words in found.sentence


def test_only_exchanges_that_are_subscribed_to_need_todays_instruments() -> None:
    days = {"NSE": TODAY, "NFO": TODAY, "MCX": YESTERDAY}
    found = judge_instruments(["NFO", "NSE"], days, days, TODAY)
    assert (found.outcome, found.sentence) == (P, "The dump of 2026-08-20 is loaded for NFO, NSE")


@pytest.mark.parametrize(
    ("day", "exchanges", "outcome", "words"),
    [
        (TODAY, ["NSE", "BSE"], P, "2026-08-20 is a regular trading day on BSE, NSE"),
        (date(2026, 8, 22), ["NSE"], P, "a Saturday: nothing trades"),
        (date(2026, 10, 2), ["NSE"], P, "a holiday, "),
        (date(2026, 2, 1), ["NSE"], P, "a special session, "),
        (TODAY, ["NSE", "MCX"], F, "The calendar knows no sessions of MCX"),
        (date(2031, 1, 1), ["NSE"], F, "2031-01-01 is not confirmed for live trading"),
        (TODAY, [], F, "No instruments"),
    ],
)
def test_the_calendar(day: date, exchanges: list[str], outcome: Outcome, words: str) -> None:
    found = judge_calendar(day, exchanges)
    assert found.outcome is outcome
    assert words in found.sentence


def clock(
    ahead: float, took: float = 0.2, *, jump: float = 0.0, header: str | None = None, user: object = None
) -> Result:
    """Our clock is ahead of a broker that answered in the middle of its second."""
    theirs = NOW + 0.5
    asked = theirs + ahead - took / 2
    date_header = formatdate(NOW, usegmt=True) if header is None else header
    greeting = Greeting(user or {}, date_header, asked, asked + took)  # type: ignore[arg-type]
    return judge_clock(greeting, Moment(NOW + 60 + jump, 160.0), Moment(NOW, 100.0), 2.0)


@pytest.mark.parametrize(
    ("found", "outcome", "words"),
    [
        (clock(0), P, "The wall clock is -0.6 to +0.6 s from the broker's"),
        (clock(2.4), P, "+1.8 to +3.0"),
        (clock(2.7), F, "2.1 s ahead of the broker's or more, the limit is 2 s"),
        (clock(-2.4), P, "-3.0 to -1.8"),
        (clock(-2.7), F, "2.1 s behind the broker's or more"),
        (clock(3600), F, "ahead of"),
        (clock(0, took=2.9), P, "from the broker's"),
        (clock(0, took=3.2), S, "the broker's answer took 3.2 s"),
        (clock(60, took=3.2), F, "ahead of"),
        (clock(0, jump=2.0), P, "from the broker's"),
        (clock(0, jump=2.1), F, "The wall clock was set by +2.1 s, the limit is 2 s"),
        (clock(0, jump=-2.1), F, "was set by -2.1 s"),
        (clock(0, header=""), F, "the broker's answer has no date"),
        (clock(0, header="soon"), F, "the broker's answer has no date"),
        (clock(0, header="", user=BrokerFailure("away")), S, "the broker does not answer"),
        (clock(0, user=BrokerFailure("refused")), P, "from the broker's"),
    ],
)
def test_the_clock(found: Result, outcome: Outcome, words: str) -> None:
    assert words in found.sentence
    assert found.outcome is outcome
