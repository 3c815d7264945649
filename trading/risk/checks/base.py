"""The contract of a check."""

from __future__ import annotations

from typing import Protocol

from trading.risk.request import Denied, Request


class Check(Protocol):
    """One rule. Pure, raises nothing: a refusal is a value. `passes_exits` rules never stop a reducing order."""

    passes_exits: bool

    def check(self, request: Request) -> Denied | None:
        """Why the request is refused, None when this rule has nothing against it."""
