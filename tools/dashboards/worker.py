"""One page per kind of worker, from its stage's definition: what it takes, does, keeps and costs."""

from __future__ import annotations

from collections.abc import Sequence

from faust_app.runtime.topics import APP_PREFIX
from faust_app.runtime.topology import STAGES, Stage
from tools.dashboards.pages import WORKER, Page, to_page, to_runbook
from tools.dashboards.panels import (
    COUNT,
    IS_SO,
    NONE_IS_GOOD,
    PER_MINUTE,
    PER_SECOND,
    SECONDS,
    Look,
    Panel,
    Query,
    Row,
    series,
    stat,
)
from tools.dashboards.promql import RANGE, Scope
from tools.dashboards.shared import quantiles, readiness
from tools.dashboards.worker_panels import OWN

OUTSIDE = Scope(has_broker=False, outside=True)  # what the monitor measures of this worker
AWAY, LETTERS = to_runbook("dependency-away"), to_runbook("dead-letters")


def pages() -> list[Page]:
    """A page for each stage."""
    return [_page(stage) for stage in STAGES]


def _page(stage: Stage) -> Page:
    s = Scope(f'stage="{stage.name}"', has_broker=stage.per_broker)
    rows = [Row("", _now(stage, s)), Row("What it does", OWN[stage.name](s))]
    if stage.consumes:
        rows.append(Row("Messages", _messages(stage, s)))
    if stage.tables:
        rows.append(Row("Tables", _tables(s)))
    rows.append(Row("Process", _process(s)))
    return Page(
        f"{WORKER}{stage.name}",
        f"The workers of {stage.name}: are they ready, what do they take and do, what do they cost?",
        rows,
        variables=("broker",) if stage.per_broker else (),
        worker_stage=stage.name,
    )


def _group(stage: Stage) -> str:
    """A matcher of the stage's consumer groups."""
    of_broker = "[.]($broker)" if stage.per_broker else ""
    return f'group=~".*{APP_PREFIX}[.]{stage.name}{of_broker}"'


def _now(stage: Stage, s: Scope) -> list[Panel]:
    starts = f"sum by (worker) (changes({s('worker_start_timestamp_seconds')}[{RANGE}]))"
    errors = s("log_lines_total", 'level=~"error|critical"')
    return [
        stat("Ready", "Whether the worker is ready; /readyz and `alpha-panda status` say why not.",
             IS_SO, Query(f'max by (worker) ({s("worker_ready")})', "{{worker}}"),
             links=[to_page("ap-pipeline"), to_runbook("stack-does-not-start")]),
        stat("Up", "Time since the worker's start.", Look("dtdurations"),
             Query(s.since("worker_start_timestamp_seconds", by="worker"), "{{worker}}")),
        stat("Restarts", "Starts within the time shown, the first one not counted.", Look("none", NONE_IS_GOOD),
             Query(starts, "{{worker}}")),
        stat("CPU", "Share of one core.", Look("percentunit", ((None, "green"), (0.7, "yellow"), (0.9, "red"))),
             Query(s.rate("process_cpu_seconds_total", by="worker"), "{{worker}}")),
        stat("Memory", "Resident memory. Objective: at most 120 MB.",
             Look("bytes", ((None, "green"), (120_000_000, "yellow"))),
             Query(f'max by (worker) ({s("process_resident_memory_bytes")})', "{{worker}}")),
        stat("Event loop late, p99", "How late the event loop woke up: everything in the worker waits that long.",
             Look("s", ((None, "green"), (0.1, "yellow"), (1, "red"))),
             Query(s.quantile(0.99, "event_loop_delay_seconds", by="worker"), "{{worker}}")),
        stat("Errors logged", "Lines at error and above within the time shown.", Look("short", NONE_IS_GOOD),
             Query(s.or_zero(f"sum(increase({errors}[{RANGE}]))"), "lines")),
        *_waiting(stage),
    ]  # fmt: skip


def _waiting(stage: Stage) -> Sequence[Panel]:
    if not stage.consumes:
        return []
    waiting = Query(f"sum by (group) ({OUTSIDE('consumer_lag_messages', _group(stage))})", "{{group}}")
    about = "Log ends less committed offsets, as the monitor measures them."
    look = Look("short", ((None, "green"), (1000, "yellow"), (10000, "red")))
    return [stat("Messages waiting", about, look, waiting, links=[to_page("ap-kafka")])]


