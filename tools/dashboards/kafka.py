"""What everything stands on: Kafka and the tables, PostgreSQL, Redis, the disk."""

from __future__ import annotations

from tools.dashboards.pages import Page, to_runbook
from tools.dashboards.panels import (
    COUNT,
    NONE_IS_GOOD,
    PER_MINUTE,
    PER_SECOND,
    RARE,
    SECONDS,
    UP_DOWN,
    Look,
    Panel,
    Query,
    Row,
    bars,
    series,
    stat,
    states,
)
from tools.dashboards.promql import RATE, Scope
from tools.dashboards.shared import dead_letters, dependencies, waiting

S = Scope('stage=~"$stage"')
AWAY = to_runbook("dependency-away")
LETTERS = to_runbook("dead-letters")
WHO = "{{stage}} {{broker}}"


def page() -> Page:
    """Dependencies from the monitor's point of view, clients from the workers'."""
    return Page(
        "ap-kafka",
        "Do Kafka, PostgreSQL and Redis answer, does every group keep up, and how large are the tables?",
        [
            Row("", _now()),
            Row("Topics and groups", _topics()),
            Row("Clients of Kafka", _clients()),
            Row("Tables", _tables()),
            Row("PostgreSQL, Redis and the disk", _others()),
        ],
        variables=("broker", "stage"),
    )


def _now() -> list[Panel]:
    return [
        dependencies(S, links=[AWAY]),
        stat("Since the last probe", "Time since the monitor last looked at everything. It looks every second.",
             Look("s", ((None, "green"), (15, "red"))), Query(S.since("last_probe_timestamp_seconds"), "probe")),
        waiting(S),
        dead_letters(S, links=[LETTERS]),
        stat("Rebalances", "Completed assignments of partitions within the time shown.", Look("short"),
             Query(S.counted("rebalances_total"), "rebalances")),
        stat("Slowest recovery", "Duration of the last table recovery, of the slowest worker.", Look("s"),
             Query(f'max({S("table_recovery_seconds")})', "recovery")),
        stat("Disk free", "Free share of the volume that holds the state.",
             Look("percentunit", ((None, "red"), (0.1, "yellow"), (0.2, "green")), decimals=0),
             Query(f'min({S("disk_free_bytes")} / {S("disk_size_bytes")})', "free")),
    ]  # fmt: skip


def _topics() -> list[Panel]:
    waits = S.waiting_since("oldest_unhandled_timestamp_seconds", by="group, topic")
    return [
        series("Written", "Messages added to each topic.", PER_SECOND,
               Query(f'sum by (topic) (rate({S("topic_end_offset")}[{RATE}]))', "{{topic}}")),
        series("Waiting by group", "Log ends less committed offsets, by group.", COUNT,
               Query(f'sum by (group) ({S("consumer_lag_messages")})', "{{group}}")),
        series("Oldest waiting", "Age of the oldest message a group has not handled; 0 when none waits.",
               SECONDS, Query(waits, "{{group}} {{topic}}")),
        bars("Waiting by partition", "The ten partitions with the most messages waiting.", Look("short"),
             Query(f'topk(10, max by (group, topic, partition) ({S("consumer_lag_messages")}))',
                   "{{group}} {{topic}} {{partition}}")),
        bars("Dead letters by topic", "Messages in each dead-letter topic.", Look("short", NONE_IS_GOOD),
             Query(f'max by (topic) ({S("dlq_messages")})', "{{topic}}"), links=[LETTERS]),
        series("Diverted", "Messages the workers sent to a dead-letter topic, by reason.", RARE,
               Query(S.a_minute("dead_letters_total", by="topic, reason"), "{{topic}} {{reason}}"), links=[LETTERS]),
    ]  # fmt: skip


def _clients() -> list[Panel]:
    committed = S.rate("faust_consumer_commit_latency_bucket", by="worker, le")
    return [
        series("Committing, p99", "Time a commit of offsets took, as Faust measures it.", Look("ms", least=0),
               Query(f"histogram_quantile(0.99, {committed})", "{{worker}}")),
        series("Clients started", "Clients of Kafka by kind, and connections to PostgreSQL. Many of them: something "
               "reconnects again and again.", PER_MINUTE,
               Query(S.a_minute("client_starts_total", by="worker, client"), "{{worker}} {{client}}"), links=[AWAY]),
        series("Not acknowledged", "Messages that Kafka did not acknowledge.", PER_MINUTE,
               Query(S.rarely("send_errors_total", by="stage, broker"), WHO), links=[AWAY]),
        series("Rebalances", "Completed assignments of partitions, and whether Faust recovers tables just now.",
               PER_MINUTE, Query(S.a_minute("rebalances_total", by="stage, broker"), WHO),
               Query(f'max by (worker) ({S("faust_total_rebalances_recovering")})', "{{worker}} recovering")),
    ]  # fmt: skip


def _tables() -> list[Panel]:
    tables = "stage, broker, table"
    return [
        series("Size", "Size of each table in files and in memory.", Look("bytes", least=0),
               Query(f'sum by ({tables}) ({S("table_size_bytes")})', f"{WHO} {{{{table}}}}"), width=12),
        series("Recovery", "Duration of the last table recovery.", SECONDS,
               Query(f'max by (stage, broker) ({S("table_recovery_seconds")})', WHO), width=12),
        series("Operations", "Reads and writes of tables, as Faust counts them.", Look("ops", least=0),
               Query(S.rate("faust_table_operations_total", by="worker, operation"), "{{worker}} {{operation}}"),
               width=12),
        series("Checkpoints", "Strategy states written to their table.", PER_MINUTE,
               Query(S.a_minute("strategy_checkpoints_total"), "checkpoints"), width=12),
    ]  # fmt: skip


def _others() -> list[Panel]:
    query = S.quantile(0.99, "query_duration_seconds", by="worker")
    return [
        states("Dependencies", "When each dependency answered the monitor.", Look("none", states=UP_DOWN),
               Query(f'min by (dependency) ({S("dependency_up")})', "{{dependency}}"), links=[AWAY]),
        series("Answering", "How long the dependency's last answer to the monitor took.", SECONDS,
               Query(f'max by (dependency) ({S("dependency_answer_seconds")})', "{{dependency}}"), width=12,
               links=[AWAY]),
        series("Queries", "Statements executed in PostgreSQL.", Look("ops", least=0),
               Query(S.rate("query_duration_seconds_count", by="worker"), "{{worker}}")),
        series("Queries, p99", "Time a statement took in PostgreSQL.", SECONDS, Query(query, "{{worker}}")),
        series("Slow queries", "Statements PostgreSQL took long for; the log has them.", PER_MINUTE,
               Query(S.a_minute("slow_queries_total", by="worker"), "{{worker}}")),
        series("Audit trail", "Events written to PostgreSQL by the ledger, by type.", PER_SECOND,
               Query(S.rate("ledger_events_total", by="type"), "{{type}}")),
        series("Disk free", "Free bytes on the volume that holds the state.", Look("bytes", least=0),
               Query(f'min({S("disk_free_bytes")})', "free")),
    ]  # fmt: skip
