"""Trading states: a scope was halted, reduced or resumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from faust_app.runtime.notices import Notice, NoticeKind
from faust_app.runtime.redis_keys import ALL
from faust_app.runtime.trading_state import ScopeState
from models.messages.control import TradingState, TradingStateChanged

SAID = {
    TradingState.ACTIVE: "trades again",
    TradingState.REDUCING: "is reducing: only orders that reduce a position pass",
    TradingState.HALTED: "is HALTED: no entries, exits pass",
}


class HaltsWatch:
    """Hears of a change from `control.events`, and looks at Redis: there a change counts also while Kafka is away."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}  # newest revision told of, by scope
        self._has_looked = False
        self._waiting: list[Notice] = []

    def hear(self, changed: TradingStateChanged, at: float) -> None:
        """An operator's change."""
        flatten = changed.flatten
        state = ScopeState(changed.state, changed.revision, changed.actor, changed.reason, flatten)
        self._take(changed.scope, state, at)

    def look(self, states: Mapping[str, ScopeState], at: float) -> None:
        """The states in Redis. What the first look finds was there before, and is not told."""
        for scope, state in states.items():
            if self._has_looked:
                self._take(scope, state, at)
            else:
                self._known[scope] = max(state.revision, self._known.get(scope, 0))
        self._has_looked = True

    def _take(self, scope: str, state: ScopeState, at: float) -> None:
        if state.revision > self._known.get(scope, 0):
            self._known[scope] = state.revision
            self._waiting.append(_notice(scope, state, at))

    def due(self, now: float, *, is_last: bool = False) -> Iterator[Notice]:
        """What has changed."""
        waiting, self._waiting = self._waiting, []
        yield from waiting


def _notice(scope: str, state: ScopeState, at: float) -> Notice:
    who = "everything" if scope == ALL else scope.replace(":", " ")
    what = "is being closed: orders are cancelled, positions left" if state.flatten else SAID[state.state]
    return Notice(
        kind=NoticeKind.HALTS,
        subject=scope,
        title=f"{who} {what}",
        lines=(f"By {state.actor}: {state.reason or 'no reason given'} (revision {state.revision})",),
        advice=_advice(scope, state),
        at=at,
        state=f"{state.state.value}{'+flatten' if state.flatten else ''}",
    )


def _advice(scope: str, state: ScopeState) -> str:
    if state.state is TradingState.ACTIVE:
        return ""
    kind, _, name = scope.partition(":")
    resume = "alpha-panda resume" + (f" --{kind} {name}" if name else "")
    return f"docs/runbooks/flatten.md; then {resume}" if state.flatten else f"when it may trade again, {resume}"
