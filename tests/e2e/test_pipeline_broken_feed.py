"""The feed's socket freezes half-open, and then lives without ticks, while the pipeline trades."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.running_stack import RunningStack, metrics, reasons, total, wait_for

ALERT_SECONDS = 10.0
QUIET_SECONDS = 4.0


@pytest.fixture
def ports(stack: RunningStack) -> dict[str, int]:
    """Pages of all workers, every one of them ready."""
    wait_for(stack.all_ready, "readiness of all workers", 120)
    return stack.ports()


def ask(stack: RunningStack, method: str, path: str, body: Any = None) -> Any:
    """The exchange's operator endpoints."""
    call = urllib.request.Request(
        f"http://127.0.0.1:{stack.settings().stack.sandbox_port}/sandbox{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(call, timeout=10) as answer:
        return json.load(answer)["data"]


@contextmanager
def broken(stack: RunningStack, kind: str, **settings: Any) -> Iterator[float]:
    """With a fault of the exchange; since when."""
    number = ask(stack, "POST", "/faults", {"kind": kind, **settings})["id"]
    try:
        yield time.monotonic()
    finally:
        ask(stack, "DELETE", f"/faults/{number}")


def replaced(port: int) -> float:
    """How often a silent socket was replaced."""
    name, labels = "alpha_panda_feed_connections_total", (("cause", "silent"),)
    return sum(value for (found, having), value in metrics(port).items() if found == name and tuple(having) == labels)


def ticks(ports: dict[str, int]) -> float:
    return total(metrics(ports["market_feed"]), "ticks_received_total")


def orders(ports: dict[str, int]) -> float:
    return total(metrics(ports["trading_engine.paper"]), "orders_submitted_total")


def test_a_frozen_socket_is_replaced_within_ten_seconds(stack: RunningStack, ports: dict[str, int]) -> None:
    port, before = ports["market_feed"], replaced(ports["market_feed"])
    with broken(stack, "frozen_socket", count=1) as since:
        wait_for(lambda: replaced(port) > before, "the replacement", ALERT_SECONDS)
        seen = ticks(ports)
        wait_for(lambda: ticks(ports) > seen, "ticks of the new socket", ALERT_SECONDS)
        took = time.monotonic() - since
    print(f"ticks again after {took:.1f} s")
    assert took < ALERT_SECONDS
    wait_for(lambda: not reasons(port), "readiness afterwards", ALERT_SECONDS)


def test_heartbeats_without_ticks_are_told_within_ten_seconds_and_nothing_is_entered(
    stack: RunningStack, ports: dict[str, int]
) -> None:
    port = ports["market_feed"]
    with broken(stack, "heartbeats_only") as since:
        wait_for(lambda: "ticks" in reasons(port), "the feed's complaint", ALERT_SECONDS)
        took = time.monotonic() - since
        print(f"told after {took:.1f} s: {reasons(port)}")
        assert took < ALERT_SECONDS
        assert "socket" not in reasons(port), "the connection itself lives"
        before, entered = ticks(ports), orders(ports)
        until = time.monotonic() + QUIET_SECONDS
        wait_for(lambda: time.monotonic() > until, "some more silence")
        assert (ticks(ports), orders(ports)) == (before, entered)
    wait_for(lambda: not reasons(port), "readiness afterwards", ALERT_SECONDS)
    wait_for(lambda: orders(ports) > entered, "orders again", 30)
