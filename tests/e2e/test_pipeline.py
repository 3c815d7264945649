"""The pipeline on the real stack. Tests run in the order they are written; `test_pipeline_end.py` ends the trading."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from faust_app.runtime.codec import decode_frame
from faust_app.runtime.topology import consumed_topics, workers
from models.rows.audit import AuditRow
from tests.e2e.books import BROKERS, FAMILIES, rows
from tests.e2e.garbage import GARBAGE, newer, send, spoiled
from tests.running_stack import GARBAGE_KEY, RunningStack, metrics, run, total, wait_for


def by_id(stack: RunningStack, broker: str) -> dict[str, dict[str, Any]]:
    """Every message of a broker's topics by id, read from Kafka."""
    return {one["id"]: one for family in FAMILIES for one in stack.envelopes(f"{broker}.{family}")}


def origin_of(letter: Any) -> tuple[bytes, bytes]:
    """Partition and offset of the message a dead letter is of."""
    headers = dict(letter.headers)
    return headers["origin-partition"], headers["origin-offset"]


def test_demo_market_gives_signals_denials_orders_fills_and_snapshots(stack: RunningStack) -> None:
    def seen() -> bool:
        found = {family: len(stack.messages(f"paper.{family}")) for family in FAMILIES}
        return all(found.values()) and found["orders.filled"] >= 50

    assert wait_for(seen, "a message of every kind", 60)


def test_chain_from_a_tick_to_a_fill_and_a_snapshot(stack: RunningStack) -> None:
    messages = by_id(stack, "paper")
    snapshot = next(
        one for one in messages.values() if one["type"] == "portfolio.snapshot" and one["data"]["cause"] == "fill"
    )
    chain = [snapshot]
    while chain[-1]["causation_id"] in messages:
        chain.append(messages[chain[-1]["causation_id"]])
    assert [one["type"] for one in chain] == [
        "portfolio.snapshot",
        "order.filled",
        "order.update",
        "order.submitted",
        "signal.accepted",
        "signal.raised",
    ]
    frames = {frame.id: frame for frame in (decode_frame(one.value) for one in stack.messages("market.ticks"))}
    raised = chain[-1]
    frame, origin = frames[raised["causation_id"]], raised["data"]["origin"]
    tick = next(
        one
        for one in frame.ticks
        if one.sequence == origin["tick_sequence"] and one.instrument_token == origin["instrument_token"]
    )
    assert tick.last_price == Decimal(origin["price"])
    assert {one["correlation_id"] for one in chain} == {frame.id}

    def audited() -> dict[str, Any]:
        ids = [one["id"] for one in chain]
        found = run(rows(stack.settings(), select(AuditRow.__table__).where(AuditRow.event_id.in_(ids))))
        return {row.event_id: row for row in found} if len(found) == len(chain) else {}

    recorded = wait_for(audited, "the chain in PostgreSQL")
    for one in chain:
        row = recorded[one["id"]]
        assert (row.type, row.causation_id, row.correlation_id, row.data) == (
            one["type"], one["causation_id"], one["correlation_id"], one["data"],
        )  # fmt: skip
    traced = stack.json("trace", chain[1]["id"])
    assert [one["id"] for one in reversed(chain)] == [row["event_id"] for row in traced if row["event_id"] in recorded]


def test_account_identity_holds_to_the_paisa_in_every_snapshot(stack: RunningStack) -> None:
    for broker in BROKERS:
        snapshots = stack.envelopes(f"{broker}.pnl.snapshots")
        assert snapshots
        for one in snapshots:
            data = {
                name: Decimal(value)
                for name, value in one["data"].items()
                if isinstance(value, str) and name not in ("account", "cause")
            }
            worth = data["cash"] + data["position_value"]
            assert worth == data["start_cash"] + data["realised"] + data["unrealised"] - data["charges"]
            assert worth == data["equity"]


def test_nothing_of_one_broker_is_on_the_others_topics(stack: RunningStack) -> None:
    for broker, other in (BROKERS, BROKERS[::-1]):
        for family in FAMILIES:
            for message in stack.messages(f"{broker}.{family}"):
                assert msgspec.json.decode(message.value)["broker"] == broker
                assert f"{other}:main".encode() not in message.value


def test_every_worker_came_back_from_every_failpoint(stack: RunningStack, markers: Path) -> None:
    """`written` and `sent` lie between the table write, the sends and the commit."""
    wanted = {
        f"{stage.name}.{broker or 'shared'}-{point}"
        for stage, broker in workers(stack.settings())
        if stage.consumes
        for point in ("decided", "written", "sent")
    }
    wait_for(lambda: wanted <= {one.name for one in markers.iterdir()}, "every failpoint", 120)
    wait_for(stack.all_ready, "readiness of all workers", 60)
    assert len(stack.workers()) == 2 * 3 + 4


