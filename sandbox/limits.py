"""Calls an account may make, counted in rolling windows of real time, as the broker counts them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import date
from enum import StrEnum

from sandbox.errors import Refused
from sandbox.rules import CallLimits

SECOND = 1.0
MINUTE = 60.0


class Budget(StrEnum):
    """Calls that are counted together."""

    ORDERS = "orders"
    QUOTES = "quotes"
    HISTORICAL = "historical"
    OTHERS = "others"


def budget_of(method: str, path: str) -> Budget:
    """Which budget a call belongs to. Reading the order book is one of the others."""
    if path.startswith("/orders/") and method != "GET":
        return Budget.ORDERS
    if path == "/quote" or path.startswith("/quote/"):
        return Budget.QUOTES
    return Budget.HISTORICAL if path.startswith("/instruments/historical/") else Budget.OTHERS


class _Window:
    """Calls of the last `seconds`: refused ones are counted, too."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._times: deque[float] = deque()

    def allows(self, now: float) -> bool:
        """Count a call."""
        times = self._times
        while times and now - times[0] >= self._seconds:
            times.popleft()
        times.append(now)
        return len(times) <= self._most


class Limits:
    """All budgets of one account. `monotonic` is real time in seconds; the day is the exchange's."""

    def __init__(self, limits: CallLimits, monotonic: Callable[[], float], today: Callable[[], date]) -> None:
        self.limits = limits
        self._monotonic = monotonic
        self._today = today
        self._windows = {
            Budget.ORDERS: [_Window(SECOND, limits.orders_per_second), _Window(MINUTE, limits.orders_per_minute)],
            Budget.QUOTES: [_Window(SECOND, limits.quotes_per_second)],
            Budget.HISTORICAL: [_Window(SECOND, limits.historical_per_second)],
            Budget.OTHERS: [_Window(SECOND, limits.others_per_second)],
        }
        self._day = today()
        self.orders_today = 0

    def check(self, budget: Budget) -> None:
        """Count a call. Raises Refused when it is one too many."""
        now = self._monotonic()
        allowed = [window.allows(now) for window in self._windows[budget]]  # every window counts it
        if budget is Budget.ORDERS:
            allowed.append(self.count_orders(1))
        if self.limits.enabled and not all(allowed):
            raise Refused(429, "NetworkException", "Too many requests")

    def count_orders(self, number: int) -> bool:
        """Count orders of the day, to which slices and legs beyond the first add. False: more than allowed."""
        if self._day != self._today():
            self._day, self.orders_today = self._today(), 0
        self.orders_today += number
        return self.orders_today <= self.limits.orders_per_day
