from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from stack.ports import HOST
from stack.scrape import Samples, Scraper, Totals, parse, quantile

INF = float("inf")


def page(started: float, **samples: float) -> Samples:
    """A page with unlabelled samples of ours."""
    found: Samples = {(f"alpha_panda_{name}", ()): value for name, value in samples.items()}
    found["process_start_time_seconds", ()] = started
    return found


def test_parse_keeps_ours_and_the_start_of_the_process() -> None:
    text = (
        "# TYPE alpha_panda_signals counter\n"
        'alpha_panda_signals_total{strategy="rsi",broker="paper"} 3.0\n'
        "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 5.5\n"
        "# TYPE python_gc_objects_collected counter\npython_gc_objects_collected_total 9.0\n"
    )
    assert parse(text) == {
        ("alpha_panda_signals_total", (("broker", "paper"), ("strategy", "rsi"))): 3.0,
        ("process_start_time_seconds", ()): 5.5,
    }


def test_the_same_process_replaces_its_values() -> None:
    totals = Totals()
    totals.add("ledger", page(1.0, signals_total=3))
    totals.add("ledger", page(1.0, signals_total=5))
    assert totals.sum("signals_total") == 5


def test_counters_of_a_restarted_worker_are_added() -> None:
    totals = Totals()
    for started, value in ((1.0, 7), (2.0, 2), (2.0, 4), (3.0, 1)):
        totals.add("ledger", page(started, signals_total=value))
    assert totals.sum("signals_total") == 7 + 4 + 1


def test_gauges_of_a_restarted_worker_are_replaced() -> None:
    totals = Totals()
    totals.add("monitor", page(1.0, consumer_lag_messages=900))
    totals.add("monitor", page(2.0, consumer_lag_messages=3))
    assert totals.sum("consumer_lag_messages") == 3


def test_the_longest_latency_survives_a_restart() -> None:
    totals = Totals()
    totals.add("risk_manager.paper", page(1.0, tick_to_order_max_seconds=0.5))
    totals.add("risk_manager.paper", page(2.0, tick_to_order_max_seconds=0.3))
    totals.add("risk_manager.paper", page(3.0, tick_to_order_max_seconds=0.1))
    assert totals.highest("tick_to_order_max_seconds") == 0.5


def test_a_counter_the_new_process_has_not_touched_yet_is_kept() -> None:
    totals = Totals()
    totals.add("ledger", page(1.0, dead_letters_total=2))
    totals.add("ledger", page(2.0))
    assert totals.sum("dead_letters_total") == 2


@given(st.lists(st.lists(st.integers(0, 1000), min_size=1, max_size=5), min_size=1, max_size=5))
def test_a_total_is_the_sum_of_what_each_process_last_reached(lives: list[list[int]]) -> None:
    totals = Totals()
    for started, counts in enumerate(lives):
        for value in sorted(counts):  # a counter never falls while its process lives
            totals.add("ledger", page(float(started), signals_total=value))
    assert totals.sum("signals_total") == sum(max(counts) for counts in lives)


def labelled() -> Totals:
    totals = Totals()
    for broker, denied in (("paper", {"collar": 2, "halted": 1}), ("zerodha", {"collar": 4})):
        found: Samples = {("process_start_time_seconds", ()): 1.0}
        for code, value in denied.items():
            found["alpha_panda_signals_denied_total", (("broker", broker), ("code", code))] = value
        totals.add(f"risk_manager.{broker}", found)
    return totals


def test_sums_can_be_asked_by_label_and_by_worker() -> None:
    totals = labelled()
    assert totals.by("signals_denied_total", "code") == {"collar": 6, "halted": 1}
    assert totals.sum("signals_denied_total", broker="paper") == 3
    assert totals.sum("signals_denied_total", "risk_manager") == 7
    assert totals.sum("signals_denied_total", "ledger") == 0


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [
        (0.5, 10.0),  # 50 of 100: exactly the first bucket's edge
        (0.25, 5.0),  # half of the first bucket
        (0.9, 20.0),
        (0.99, 20.0),  # beyond the highest finite edge
    ],
)
def test_quantiles_are_interpolated_within_their_bucket(fraction: float, expected: float) -> None:
    assert quantile({10.0: 50, 20.0: 90, INF: 100}, fraction) == pytest.approx(expected)


def test_no_observation_has_no_quantile() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({10.0: 0, INF: 0}, 0.5) is None


@given(st.dictionaries(st.integers(1, 99), st.integers(0, 50), min_size=1), st.floats(0.01, 0.99))
def test_a_quantile_lies_within_the_finite_edges(counts: dict[int, int], fraction: float) -> None:
    cumulative, buckets = 0, {}
    for edge in sorted(counts):
        cumulative += counts[edge]
        buckets[float(edge)] = float(cumulative)
    buckets[INF] = float(cumulative + 1)
    found = quantile(buckets, fraction)
    assert found is not None
    assert 0 <= found <= max(counts)


def test_quantiles_are_taken_over_all_workers() -> None:
    totals = Totals()
    for worker, slow in (("risk_manager.paper", 0), ("risk_manager.zerodha", 10)):
        totals.add(
            worker,
            {
                ("alpha_panda_tick_to_order_seconds_bucket", (("le", "0.01"),)): 10,
                ("alpha_panda_tick_to_order_seconds_bucket", (("le", "0.1"),)): 10 + slow,
                ("alpha_panda_tick_to_order_seconds_bucket", (("le", "+Inf"),)): 10 + slow,
            },
        )
    assert totals.quantiles("tick_to_order_seconds", 2 / 3, 1.0) == [pytest.approx(0.01), pytest.approx(0.1)]


async def test_scraper_reads_pages_and_a_silent_worker_keeps_its_values() -> None:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text="# TYPE alpha_panda_signals counter\nalpha_panda_signals_total 3.0\n")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port = listener.getsockname()[1]
        await web.SockSite(runner, listener).start()
        scraper = Scraper({"ledger": port})
        await scraper.scrape()
        assert scraper.totals.sum("signals_total") == 3
        await runner.cleanup()
    await asyncio.gather(scraper.scrape(), scraper.scrape())
    assert scraper.totals.sum("signals_total") == 3
    await scraper.close()


async def test_a_page_that_is_none_keeps_the_values_too() -> None:
    answers = [(200, "alpha_panda_equity_rupees 5.0\n"), (404, "404: Not Found"), (200, "no metrics, but 3 words")]

    async def metrics(_: web.Request) -> web.Response:
        status, text = answers.pop(0)
        return web.Response(text=text, status=status)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    scraper = Scraper({"ledger": runner.addresses[0][1]})
    for _ in range(3):
        await scraper.scrape()
        assert scraper.totals.sum("equity_rupees") == 5
    await scraper.close()
    await runner.cleanup()
