"""`alpha-panda trace`: which events belong to an id, in which order, and how long each step took."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from faust_app.commands import chain, kafka_reader, trace
from faust_app.commands.chain import Chain, find_chain, merged
from faust_app.commands.cli import _run
from faust_app.runtime.errors import TransientError
from faust_app.runtime.settings import load_settings

RECEIVED = datetime(2026, 8, 20, 5, 0, 0, 250, tzinfo=UTC)
FRAME = "frame"


def ms(count: float) -> datetime:
    """So many milliseconds after the frame's receipt, as Kafka tells times."""
    at = RECEIVED + timedelta(milliseconds=count)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def event(event_id: str, cause: str | None, at: datetime | None = None, **data: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "type": data.pop("type", "some.event"),
        "version": 1,
        "broker": "paper",
        "key": "k",
        "source": "stage",
        "occurred_at": RECEIVED,
        "correlation_id": FRAME,
        "causation_id": cause,
        "trace_id": FRAME,
        "data": data,
        "at": at,
        "found_in": "ledger",
    }


def story() -> dict[str, dict[str, Any]]:
    """A frame with two signals; the first is denied, the second filled."""
    origin = {"frame_id": FRAME, "received_ns": int(RECEIVED.timestamp()) * 10**9 + 250_000}
    rows = [
        event("fill", "update", ms(40), order={"order_id": "order", "signal_id": "s2"}, fill_id="fill"),
        event("snapshot", "fill", ms(45)),
        event("update", "submitted", ms(30), order_id="order"),
        event("submitted", "accepted", ms(10), order={"order_id": "order", "signal_id": "s2"}),
        event("accepted", "s2", ms(8), signal_id="s2"),
        event("s2", FRAME, ms(3), signal_id="s2", origin=origin),
        event("s1", FRAME, ms(2), signal_id="s1", origin=origin),
        event("denied", "s1", ms(6), signal_id="s1"),
    ]
    return chain._with_frames({row["event_id"]: row for row in rows})


FILLED = [FRAME, "s2", "accepted", "submitted", "update", "fill", "snapshot"]


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("fill", FILLED),
        ("order", FILLED),
        ("s2", FILLED),
        ("snapshot", FILLED),
        ("denied", [FRAME, "s1", "denied"]),
        (FRAME, [FRAME, "s1", "s2", "denied", "accepted", "submitted", "update", "fill", "snapshot"]),
        ("nothing", []),
    ],
)
def test_an_id_has_its_causes_and_effects(identifier: str, expected: list[str]) -> None:
    assert [row["event_id"] for row in Chain(story(), ()).related(identifier)] == expected


def test_rows_are_in_the_order_of_time_and_no_effect_is_before_its_cause() -> None:
    rows = story()
    late, overtaken = event("late", "submitted", ms(50)), event("overtaken", "snapshot", ms(44))
    unknown = event("unknown", "accepted")
    events = rows | {row["event_id"]: row for row in (late, overtaken, unknown)}
    found = [row["event_id"] for row in Chain(events, ()).related("s2")]
    assert found == [*FILLED[:3], "unknown", *FILLED[3:], "overtaken", "late"]


def test_hops_are_the_time_since_the_cause_and_since_the_frame() -> None:
    rows = {row["event_id"]: row for row in Chain(story(), ()).related("fill")}
    times = {name: (row["hop_seconds"], row["total_seconds"]) for name, row in rows.items()}
    assert times[FRAME] == (None, 0.0)
    assert times["s2"] == (0.00275, 0.00275)  # the frame's time is exact, Kafka's are whole milliseconds
    assert times["accepted"] == (0.005, 0.00775)
    assert times["fill"] == (0.01, 0.03975)
    assert rows[FRAME]["at"] == RECEIVED


def test_what_seems_less_than_a_millisecond_back_took_no_time() -> None:
    events = story()
    events["s2"]["at"] = ms(0)
    rows = {row["event_id"]: row for row in Chain(events, ()).related("fill")}
    assert rows["s2"]["hop_seconds"] == 0.0
    assert rows["accepted"]["hop_seconds"] == 0.008


def test_events_without_a_time_have_no_hops() -> None:
    events = story()
    events["accepted"]["at"] = None
    rows = {row["event_id"]: row for row in Chain(events, ()).related("fill")}
    assert [rows[one]["hop_seconds"] for one in ("accepted", "submitted")] == [None, None]
    assert rows["submitted"]["total_seconds"] == 0.00975


def test_chains_without_a_tick_have_no_frame() -> None:
    due = event("due", None, ms(1))
    leaving = event("exit", "due", ms(4), origin={"frame_id": FRAME, "received_ns": 0})
    rows = Chain(chain._with_frames({"due": due, "exit": leaving}), ()).related("exit")
    assert [(row["event_id"], row["total_seconds"]) for row in rows] == [("due", 0.0), ("exit", 0.003)]


def test_the_trail_counts_and_the_topics_fill_in() -> None:
    stored = {"a": event("a", None), "b": event("b", "a", ms(5))}
    recent = {"a": event("a", None, ms(1)), "c": event("c", "b", ms(9))}
    for row in recent.values():
        row["found_in"] = "topics"
    rows = merged(stored, recent)
    assert {name: (row["found_in"], row["at"]) for name, row in rows.items()} == {
        "a": ("ledger", ms(1)),
        "b": ("ledger", ms(5)),
        "c": ("topics", ms(9)),
    }


