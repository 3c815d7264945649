"""Does everything run, how much flows, how long does it take."""

from __future__ import annotations

from tools.dashboards.pages import Page, to_page, to_runbook
from tools.dashboards.panels import (
    COUNT,
    NONE_IS_GOOD,
    ORDER_LATENCY,
    PER_MINUTE,
    PER_SECOND,
    RARE,
    SECONDS,
    Look,
    Panel,
    Query,
    Row,
    bars,
    series,
    stat,
)
from tools.dashboards.promql import RANGE, Scope
from tools.dashboards.shared import not_ready, quantiles, readiness, tick_to_order

S = Scope('stage=~"$stage"')
WHO = "{{stage}} {{broker}}"
EACH = "stage, broker"


def page() -> Page:
    """Every stage side by side."""
    return Page(
        "ap-pipeline",
        "Do all stages run and keep up, and how long does a tick take to become a signal, an order, a fill?",
        [
            Row("", _now()),
            Row("Latency", _latency()),
            Row("Messages", _messages()),
            Row("Trouble", _trouble()),
            Row("Processes", _processes()),
        ],
        variables=("broker", "stage"),
    )


def _now() -> list[Panel]:
    latency = Look("s", ORDER_LATENCY)
    starts = f"sum(changes({S('worker_start_timestamp_seconds')}[{RANGE}]))"
    return [
        not_ready(S, links=[to_runbook("stack-does-not-start")]),
        stat("Restarts", "Starts of workers within the time shown, the first ones not counted.",
             Look("none", NONE_IS_GOOD), Query(starts, "restarts")),
        stat("Messages handled", "Messages handled to the end, all stages together.", Look("cps"),
             Query(S.rate("messages_handled_total"), "messages")),
        stat("Tick to signal, p99", "From a tick's arrival at the feed to its signal in Kafka.", Look("s"),
             Query(S.quantile(0.99, "tick_to_signal_seconds"), "p99")),
        stat("Tick to order, p50", "From a tick's arrival at the feed to the order's durable intent. "
             "Objective: at most 15 ms.", latency, Query(S.quantile(0.5, "tick_to_order_seconds"), "p50")),
        stat("Tick to order, p99", "From a tick's arrival at the feed to the order's durable intent. "
             "Objective: at most 60 ms.", latency, Query(S.quantile(0.99, "tick_to_order_seconds"), "p99")),
        stat("Orders within 60 ms", "Share of orders whose intent was durable within 60 ms of the tick. "
             "Objective: 99 %.", Look("percentunit", ((None, "red"), (0.99, "green")), decimals=2),
             Query(S.within("tick_to_order_seconds", "0.06"), "share")),
        stat("Slowest order", "Highest tick-to-order latency since the engine's start.", Look("s"),
             Query(f'max by (broker) ({S("tick_to_order_max_seconds")})', "{{broker}}")),
    ]  # fmt: skip


def _latency() -> list[Panel]:
    return [
        quantiles(S, "Tick to signal", "From a tick's arrival at the feed to its signal acknowledged by Kafka.",
                  "tick_to_signal_seconds", by="broker"),
        tick_to_order(S),
        quantiles(S, "Tick to fill", "From a tick's arrival at the feed to the fill. On paper it waits for the "
                  "instrument's next ticks. 10 s stands for all that is longer.", "tick_to_fill_seconds", by="broker"),
        quantiles(S, "Handling a message, p99", "From taking a message to its outputs being acknowledged, by stage.",
                  "message_duration_seconds", by=EACH, fractions=(0.99,)),
        quantiles(S, "Handling a message by topic, p99", "From taking a message to its outputs being acknowledged, "
                  "by topic.", "message_duration_seconds", by="stage, topic", fractions=(0.99,)),
        quantiles(S, "Event loop late, p99", "How late the event loop woke up. Everything in a worker waits that long.",
                  "event_loop_delay_seconds", by=EACH, fractions=(0.99,)),
    ]  # fmt: skip


