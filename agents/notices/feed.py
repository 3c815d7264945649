"""The feed: no tick while the market is open."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from faust_app.runtime.notices import Notice, NoticeKind, clock_text
from models.messages.market import Marks

SUBJECT = "market feed"


class FeedWatch:
    """Hears marks. `is_open` says whether any segment trades, by a clock that goes on without the feed."""

    def __init__(self, seconds: float, is_open: Callable[[], bool], now: float) -> None:
        self._seconds = seconds
        self._is_open = is_open
        self._since = now  # of the silence: the last mark, or the market's opening
        self._heard = float("-inf")
        self._is_dead = False

    def hear(self, marks: Marks, now: float) -> None:
        """Marks without an instrument are no sign of life."""
        if not marks.marks:
            return
        self._heard = now
        if not self._is_dead:
            self._since = now

    def due(self, now: float, *, is_last: bool = False) -> Iterator[Notice]:
        """A notice when the feed has died, and when it is back; what ends with the market is not told."""
        if not self._is_open():
            self._since, self._is_dead = now, False
        elif self._is_dead and self._heard > self._since:
            silent, self._is_dead, self._since = self._heard - self._since, False, self._heard
            yield _back(silent, now)
        elif not self._is_dead and now - self._since >= self._seconds:
            self._is_dead = True
            yield _dead(self._since, now)


def _dead(since: float, now: float) -> Notice:
    return Notice(
        kind=NoticeKind.FEED,
        subject=SUBJECT,
        title=f"No tick for {now - since:.0f} s while the market is open",
        lines=(f"The last one came before {clock_text(since)}; nothing new is opened, exits pass",),
        advice="alpha-panda status; docs/runbooks/feed-is-silent.md",
        at=now,
        state="dead",
    )


def _back(silent: float, now: float) -> Notice:
    title = f"Ticks come again, after {silent:.0f} s"
    return Notice(kind=NoticeKind.FEED, subject=SUBJECT, title=title, at=now, state="alive")