class World:
    """PostgreSQL and Kafka as far as a trace asks them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stored: dict[str, dict[str, Any]] = {}
        self.messages: list[Any] = []
        self.postgres_is_away = self.kafka_is_away = False
        self.rounds = 0
        monkeypatch.setattr(chain, "_stored_chains", self._chains)
        monkeypatch.setattr(chain, "_stored", self._stored)
        monkeypatch.setattr(kafka_reader, "reader", self._reader)
        monkeypatch.setattr(kafka_reader, "recent", self._recent)

    async def _chains(self, _config: object, identifier: str) -> set[str]:
        if self.postgres_is_away:
            raise TransientError("PostgreSQL is away (OSError)")
        return {row["correlation_id"] for row in self.stored.values() if identifier in chain.ids_of(row)}

    async def _stored(self, _config: object, chains: set[str]) -> dict[str, dict[str, Any]]:
        return {name: row for name, row in self.stored.items() if row["correlation_id"] in chains}

    @asynccontextmanager
    async def _reader(self, _config: object) -> AsyncIterator[None]:
        if self.kafka_is_away:
            raise TransientError("Kafka at x does not answer")
        yield None

    async def _recent(self, *_: object) -> AsyncIterator[Any]:
        self.rounds += 1
        for one in self.messages:
            yield one

    def put(self, row: dict[str, Any]) -> None:
        envelope = {name: value for name, value in row.items() if name not in ("event_id", "at", "found_in")}
        raw = msgspec.json.encode({"id": row["event_id"], **envelope})
        at = int(row["at"].timestamp() * 1000)
        self.messages.append(SimpleNamespace(value=raw, topic="t", partition=0, offset=1, timestamp=at))

    async def ids(self, identifier: str) -> list[str]:
        found = await find_chain(load_settings("base"), identifier, seconds=60)
        return [row["event_id"] for row in found.related(identifier)]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def spread(world: World, in_ledger: set[str]) -> None:
    """The story, part of it in the audit trail and all of it in the topics."""
    rows = {name: row for name, row in story().items() if name != FRAME}
    world.stored = {name: row for name, row in rows.items() if name in in_ledger}
    for row in rows.values():
        world.put(row)
    world.messages += [
        SimpleNamespace(value=value, timestamp=1) for value in (None, b"fill garbage", b'{"id": "fill"}')
    ]


@pytest.mark.parametrize("in_ledger", [set(), {"s2"}, {"fill"}, {"s2", "accepted", "submitted"}])
async def test_what_the_ledger_lacks_comes_from_the_topics(world: World, in_ledger: set[str]) -> None:
    spread(world, in_ledger)
    for identifier in ("fill", "order", "s2"):
        found = await find_chain(load_settings("base"), identifier, seconds=60)
        rows = found.related(identifier)
        assert [row["event_id"] for row in rows] == FILLED
        assert {row["event_id"] for row in rows if row["found_in"] == "ledger"} == in_ledger
        assert found.problems == ()


async def test_either_source_alone_is_enough_and_named(world: World) -> None:
    spread(world, {"s2", "accepted"})
    world.postgres_is_away = True
    found = await find_chain(load_settings("base"), "fill", seconds=60)
    assert [row["event_id"] for row in found.related("fill")] == FILLED
    assert found.problems == ("PostgreSQL is away (OSError)",)
    world.postgres_is_away, world.kafka_is_away = False, True
    found = await find_chain(load_settings("base"), "s2", seconds=60)
    assert [row["event_id"] for row in found.related("s2")] == [FRAME, "s2", "accepted"]
    assert found.problems == ("Kafka at x does not answer",)
    world.postgres_is_away = True
    with pytest.raises(TransientError, match=r"PostgreSQL is away \(OSError\) and Kafka at x does not answer"):
        await find_chain(load_settings("base"), "s2", seconds=60)


async def test_topics_are_read_no_more_often_than_needed(world: World) -> None:
    spread(world, {"s2"})
    assert await world.ids("s2") == FILLED
    assert world.rounds == 1
    assert await world.ids("order") == FILLED
    assert world.rounds == 3


def test_the_table_says_when_how_long_and_from_where(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    spread(world, {"s2", "accepted"})
    assert _run(["trace", "fill"]) == 0
    rows = [[cell.strip() for cell in one.split("│")[1:-1]] for one in capsys.readouterr().out.splitlines()]
    table = {cells[-1]: cells for cells in rows if cells}
    assert table["fill"][:3] == ["08-20 10:30:00.040", "10.0 ms", "39.8 ms"]
    assert (table["s2"][6], table["fill"][6], table[FRAME][6]) == ("ledger", "topics", "signal")


def test_json_has_seconds(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    spread(world, set())
    assert _run(["trace", "fill", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["event_id"], row["hop_seconds"], row["found_in"]) for row in rows][-2:] == [
        ("fill", 0.01, "topics"),
        ("snapshot", 0.005, "topics"),
    ]


def test_unknown_ids_and_bad_durations_are_one_sentence(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["trace", "nobody"]) == 2
    assert capsys.readouterr().err == "Nothing is known of 'nobody'; the topics were searched 10m back\n"
    assert _run(["trace", "nobody", "--within", "x"]) == 2
    assert capsys.readouterr().err == "--within 'x' is not a duration like 60s, 10m or 1h\n"
    world.kafka_is_away = True
    assert _run(["trace", "nobody"]) == 2
    assert capsys.readouterr().err.startswith("Kafka at x does not answer: what only that knows is missing\n")


@pytest.mark.parametrize(("seconds", "said"), [(None, None), (0.0, "0.0 ms"), (0.0123, "12.3 ms"), (2.5, "2.50 s")])
def test_durations_are_readable(seconds: float | None, said: str | None) -> None:
    assert trace.duration(seconds) == said
