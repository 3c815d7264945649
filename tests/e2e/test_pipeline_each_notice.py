"""People are told what happens in the running stack, and nothing of their addresses is anywhere else."""

from __future__ import annotations

import contextlib
import re
import time
from decimal import Decimal

import psutil

from tests.e2e.freezing import frozen
from tests.notice_sink import NoticeSink
from tests.running_stack import RunningStack, metrics, wait_for

SECRETS = ("PassPhrase77", "HiddenPath88", "somebody")
FILL = re.compile(r"(bought|sold) (\d+) (\S+) at ([\d,.]+) rupees \((\w+)(?:, (\d+) fills)?\)")


def told(sink: NoticeSink, beginning: str, since: int = 0) -> list[str]:
    """Text of the messages, from the `since`th on, whose title begins so."""
    prefix = f"[alpha-panda] {beginning}"
    return [one["message"] for one in sink.messages[since:] if one["title"].startswith(prefix)]


def test_fills_arrive_with_what_was_bought_and_sold(stack: RunningStack, sink: NoticeSink) -> None:
    """What a message says of an instrument can be found on the topic."""
    messages = wait_for(lambda: [one for one in told(sink, "paper:main: ") if FILL.search(one)], "fills", 90)
    fills = [one["data"] for one in stack.envelopes("paper.orders.filled")]
    held = {(one["order"]["strategy"], one["order"]["instrument"], one["order"]["side"]) for one in fills}
    prices = {Decimal(one["price"]).quantize(Decimal("0.01")) for one in fills}
    lines = [found for line in messages[0].splitlines() if (found := FILL.fullmatch(line))]
    assert lines
    for found in lines:
        side = {"bought": "BUY", "sold": "SELL"}[found[1]]
        assert (found[5], found[3], side) in held
        if found[6] is None:
            assert Decimal(found[4].replace(",", "")) in prices


def test_a_halt_and_its_end_arrive_at_once(stack: RunningStack, sink: NoticeSink) -> None:
    since = len(sink.messages)
    began = time.monotonic()
    stack.command("halt", "--strategy", "low_frequency", "--reason", "a test of notices")
    (halted,) = wait_for(lambda: told(sink, "strategy low_frequency is HALTED", since), "the notice of the halt", 20)
    print(f"halt told {time.monotonic() - began:.1f} s after the command began")
    assert "a test of notices" in halted
    assert "alpha-panda resume --strategy low_frequency" in halted
    stack.command("resume", "--strategy", "low_frequency", "--yes")
    wait_for(lambda: told(sink, "strategy low_frequency trades again", since), "the notice of its end", 20)
    assert len(told(sink, "strategy low_frequency is HALTED", since)) == 1


def test_a_dead_feed_arrives_and_its_return(stack: RunningStack, sink: NoticeSink) -> None:
    since = len(sink.messages)
    with frozen(stack, "exchange"):
        began = time.monotonic()
        wait_for(lambda: told(sink, "No tick for", since), "the notice of the dead feed", 20)
        print(f"dead feed told after {time.monotonic() - began:.1f} s")
    wait_for(lambda: told(sink, "Ticks come again", since), "the notice of its return", 60)


def test_the_monitor_counts_what_was_taken(stack: RunningStack, sink: NoticeSink) -> None:
    samples = metrics(stack.ports()["monitor"])
    taken = {
        dict(labels)["kind"]: value
        for (name, labels), value in samples.items()
        if name == "alpha_panda_notices_total" and dict(labels)["result"] == "taken"
    }
    assert taken["fills"] >= 1
    assert taken["halts"] >= 2


def test_notify_says_who_is_told_and_sends_a_test(stack: RunningStack, sink: NoticeSink) -> None:
    listed = stack.json("notify", "list")
    assert listed["enabled"]
    assert all(row["on"] for row in listed["kinds"])
    assert listed["services"] == [{"line": 3, "service": "JSON", "address": "json://***"}]
    since = len(sink.messages)
    assert stack.command("notify", "test", "--kind", "feed").stdout == "JSON (json://***, line 3): taken\n"
    assert told(sink, "Test of feed", since)
    sink.refused, sink.refusals = "Test of", 1
    assert stack.command("notify", "test", code=1).stderr == "JSON (json://***, line 3): FAILED\n"


def test_the_days_report_is_what_the_topics_say(stack: RunningStack) -> None:
    """Figures only rise while the pipeline goes on: they lie between those before and after."""

    def counted(broker: str) -> tuple[int, int]:
        fills = {one["data"]["fill_id"] for one in stack.envelopes(f"{broker}.orders.filled")}
        denied = {
            one["data"]["signal_id"]
            for one in stack.envelopes(f"{broker}.signals.rejected")
            if not one["data"]["is_rest"]
        }
        return len(fills), len(denied)

    before = {broker: counted(broker) for broker in ("paper", "zerodha")}

    def caught_up() -> bool:
        found = {row["broker"]: row for row in stack.json("report")["accounts"]}
        return all(found[broker]["fills"] >= before[broker][0] for broker in before)

    wait_for(caught_up, "the ledger", 150)
    report = stack.json("report")
    after = {broker: counted(broker) for broker in before}
    assert {one["account"] for one in report["accounts"]} == {"paper:main", "zerodha:main"}
    for one in report["accounts"]:
        low, high = before[one["broker"]], after[one["broker"]]
        assert low[0] <= one["fills"] <= high[0]
        assert sum(one["denials"].values()) <= high[1]
        net = Decimal(one["realised"]) + Decimal(one["unrealised"]) - Decimal(one["charges"])
        assert Decimal(one["net"]) == net
        assert 0 < one["measured_fills"] <= one["fills"]
    assert any(halt["reason"] == "a test of notices" for halt in report["halts"])
    printed = stack.command("report", "--day", report["day"]).stdout
    assert "paper:main: net" in printed
    missing = stack.command("report", "--day", "2020-01-01", code=2).stderr
    assert missing.startswith("Nothing is recorded for 2020-01-01; recorded are days from ")


def test_nothing_of_an_address_is_in_logs_settings_or_processes(stack: RunningStack) -> None:
    files = [file for file in stack.state.rglob("*") if file.is_file() and "logs" in file.parts]
    assert any(file.name.startswith("monitor") for file in files)
    texts = {str(file): file.read_text(errors="replace") for file in [*files, stack.output]}
    texts["config"] = stack.command("config", "--json").stdout
    for child in stack.children():
        with contextlib.suppress(psutil.Error):
            texts[f"process {child.pid}"] = " ".join([*child.cmdline(), *child.environ().values()])
    for where, text in texts.items():
        assert not [secret for secret in SECRETS if secret in text], where
