"""What people are told: a notice, its kind, and how it reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from trading.market.sessions import IST


class NoticeKind(StrEnum):
    """What a notice is about."""

    FILLS = "fills"
    DENIALS = "denials"
    HALTS = "halts"
    UNKNOWN = "unknown"
    DIFFERENCES = "differences"
    FEED = "feed"
    ALARMS = "alarms"
    LOSS = "loss"
    WORKERS = "workers"
    REPORT = "report"


MEANINGS = {
    NoticeKind.FILLS: "What was bought and sold, gathered for `fills_seconds`",
    NoticeKind.DENIALS: "Risk denies more than `denials_per_minute`, and when it no longer does",
    NoticeKind.HALTS: "Trading was halted, reduced or resumed, by whom and why",
    NoticeKind.UNKNOWN: "An order without an answer for `unknown_seconds`, and what became of it",
    NoticeKind.DIFFERENCES: "Differences from the broker that appeared, changed or are gone",
    NoticeKind.FEED: "No tick for `feed_silent_seconds` while the market is open, and when ticks come again",
    NoticeKind.ALARMS: "Exits given up, orders that contradict themselves, positions that need a person",
    NoticeKind.LOSS: "The day's loss has reached 80 %, and 100 %, of `max_daily_loss`",
    NoticeKind.WORKERS: "A worker keeps restarting or does not answer, and when it is well again",
    NoticeKind.REPORT: "The end-of-day report, `report_minutes` after the close",
}


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One message to people. `subject` is what it is about: an account, a scope, a worker.

    `state` is what the subject is in now: another one is told at once, the same one only after the quiet period. A
    notice with `once` is told once for ever, also after a restart. `at` is wall time in seconds.
    """

    kind: NoticeKind
    subject: str
    title: str
    lines: tuple[str, ...] = ()
    advice: str = ""
    at: float
    state: str = ""
    once: str = ""

    @property
    def text(self) -> str:
        """What follows the title: the lines, what to do next, and the time."""
        advice = [f"Next: {self.advice}"] if self.advice else []
        return "\n".join([*self.lines, *advice, clock_text(self.at)])


def clock_text(at: float) -> str:
    """A moment in IST: `20 Aug 10:23:04 IST`."""
    return datetime.fromtimestamp(at, IST).strftime("%d %b %H:%M:%S IST")
