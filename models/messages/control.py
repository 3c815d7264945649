"""`control.events`: what an operator changed, by whom and why. Broadcast, never shared out."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from models.messages.validation import Checked, Count, Note, Text


class TradingState(StrEnum):
    """What may be sent."""

    ACTIVE = "active"
    REDUCING = "reducing"  # only orders that reduce
    HALTED = "halted"  # no entries; exits and cancels pass

    @property
    def severity(self) -> int:
        """Order of strictness: of several scopes the strictest counts."""
        return list(TradingState).index(self)


class TradingStateChanged(Checked, frozen=True, kw_only=True):
    """`control.trading_state`. `scope` is `all`, `broker:<name>` or `strategy:<instance>`; `revision` only rises.

    With `flatten` its positions are to be closed, too.
    """

    scope: Text
    state: TradingState
    revision: Count
    actor: Text
    reason: Note
    flatten: bool = False


class LimitChange(Checked, frozen=True, kw_only=True):
    """What an operator had set, and has now; None where nothing."""

    before: Note | None = None
    after: Note | None = None


class LimitsChanged(Checked, frozen=True, kw_only=True):
    """`control.limits`: what is set for `account`, or for one `strategy` there; readers load the limits again.

    `scope` names both in one text.
    """

    scope: Text
    account: Note = ""
    strategy: Note = ""
    changes: dict[str, LimitChange] = msgspec.field(default_factory=dict)
    actor: Text
    reason: Note


class StrategiesChanged(Checked, frozen=True, kw_only=True):
    """`control.strategies`: strategy instances changed; readers load them again."""

    strategies: tuple[str, ...]
    actor: Text
    reason: Note
