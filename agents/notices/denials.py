"""Denials: told when risk denies more than so many a minute, not one by one."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from agents.notices.words import count
from faust_app.runtime.notices import Notice, NoticeKind
from models.messages.signals import DeniedSignal

WINDOW_SECONDS = 60.0


@dataclass
class _Account:
    denied: deque[tuple[float, str]] = field(default_factory=deque)  # when, and the reason's code
    is_above: bool = False


class DenialsWatch:
    """Counts the denials of each account over the last minute; over half of the limit it stays above."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._accounts: dict[str, _Account] = defaultdict(_Account)

    def hear(self, denied: DeniedSignal, at: float) -> None:
        """A denial; `at` is when Kafka got it."""
        self._accounts[denied.account].denied.append((at, denied.code))

    def due(self, now: float, *, is_last: bool = False) -> Iterator[Notice]:
        """A notice for each account that has come above, or back below."""
        for name, account in self._accounts.items():
            while account.denied and now - account.denied[0][0] > WINDOW_SECONDS:
                account.denied.popleft()
            found = len(account.denied)
            if not account.is_above and found > self._most:
                account.is_above = True
                yield _above(name, account, self._most, now)
            elif account.is_above and 2 * found <= self._most:
                account.is_above = False
                yield _below(name, found, now)


def _above(name: str, account: _Account, most: int, now: float) -> Notice:
    codes = Counter(code for _, code in account.denied).most_common()
    return Notice(
        kind=NoticeKind.DENIALS,
        subject=name,
        title=f"{name}: {count(len(account.denied), 'denial')} in a minute, more than {most}",
        lines=tuple(f"{code}: {number}" for code, number in codes),
        advice=f"docs/reason_codes.md explains the codes; alpha-panda limits show --account {name}",
        at=now,
        state="above",
    )


def _below(name: str, found: int, now: float) -> Notice:
    title = f"{name}: denials are few again, {found} in the last minute"
    return Notice(kind=NoticeKind.DENIALS, subject=name, title=title, at=now, state="below")