def test_garbage_on_any_topic_ends_in_its_dead_letters(stack: RunningStack) -> None:
    """It is enough garbage to trip the brakes: workers start again meanwhile, so a letter may come twice."""
    settings = stack.settings()
    readers: Counter[str] = Counter()
    for stage, broker in workers(settings):
        readers.update(consumed_topics(settings, stage, broker))
    rng = random.Random(11)
    sent: dict[str, list[bytes]] = {}
    for topic in readers:
        values = [*GARBAGE, rng.randbytes(200)]
        known = stack.messages(topic)
        if known and topic != "market.ticks":
            values += [newer(known[0].value), *spoiled(known[0].value)]
        sent[topic] = values
        run(send(settings, topic, values))
    for topic, values in sent.items():
        expected = len(values) * readers[topic]
        wait_for(
            lambda topic=topic, expected=expected: len(stack.messages(f"{topic}.dlq")) >= expected,
            f"{expected} letters on {topic}.dlq",
            90,
        )
        letters = stack.messages(f"{topic}.dlq")
        assert Counter(letter.value or b"" for letter in letters) >= Counter(values * readers[topic])
        origins = {origin_of(letter): letter.value or b"" for letter in letters}
        assert Counter(origins.values()) == Counter(values)
        for letter in letters:
            headers = dict(letter.headers)
            assert headers["origin-topic"].decode() == topic
            assert headers["reason"] in (b"decode", b"version", b"handler")
            assert letter.key == GARBAGE_KEY
        if known_newer := [one for one in values if b'"version": 2' in one]:
            assert {dict(one.headers)["reason"] for one in letters if one.value in known_newer} == {b"version"}
    wait_for(stack.all_ready, "readiness of all workers", 60)


def test_dead_letters_are_listed_shown_and_sent_again_once(stack: RunningStack) -> None:
    """Of a topic that one worker reads: each letter comes back once."""
    topic, origin = "zerodha.orders.ack.dlq", "zerodha.orders.ack"
    listed = {row["topic"]: row for row in stack.json("dlq", "list")}
    shown = stack.json("dlq", "show", topic)
    assert len(shown) == listed[topic]["messages"]
    assert shown[0]["origin"].startswith(f"{origin}/0/")
    again = f"{len(shown)} messages sent again\n"
    assert stack.command("dlq", "replay", topic, "--all", "--yes").stdout == again
    wait_for(lambda: len(stack.messages(topic)) == 2 * len(shown), "the letters' return", 30)
    assert [row["replayed"] for row in stack.json("dlq", "show", topic, "--limit", "100")] == [True] * len(shown) + [
        False
    ] * len(shown)
    assert stack.command("dlq", "replay", topic, "--all", "--yes").stdout == again  # only those that have come back
    headers = [dict(one.headers) for one in stack.messages(origin)]
    sent = Counter(one["replayed-from"] for one in headers if "replayed-from" in one)
    assert len(sent) == 2 * len(shown)
    assert set(sent.values()) == {1}
    assert "did you mean" in stack.command("topics", "tail", "paper.order.filled", code=2).stderr
    assert (
        "holds no message at offset 99999"
        in stack.command("dlq", "replay", topic, "--offset", "99999", "--yes", code=2).stderr
    )


@pytest.mark.parametrize(
    "worker",
    [
        "market_feed",
        "strategy_runner",
        "risk_manager.paper",
        "trading_engine.paper",
        "portfolio_manager.paper",
        "ledger",
        "monitor",
    ],
)
def test_killed_worker_comes_back_and_goes_on(stack: RunningStack, worker: str, record_property: Any) -> None:
    port = stack.ports()[worker]
    pid = stack.worker_pid(worker)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: stack.worker_pid(worker) not in (None, pid), "the restart", 20)
    restarted = time.monotonic()
    progress = {"market_feed": "ticks_published_total", "monitor": "consumer_lag_messages"}.get(
        worker, "messages_handled_total"
    )
    wait_for(
        lambda: (progress == "consumer_lag_messages" and metrics(port)) or total(metrics(port), progress) > 0,
        "the first event",
        30,
    )
    seconds = time.monotonic() - restarted
    record_property("first_event_seconds", round(seconds, 2))
    print(f"{worker}: first event {seconds:.2f} s after the restart")
    wait_for(lambda: stack.is_ready(worker), "readiness", 30)


def test_tables_can_be_read_beside_the_running_worker(stack: RunningStack) -> None:
    import subprocess
    import sys

    from faust_app.runtime.settings import PROJECT

    environment = {**stack.environment, "ALPHA_PANDA_BROKER": "paper"}
    command = [sys.executable, "-m", "faust", "-A", "faust_app.workers.portfolio_manager", "inspect", "portfolios"]

    def inspect(*more: str) -> Any:
        return subprocess.run(
            [*command, *more], cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    found = json.loads(inspect("--json").stdout)
    assert [row["key"] for row in found] == ["paper:main"]
    assert Decimal(found[0]["state"]["cash"]) != 0
    assert "paper:main" in inspect("paper:main").stdout
    wrong = subprocess.run(
        [*command[:-1], "nothing"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert wrong.returncode == 2
    assert wrong.stderr.strip().endswith("There is no table 'nothing' here; tables of this worker: portfolios")


def test_strategies_are_changed_without_a_restart(stack: RunningStack) -> None:
    stack.command("strategies", "disable", "rsi")
    wait_for(
        lambda: not next(row for row in stack.json("strategies", "list") if row["instance"] == "rsi")["enabled"],
        "the change",
    )
    assert "period" in stack.command("strategies", "set", "rsi", "period=many", code=2).stderr
    assert "There is no strategy instance" in stack.command("strategies", "enable", "nope", code=2).stderr
    stack.command("strategies", "set", "low_frequency", "quantity=7")

    def bought_seven() -> bool:
        raised = [one["data"] for one in stack.envelopes("paper.signals.raw")]
        return any(one["strategy"] == "low_frequency" and one["quantity"] == 7 for one in raised)

    wait_for(bought_seven, "a signal with the new quantity", 60)
