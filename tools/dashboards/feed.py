"""Is the feed alive, and does everything it brings reach Kafka."""

from __future__ import annotations

from tools.dashboards.pages import Page, to_page, to_runbook
from tools.dashboards.panels import (
    COUNT,
    IS_SO,
    NONE_IS_GOOD,
    PER_MINUTE,
    PER_SECOND,
    SECONDS,
    SILENCE,
    Look,
    Panel,
    Query,
    Row,
    series,
    stat,
    states,
)
from tools.dashboards.promql import RANGE, Scope
from tools.dashboards.shared import market, since_tick

S = Scope(has_broker=False)
SILENT = to_runbook("feed-is-silent")
AGE = Look("s", SILENCE)


def page() -> Page:
    """Socket, clock, ticks."""
    return Page(
        "ap-feed",
        "Is the feed alive, is it the market that is silent, and does every tick reach Kafka?",
        [Row("", _now()), Row("Ticks", _ticks()), Row("Socket", _socket()), Row("Market", _market())],
        variables=(),
    )


def _now() -> list[Panel]:
    lost = S("ticks_dropped_total", 'reason!="repeated"')
    return [
        stat("Connected", "Whether the WebSocket is connected.", IS_SO,
             Query(f'max({S("feed_connected")})', "connected"), links=[SILENT]),
        stat("Since the last frame", "Time since anything came through the socket; heartbeats come every second.", AGE,
             Query(S.since("feed_last_frame_timestamp_seconds"), "frame"), links=[SILENT]),
        since_tick(S, links=[SILENT]),
        market(S),
        stat("Ticks", "Ticks decoded from the socket.", Look("cps"), Query(S.rate("ticks_received_total"), "ticks")),
        stat("Ticks lost", "Ticks dropped within the time shown because the queue was full or Kafka did not take them.",
             Look("short", NONE_IS_GOOD),
             Query(S.or_zero(f"sum(increase({lost}[{RANGE}]))"), "ticks"), links=[SILENT]),
        stat("Queue", "Ticks waiting between socket and event loop.", Look("short"),
             Query(f'max({S("feed_queue_ticks")})', "ticks")),
        stat("Behind the exchange", "The exchange's clock less the feed's, by which all goes; 5 s may be the scrapes'.",
             AGE,
             Query(f'max({S("exchange_time_seconds")}) - max({S("feed_event_time_seconds")})', "behind"),
             links=[SILENT]),
    ]  # fmt: skip


def _ticks() -> list[Panel]:
    frames = S.rate("frames_published_total")
    return [
        series("Ticks", "Ticks decoded from the socket, acknowledged by Kafka, and handed to strategies.",
               PER_SECOND, Query(S.rate("ticks_received_total"), "received"),
               Query(S.rate("ticks_published_total"), "published"),
               Query(S.rate("ticks_processed_total", 'stage="strategy_runner"'), "to strategies")),
        series("Frames", "Messages on market.ticks acknowledged by Kafka. At least one a partition and event second.",
               PER_SECOND, Query(frames, "frames")),
        series("Ticks a frame", "How many ticks one message carries: less than one when it is quiet, as empty frames "
               "carry the clock; more under load.", COUNT,
               Query(f'{S.rate("ticks_published_total")} / {frames}', "ticks")),
        series("Dropped", "Ticks dropped: repeated ones on purpose, others because of a full queue or Kafka.",
               PER_SECOND, Query(S.rate("ticks_dropped_total", by="reason"), "{{reason}}"), links=[SILENT]),
        series("Queue", "Ticks waiting between socket and event loop.", COUNT,
               Query(f'max({S("feed_queue_ticks")})', "ticks"), links=[to_page("ap-worker-market_feed")]),
        series("Out of order and refused", "Ticks with an exchange time before the feed's clock, and packets "
               "of unknown or truncated length.", PER_MINUTE,
               Query(S.a_minute("ticks_out_of_order_total"), "out of order"),
               Query(S.a_minute("feed_packets_refused_total"), "refused")),
    ]  # fmt: skip


def _socket() -> list[Panel]:
    return [
        states("Connected", "When the WebSocket was connected.", IS_SO,
               Query(f'max({S("feed_connected")})', "connected"), links=[SILENT]),
        series("Silence", "Time since the last frame and the last tick.", SECONDS,
               Query(S.since("feed_last_frame_timestamp_seconds"), "frame"),
               Query(S.since("feed_last_tick_timestamp_seconds"), "tick"), width=12, links=[SILENT]),
        series("Connections", "WebSocket connections opened, by why.", PER_MINUTE,
               Query(S.a_minute("feed_connections_total", by="cause"), "{{cause}}"), width=12, links=[SILENT]),
        series("Text frames", "Text frames from the socket: order updates, and all others.", PER_MINUTE,
               Query(S.a_minute("feed_text_frames_total", by="kind"), "{{kind}}"), width=12),
    ]  # fmt: skip


def _market() -> list[Panel]:
    phase = f"max by (segment, phase) ({S('market_phase')}) == 1"
    return [
        states("Phase", "The phase of each segment, by the exchange's clock.", Look("none", ((None, "blue"),)),
               Query(phase, "{{segment}} {{phase}}")),
        stat("Exchange's clock", "The exchange's time. At a sandbox not the wall clock.", Look("dateTimeAsIso"),
             Query(f'1000 * max({S("exchange_time_seconds")})', "time"), width=6),
        stat("Next open", "When shares trade continuously next, by the exchange's clock.", Look("dateTimeAsIso"),
             Query(f'1000 * max({S("market_next_open_timestamp_seconds")})', "time"), width=6),
    ]  # fmt: skip
