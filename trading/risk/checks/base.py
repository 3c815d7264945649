"""The contract of a check."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from trading.risk.codes import ReasonCode
from trading.risk.limits import Limits
from trading.risk.request import Denied, Request, denied


class Check(ABC):
    """One rule. Pure: a refusal is a value.

    `limits` names the settable limits it compares with. `passes_exits` rules never stop an order that reduces.
    """

    code: ClassVar[ReasonCode]
    limits: ClassVar[tuple[str, ...]] = ()
    passes_exits: ClassVar[bool] = True

    @abstractmethod
    def check(self, request: Request) -> Denied | None:
        """Why the request is refused, None when this rule has nothing against it."""


def unusable(limits: Limits, check: Check) -> Denied:
    """The refusal of a check that needs a limit which is missing or no amount."""
    name = next(name for name in check.limits if name in limits.unusable)
    return denied(ReasonCode.LIMIT_UNUSABLE, f"Limit {limits.unusable[name]}", limit=name)