def _messages(stage: Stage, s: Scope) -> list[Panel]:
    lag = OUTSIDE("consumer_lag_messages", _group(stage))
    waits = OUTSIDE.waiting_since("oldest_unhandled_timestamp_seconds", _group(stage), by="topic")
    rare = (("duplicates_suppressed_total", "duplicates"), ("dead_letters_total", "dead letters"))
    return [
        series("Received", "Messages taken, by topic.", PER_SECOND,
               Query(s.rate("messages_received_total", by="topic"), "{{topic}}")),
        series("Handled", "Messages handled to the end, by topic.", PER_SECOND,
               Query(s.rate("messages_handled_total", by="topic"), "{{topic}}")),
        quantiles(s, "Handling a message", "From taking a message to its outputs being acknowledged, by topic.",
                  "message_duration_seconds", by="topic"),
        series("Waiting", "Log ends less committed offsets, by topic.", COUNT,
               Query(f"sum by (topic) ({lag})", "{{topic}}"), links=[to_page("ap-kafka")]),
        series("Oldest waiting", "Age of the oldest message not handled; 0 when none waits.", SECONDS,
               Query(waits, "{{topic}}"), links=[to_page("ap-kafka")]),
        series("Duplicates, dead letters, retries", "Messages recognised as repeated, messages diverted, and tries "
               "repeated after a transient error.", PER_MINUTE,
               *(Query(s.rarely(name, by="worker"), f"{{{{worker}}}} {text}") for name, text in rare),
               Query(s.a_minute("retries_total", by="worker, dependency"), "{{worker}} retries {{dependency}}"),
               links=[LETTERS, AWAY]),
    ]  # fmt: skip


def _tables(s: Scope) -> list[Panel]:
    return [
        series("Size", "Size of each table in files and in memory.", Look("bytes", least=0),
               Query(f'sum by (worker, table) ({s("table_size_bytes")})', "{{worker}} {{table}}"), width=12),
        series("Operations", "Reads and writes of tables, as Faust counts them.", Look("ops", least=0),
               Query(s.rate("faust_table_operations_total", by="table, operation"), "{{table}} {{operation}}"),
               width=12),
        series("Recovery", "Duration of the last table recovery.", SECONDS,
               Query(f'max by (worker) ({s("table_recovery_seconds")})', "{{worker}}"), width=12),
        series("Rebalances", "Completed assignments of partitions.", PER_MINUTE,
               Query(s.a_minute("rebalances_total", by="worker"), "{{worker}}"), width=12),
    ]  # fmt: skip


def _process(s: Scope) -> list[Panel]:
    files = f"max by (worker) ({s('process_open_fds')} / {s('process_max_fds')})"
    return [
        readiness(s, width=8),
        series("CPU", "Share of one core.", Look("percentunit", least=0),
               Query(s.rate("process_cpu_seconds_total", by="worker"), "{{worker}}")),
        series("Memory", "Resident memory. It should stay flat.", Look("bytes", least=0),
               Query(f'max by (worker) ({s("process_resident_memory_bytes")})', "{{worker}}")),
        quantiles(s, "Event loop late", "How late the event loop woke up.", "event_loop_delay_seconds", by="worker"),
        series("Open files", "File descriptors in use, as a share of the limit.", Look("percentunit", least=0),
               Query(files, "{{worker}}")),
        series("Log lines", "Lines logged by level, repeated ones included.", PER_MINUTE,
               Query(s.a_minute("log_lines_total", by="worker, level"), "{{worker}} {{level}}")),
        series("Clients started", "Clients of Kafka by kind, and connections to PostgreSQL.", PER_MINUTE,
               Query(s.a_minute("client_starts_total", by="worker, client"), "{{worker}} {{client}}"), links=[AWAY]),
        series("Queries", "Statements executed in PostgreSQL, and the slow ones among them.", PER_MINUTE,
               Query(s.a_minute("query_duration_seconds_count", by="worker"), "{{worker}}"),
               Query(s.a_minute("slow_queries_total", by="worker"), "{{worker}} slow")),
        series("Not acknowledged", "Messages that Kafka did not acknowledge.", PER_MINUTE,
               Query(s.rarely("send_errors_total", by="worker"), "{{worker}}"), links=[AWAY]),
    ]  # fmt: skip
