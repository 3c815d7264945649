from __future__ import annotations

from decimal import Decimal

from stack.scrape import Samples, Totals
from stack.summary import Effects, summarise

PROMISED = {
    "ticks_published", "ticks_processed", "signals", "signals_denied", "orders", "fills", "dead_letters",
    "duplicates_suppressed", "worker_restarts", "tick_to_order_ms", "lag_end", "pnl", "errors",
}  # fmt: skip


def totals_of(worker: str, **samples: float) -> Totals:
    totals = Totals()
    add(totals, worker, **samples)
    return totals


def add(totals: Totals, worker: str, **samples: float) -> None:
    found: Samples = {(f"alpha_panda_{name}", ()): value for name, value in samples.items()}
    totals.add(worker, found)


def test_every_promised_figure_is_there_even_when_nothing_happened() -> None:
    summary = summarise(Totals(), Effects(), restarts=0, seconds=1.0, lag_end=0)
    assert summary.keys() >= PROMISED
    assert summary["tick_to_order_ms"] == {"p50": None, "p99": None, "max": None}
    assert summary["signals_denied"] == {}
    assert summary["orders"] == 0


def test_effects_are_counted_from_the_audit_trail_where_a_retry_counts_once() -> None:
    totals = totals_of("strategy_runner", signals_total=99, orders_submitted_total=99, fills_total=99)
    effects = Effects({"signal.raised": 7, "order.submitted": 4, "order.filled": 3}, {"price_collar": 2})
    summary = summarise(totals, effects, restarts=1, seconds=2.0, lag_end=5)
    assert (summary["signals"], summary["orders"], summary["fills"]) == (7, 4, 3)
    assert summary["signals_denied"] == {"price_collar": 2}
    assert (summary["worker_restarts"], summary["lag_end"]) == (1, 5)


def test_ticks_processed_are_those_of_the_strategies_only() -> None:
    """The paper exchange reads every tick too."""
    totals = totals_of("strategy_runner", ticks_processed_total=10)
    add(totals, "trading_engine.paper", ticks_processed_total=10)
    add(totals, "market_feed", ticks_published_total=11)
    summary = summarise(totals, Effects(), restarts=0, seconds=1.0, lag_end=0)
    assert (summary["ticks_published"], summary["ticks_processed"]) == (11, 10)


def test_latency_is_in_milliseconds() -> None:
    totals = Totals()
    totals.add(
        "trading_engine.paper",
        {
            ("alpha_panda_tick_to_order_seconds_bucket", (("le", "0.01"),)): 100.0,
            ("alpha_panda_tick_to_order_seconds_bucket", (("le", "+Inf"),)): 100.0,
            ("alpha_panda_tick_to_order_max_seconds", ()): 0.0123,
        },
    )
    latency = summarise(totals, Effects(), restarts=0, seconds=1.0, lag_end=0)["tick_to_order_ms"]
    assert latency == {"p50": 5.0, "p99": 9.9, "max": 12.3}


def test_no_quantile_is_above_the_longest_seen() -> None:
    totals = Totals()
    totals.add(
        "trading_engine.paper",
        {
            ("alpha_panda_tick_to_order_seconds_bucket", (("le", "0.01"),)): 1.0,
            ("alpha_panda_tick_to_order_seconds_bucket", (("le", "+Inf"),)): 1.0,
            ("alpha_panda_tick_to_order_max_seconds", ()): 0.006,
        },
    )
    latency = summarise(totals, Effects(), restarts=0, seconds=1.0, lag_end=0)["tick_to_order_ms"]
    assert latency == {"p50": 5.0, "p99": 6.0, "max": 6.0}


def test_errors_are_added_over_their_kinds() -> None:
    totals = totals_of("strategy_runner", strategy_errors_total=2, send_errors_total=1)
    assert summarise(totals, Effects(), restarts=0, seconds=1.0, lag_end=0)["errors"] == 3


def test_money_is_shown_exactly() -> None:
    from stack.summary import _text

    assert _text(Decimal("1000000.1000")) == "1000000.1"
    assert _text(Decimal("1E+6")) == "1000000"
    assert _text("paper:main") == "paper:main"
