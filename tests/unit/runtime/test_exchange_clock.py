"""The second at the exchange while nobody says it."""

from __future__ import annotations

from faust_app.runtime.exchange_clock import ExchangeClock, exchange_clock
from tests.unit.runtime.configurations import configured, with_live

WALL = 1_790_000_000


class Wall:
    def __init__(self) -> None:
        self.second = float(WALL)

    def __call__(self) -> float:
        return self.second


def test_a_simulated_market_stands_still_with_its_feed() -> None:
    wall = Wall()
    clock = exchange_clock(configured(), "paper", wall)
    assert clock.second == 0
    clock.hear(100)
    wall.second += 50
    assert (clock.second, clock.silent_seconds) == (100, 50)


def test_kite_goes_by_the_wall_clock_whatever_the_feed_says() -> None:
    wall = Wall()
    clock = exchange_clock(with_live(configured()), "zerodha", wall)
    clock.hear(WALL - 86_400)  # the stale tick of a subscription
    assert clock.is_known
    wall.second += 2.9
    assert clock.second == WALL + 2


def test_a_sandbox_goes_on_from_what_it_last_said() -> None:
    wall = Wall()
    clock = exchange_clock(with_live(configured(kite={"root": "http://127.0.0.1:1"})), "zerodha", wall)
    assert (clock.second, clock.is_known) == (WALL, False)
    clock.hear(100)
    wall.second += 2.5
    assert (clock.second, clock.seconds(), clock.is_known) == (102, 102.5, True)
    assert clock.wall() == WALL + 2.5


def test_a_clock_that_was_never_heard_is_silent() -> None:
    assert ExchangeClock(is_simulated=False, is_sandbox=False, now=Wall()).silent_seconds == float("inf")