def _messages() -> list[Panel]:
    waits = S.waiting_since("oldest_unhandled_timestamp_seconds", by="group")
    return [
        series("Received", "Messages taken from topics, by stage.", PER_SECOND,
               Query(S.rate("messages_received_total", by=EACH), WHO)),
        series("Handled", "Messages handled to the end, by stage.", PER_SECOND,
               Query(S.rate("messages_handled_total", by=EACH), WHO)),
        series("Waiting", "Log ends less committed offsets, by group.", COUNT,
               Query(f'sum by (group) ({S("consumer_lag_messages")})', "{{group}}"), links=[to_page("ap-kafka")]),
        series("Oldest waiting", "Age of the oldest message a group has not handled; 0 when none waits.",
               SECONDS, Query(waits, "{{group}}"), links=[to_page("ap-kafka")]),
        series("Ticks processed", "Ticks handed to strategies, and to the matching of paper orders.", PER_SECOND,
               Query(S.rate("ticks_processed_total", by=EACH), WHO)),
        series("Duplicates", "Redelivered or repeated messages that were recognised and not handled again.",
               PER_MINUTE, Query(S.rarely("duplicates_suppressed_total", by=EACH), WHO)),
    ]  # fmt: skip


def _trouble() -> list[Panel]:
    return [
        series("Dead letters", "Messages diverted to a dead-letter topic, by stage and reason.", RARE,
               Query(S.a_minute("dead_letters_total", by="stage, broker, reason"), f"{WHO} {{{{reason}}}}"),
               links=[to_runbook("dead-letters")]),
        series("Retries", "Tries repeated after a transient error, by what was away.", RARE,
               Query(S.a_minute("retries_total", by="stage, broker, dependency"), f"{WHO} {{{{dependency}}}}"),
               links=[to_runbook("dependency-away")]),
        series("Not acknowledged", "Messages that Kafka did not acknowledge.", PER_MINUTE,
               Query(S.rarely("send_errors_total", by=EACH), WHO), links=[to_runbook("dependency-away")]),
        series("Warnings and errors", "Lines of the log at warning and above, repeated ones included.",
               PER_MINUTE,
               Query(S.rarely("log_lines_total", 'level=~"warning|error|critical"', by="worker"), "{{worker}}")),
        bars("Log lines by level", "Lines of the log within the time shown.", Look("short"),
             Query(f'sum by (level) (increase({S("log_lines_total")}[{RANGE}]))', "{{level}}")),
        series("Notices", "Notices to people, by kind and by whether a service took them.", RARE,
               Query(S.a_minute("notices_total", by="kind, result"), "{{kind}} {{result}}")),
    ]  # fmt: skip


def _processes() -> list[Panel]:
    return [
        readiness(S),
        series("Up", "Time since each worker's start.", Look("dtdurations", least=0),
               Query(S.since("worker_start_timestamp_seconds", by="worker"), "{{worker}}"), width=12),
        series("CPU", "Share of one core.", Look("percentunit", least=0),
               Query(S.rate("process_cpu_seconds_total", by="worker"), "{{worker}}")),
        series("Memory", "Resident memory. Objective: at most 120 MB a worker, and flat.",
               Look("bytes", ((None, "green"), (120_000_000, "red")), least=0),
               Query(f'max by (worker) ({S("process_resident_memory_bytes")})', "{{worker}}")),
        series("Open files", "File descriptors in use, as a share of the limit.", Look("percentunit", least=0),
               Query(f'max by (worker) ({S("process_open_fds")} / {S("process_max_fds")})', "{{worker}}")),
        series("Garbage collections", "Collections of Python's oldest generation.", PER_MINUTE,
               Query(S.a_minute("python_gc_collections_total", 'generation="2"', by="worker"), "{{worker}}")),
        bars("Versions", "Workers by the version of the code they run.", Look("none"),
             Query(f'count by (version) ({S("build_info")})', "{{version}}")),
    ]  # fmt: skip
