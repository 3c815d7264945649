"""Every metric of the project, with type, labels and meaning. `docs/metrics.md` is generated from here.

Names follow Prometheus: base units, `_total` on counters, timestamps instead of ages. Labels are bounded:
no symbols, no ids. Each process serves its own on `/metrics`; Prometheus adds the `stage` and `broker` of the worker to
what has no such label, Faust's own figures (`faust_*`) among them.
"""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

PREFIX = "alpha_panda_"
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.04, 0.06, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class MetricSpec:
    """One declared metric, for the generated documentation."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


DECLARED: list[MetricSpec] = []


def _declare(name: str, kind: str, meaning: str, labels: tuple[str, ...]) -> str:
    full = PREFIX + name
    shown = f"{full}_total" if kind == "counter" else full
    DECLARED.append(MetricSpec(shown, kind, labels, meaning))
    return full


def _counter(name: str, meaning: str, *labels: str) -> Counter:
    return Counter(_declare(name, "counter", meaning, labels), meaning, labels, registry=OWN)


def _gauge(name: str, meaning: str, *labels: str) -> Gauge:
    return Gauge(_declare(name, "gauge", meaning, labels), meaning, labels, registry=OWN)


def _histogram(name: str, meaning: str, *labels: str) -> Histogram:
    full = _declare(name, "histogram", meaning, labels)
    return Histogram(full, meaning, labels, buckets=LATENCY_BUCKETS, registry=OWN)


OWN: CollectorRegistry = REGISTRY
# They are a line more for each counter and histogram, and nobody reads them.
disable_created_metrics()  # type: ignore[no-untyped-call]

# Feed
TICKS_RECEIVED = _counter("ticks_received", "Ticks decoded from the WebSocket")
TICKS_PUBLISHED = _counter("ticks_published", "Ticks acknowledged by Kafka on market.ticks")
TICKS_DROPPED = _counter("ticks_dropped", "Ticks dropped by the feed, by reason", "reason")
FRAMES_PUBLISHED = _counter("frames_published", "Frames acknowledged by Kafka on market.ticks")
TICKS_OUT_OF_ORDER = _counter("ticks_out_of_order", "Ticks with an exchange time before the feed's clock")
FEED_PACKETS_REFUSED = _counter("feed_packets_refused", "Packets of unknown or truncated length")
FEED_QUEUE_TICKS = _gauge("feed_queue_ticks", "Ticks waiting between socket and event loop")
FEED_TEXT_FRAMES = _counter("feed_text_frames", "Text frames from the socket: order updates, and all others", "kind")
FEED_CONNECTIONS = _counter("feed_connections", "WebSocket connections opened, by why", "cause")
FEED_CONNECTED = _gauge("feed_connected", "1 while the WebSocket is connected")
FEED_LAST_FRAME = _gauge(
    "feed_last_frame_timestamp_seconds", "Wall time of the last WebSocket frame, heartbeats included"
)
FEED_LAST_TICK = _gauge("feed_last_tick_timestamp_seconds", "Wall time of the last tick")
FEED_EVENT_TIME = _gauge("feed_event_time_seconds", "Event time of the feed's clock")

# Every stage
MESSAGES_RECEIVED = _counter("messages_received", "Messages taken from a topic", "stage", "broker", "topic")
MESSAGES_HANDLED = _counter("messages_handled", "Messages handled to the end", "stage", "broker", "topic")
MESSAGE_SECONDS = _histogram(
    "message_duration_seconds",
    "Time from taking a message to its outputs being acknowledged",
    "stage",
    "broker",
    "topic",
)
DEAD_LETTERS = _counter(
    "dead_letters", "Messages diverted to a dead-letter topic", "stage", "broker", "topic", "reason"
)
DUPLICATES_SUPPRESSED = _counter(
    "duplicates_suppressed", "Redelivered or repeated messages recognised", "stage", "broker", "topic"
)
RETRIES = _counter("retries", "Tries repeated after a transient error", "stage", "broker", "dependency")
SEND_ERRORS = _counter("send_errors", "Messages Kafka did not acknowledge", "stage", "broker")
REBALANCES = _counter("rebalances", "Completed assignments of partitions", "stage", "broker")
RECOVERY_SECONDS = _gauge("table_recovery_seconds", "Duration of the last table recovery", "stage", "broker")
TABLE_BYTES = _gauge("table_size_bytes", "Size of a table in files and in memory", "stage", "broker", "table")
WORKER_READY = _gauge("worker_ready", "1 while the worker is ready", "stage", "broker")
WORKER_STARTED = _gauge("worker_start_timestamp_seconds", "Wall time of the worker's start")
EVENT_LOOP_DELAY = _histogram(
    "event_loop_delay_seconds", "How late the event loop woke up, asked twice a second", "stage", "broker"
)
CLIENT_STARTS = _counter("client_starts", "Clients started: Kafka's by kind, connections to PostgreSQL", "client")
QUERY_SECONDS = _histogram("query_duration_seconds", "Statements executed in PostgreSQL")
SLOW_QUERIES = _counter("slow_queries", "Statements PostgreSQL took long for; the log has them")
LOG_LINES = _counter("log_lines", "Lines logged, repeated ones included", "level")
BUILD_INFO = _gauge("build_info", "Always 1; the version of the code", "stage", "broker", "version")

# Strategies and risk
TICKS_PROCESSED = _counter("ticks_processed", "Ticks handed to strategies or matching", "stage", "broker")
SIGNALS = _counter("signals", "Signals raised by strategies", "broker", "strategy")
STRATEGY_ERRORS = _counter("strategy_errors", "Exceptions raised by a strategy", "strategy")
STRATEGY_CHECKPOINTS = _counter("strategy_checkpoints", "Strategy states written to the table")
TICK_TO_SIGNAL_SECONDS = _histogram(
    "tick_to_signal_seconds", "From the tick's arrival at the feed to its signal acknowledged by Kafka", "broker"
)
SIGNALS_ACCEPTED = _counter("signals_accepted", "Signals accepted by risk", "broker")
SIGNALS_DENIED = _counter("signals_denied", "Signals denied by risk, by reason code", "broker", "code")
TRADING_STATE = _gauge("trading_state", "0 active, 1 reducing, 2 halted", "broker")

DAY_LOSS_LIMIT = _gauge(
    "day_loss_limit_rupees", "Loss of a day at which the account enters no more", "broker", "account"
)
EXPOSURE_LIMIT = _gauge("exposure_gross_limit_rupees", "Most value of positions and open orders", "broker", "account")

# Orders and money
ORDERS_SUBMITTED = _counter("orders_submitted", "Orders whose intent is durable", "broker")
ORDERS_FINISHED = _counter("orders_finished", "Orders that reached a terminal state", "broker", "outcome")
ORDERS_OPEN = _gauge("orders_open", "Orders that are not terminal", "broker")
ORDERS_UNKNOWN = _gauge("orders_unknown", "Orders at the broker whose outcome nobody knows yet", "broker")
ORDERS_UNKNOWN_SINCE = _gauge(
    "orders_unknown_since_timestamp_seconds", "Wall time since when the oldest of them is unknown, 0: none", "broker"
)
ORDER_CALLS_LEFT = _gauge(
    "order_calls_left", "Order calls the account's budget still has for entries, by window", "broker", "window"
)
ORDER_ALARMS = _counter(
    "order_alarms", "Reports that contradict an order, positions left without exits", "broker", "kind"
)
EXITS_OVERDUE = _counter("exits_overdue", "Exits cancelled because they had not filled in time", "broker")
EXITS_REPRICED = _counter("exits_repriced", "Exits that followed one which had not filled in time", "broker")
EXITS_GIVEN_UP = _counter("exits_given_up", "Positions whose exits failed too often: a person has to act", "broker")
ORDERS_WITHDRAWN = _counter("orders_withdrawn", "Orders cancelled because their position is being closed", "broker")
ORDERS_FOREIGN = _gauge("orders_foreign", "Orders in the broker's book that are not ours", "broker")
ORDERS_DOUBLED = _gauge("orders_doubled", "Orders in the broker's book with a tag another one has, too", "broker")
SESSION_VALID = _gauge("kite_session_valid", "1 while Kite accepts the day's session", "broker")
SESSION_EXPIRES = _gauge(
    "kite_session_expiry_timestamp_seconds", "Wall time at which the stored session ends, 0: none", "broker"
)
LEASE_HELD = _gauge("account_lease_held", "1 while this process runs the account", "broker")
BROKER_CALLS = _counter(
    "broker_calls", "Order calls to the broker: taken, refused or unknown", "broker", "call", "answer"
)
BROKER_CALL_SECONDS = _histogram(
    "broker_call_duration_seconds",
    "Calls to the broker by route, `unanswered` without one",
    "broker",
    "route",
)
BROKER_FAILURES = _counter("broker_failures", "Calls to the broker that failed, by kind of error", "broker", "kind")
BREAKER_OPEN = _gauge("broker_breaker_open", "1 while the broker fails too often to be asked for entries", "broker")
RECONCILIATIONS = _counter(
    "reconciliations", "Comparisons with the broker, by whether all was read", "broker", "result"
)
LAST_RECONCILIATION = _gauge(
    "last_reconciliation_timestamp_seconds", "Wall time of the last complete comparison with the broker", "broker"
)
RECONCILIATION_DIFFERENCES = _gauge(
    "reconciliation_differences", "Open differences from the broker", "broker", "severity", "accepted"
)
PREFLIGHT_PASSED = _gauge(
    "preflight_passed_timestamp_seconds", "Wall time at which every check of a live engine last passed", "broker"
)
PREFLIGHT_FAILED = _gauge("preflight_failed", "1 while the check keeps entries back", "broker", "check")
TRIGGERS_STANDING = _gauge("triggers_standing", "Protective triggers of ours at the exchange", "broker")
TRIGGERS_FOREIGN = _gauge("triggers_foreign", "Active triggers at the exchange that are not ours", "broker")
POSITIONS_UNPROTECTED = _gauge(
    "positions_unprotected", "Positions whose strategy asks for a stop at the exchange and that have none", "broker"
)
BROKER_ROWS_UNREADABLE = _counter("broker_rows_unreadable", "Rows of the broker that could not be read", "broker")
UNKNOWN_STATUSES = _counter("unknown_order_statuses", "Reports with a status of the broker nobody knows", "broker")
FILLS = _counter("fills", "Fills published", "broker")
LAST_FILL = _gauge("last_fill_timestamp_seconds", "Wall time at which the last fill was published", "broker")
TICK_TO_ORDER_SECONDS = _histogram(
    "tick_to_order_seconds", "From the tick's arrival at the feed to the order's durable intent", "broker"
)
TICK_TO_ORDER_MAX = _gauge("tick_to_order_max_seconds", "Highest tick-to-order latency since the start", "broker")
TICK_TO_FILL_SECONDS = _histogram("tick_to_fill_seconds", "From the tick's arrival at the feed to the fill", "broker")
SNAPSHOTS = _counter("snapshots", "Portfolio snapshots published", "broker", "cause")
LAST_SNAPSHOT = _gauge("last_snapshot_timestamp_seconds", "Wall time of the last snapshot", "broker")
PNL_REALISED = _gauge("pnl_realised_rupees", "Realised profit and loss before charges", "broker", "account")
PNL_UNREALISED = _gauge("pnl_unrealised_rupees", "Unrealised profit and loss", "broker", "account")
PNL_CHARGES = _gauge("pnl_charges_rupees", "Charges booked", "broker", "account")
PNL_DAY = _gauge("pnl_day_rupees", "Profit and loss of the day, charges included", "broker", "account")
EQUITY = _gauge("equity_rupees", "Cash and the value of positions", "broker", "account")
DRAWDOWN = _gauge("drawdown_rupees", "Equity below the most it has been", "broker", "account")
EXPOSURE_GROSS = _gauge("exposure_gross_rupees", "Value of all positions, long and short added up", "broker", "account")
EXPOSURE_NET = _gauge("exposure_net_rupees", "Value of long positions less that of short ones", "broker", "account")
POSITIONS_OPEN = _gauge("positions_open", "Positions that are not flat", "broker", "account")
STRATEGY_PNL = _gauge(
    "strategy_day_pnl_rupees", "Profit and loss of the day of a strategy, before charges", "broker", "strategy"
)
ACCOUNT_ALARMS = _gauge("account_alarms", "Positions that need a person, by kind", "broker", "account", "kind")

# Seen from outside
LAG_AGE = _gauge(
    "oldest_unhandled_timestamp_seconds",
    "Wall time at which Kafka took the oldest message the group has not handled, 0: none waits",
    "group",
    "topic",
)
LAG = _gauge("consumer_lag_messages", "Log end minus committed offset", "group", "topic", "partition")
LAST_PROBE = _gauge("last_probe_timestamp_seconds", "Wall time of the monitor's last complete probe")
DEPENDENCY_UP = _gauge("dependency_up", "1 while the dependency answers the monitor", "dependency")
DEPENDENCY_SECONDS = _gauge("dependency_answer_seconds", "How long the last answer took", "dependency")
CLOCK_SKEW = _gauge("clock_skew_seconds", "This machine's clock ahead of the broker's", "broker")
DISK_FREE = _gauge("disk_free_bytes", "Free on the volume that holds the state")
DISK_TOTAL = _gauge("disk_size_bytes", "Size of the volume that holds the state")
MARKET_OPEN = _gauge("market_open", "1 while the segment trades continuously, by the exchange's clock", "segment")
MARKET_PHASE = _gauge("market_phase", "1 for the segment's phase of now", "segment", "phase")
MARKET_OPENS = _gauge("market_next_open_timestamp_seconds", "When shares trade continuously next, exchange's clock")
EXCHANGE_TIME = _gauge("exchange_time_seconds", "The exchange's clock: at a sandbox not the wall clock")
TOPIC_END = _gauge("topic_end_offset", "Messages a topic ever had, all partitions together", "topic")
NOTICES = _counter("notices", "Notices to people, by what they tell and whether a service took them", "kind", "result")
DLQ_MESSAGES = _gauge("dlq_messages", "Messages in a dead-letter topic", "topic")
LEDGER_EVENTS = _counter("ledger_events", "Events written to PostgreSQL", "type")


def note_maximum(gauge: Gauge, value: float) -> None:
    """Raise `gauge` to `value` when that is higher."""
    if value > gauge._value.get():
        gauge.set(value)
