"""The chain an id belongs to: from the audit trail and, for what that does not have yet, from the topics."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from faust_app.runtime.errors import TransientError
from faust_app.runtime.settings import Settings

Row = dict[str, Any]
LEDGER, TOPICS, SIGNAL = "ledger", "topics", "signal"  # where a row was found
FRAME = "market.frame"
MOST_EVENTS = 500
MOST_ROUNDS = 3  # from an id to its chain, and to what that leads to


@dataclass(frozen=True)
class Chain:
    """Events by id, and in sentences what could not be asked for more of them."""

    events: dict[str, Row]
    problems: tuple[str, ...]

    def related(self, identifier: str) -> list[Row]:
        """What led to the id and what follows from it, causes before effects; of a chain's own id everything."""
        if identifier in self.ids:
            return in_order(self.events, set(self.events))
        carriers = {event_id for event_id, row in self.events.items() if identifier in ids_of(row)}
        return in_order(self.events, _relatives(self.events, carriers))

    def ids_around(self, identifier: str) -> set[str]:
        """Ids by which lines name the decision an id belongs to: of its chain, its events and its orders."""
        named = {one for row in self.related(identifier) for one in ids_of(row) if one}
        return self.ids | named

    @property
    def ids(self) -> set[str]:
        """Of the chains these events belong to."""
        return {row["correlation_id"] for row in self.events.values()}


async def find_chain(config: Settings, identifier: str, *, seconds: float) -> Chain:
    """Every event of the chains that an id belongs to. Topics are read so many seconds back.

    Raises TransientError when neither PostgreSQL nor Kafka answers.
    """
    problems: list[str] = []
    stored: dict[str, Row] = {}
    recent: dict[str, Row] = {}
    try:
        stored = await _stored(config, await _stored_chains(config, identifier))
    except TransientError as error:
        problems.append(str(error))
    try:
        recent = await _recent(config, identifier, {row["correlation_id"] for row in stored.values()}, seconds)
        others = {row["correlation_id"] for row in recent.values()} - {one["correlation_id"] for one in stored.values()}
        if others and not problems:
            stored |= await _stored(config, others)
    except TransientError as error:
        problems.append(str(error))
    if len(problems) > 1 and not stored:
        raise TransientError(" and ".join(problems))
    return Chain(_with_frames(merged(stored, recent)), tuple(problems))


async def _stored_chains(config: Settings, identifier: str) -> set[str]:
    """Correlation ids of what the ledger knows of an id."""
    from sqlalchemy import or_, select

    from faust_app.commands.reports import query
    from models.rows.audit import AuditRow
    from models.rows.trading import FillRow, OrderRow

    carries = or_(
        AuditRow.event_id == identifier,
        AuditRow.causation_id == identifier,
        AuditRow.correlation_id == identifier,
        AuditRow.data["order"]["order_id"].astext == identifier,
        AuditRow.data["order_id"].astext == identifier,
    )
    audited = select(AuditRow.correlation_id).where(carries).limit(MOST_EVENTS)
    ordered = select(OrderRow.correlation_id).where(OrderRow.order_id == identifier)
    filled = select(FillRow.correlation_id).where(FillRow.fill_id == identifier)
    return {row["correlation_id"] for row in await query(config, audited.union(ordered, filled))}


async def _stored(config: Settings, chains: set[str]) -> dict[str, Row]:
    from sqlalchemy import select

    from faust_app.commands.reports import query
    from models.rows.audit import AuditRow

    if not chains:
        return {}
    rows = await query(config, select(AuditRow.__table__).where(AuditRow.correlation_id.in_(chains)))
    return {row["event_id"]: _of_ledger(row) for row in rows}


def _of_ledger(row: Row) -> Row:
    at = row.pop("sent_at")
    if at is None and row["offset"] < 0:  # a command has written it before its message
        at = row["recorded_at"]
    return {**row, "at": at, "found_in": LEDGER}


async def _recent(config: Settings, identifier: str, chains: set[str], seconds: float) -> dict[str, Row]:
    """Events in the topics that carry the id, and those of their chains."""
    from faust_app.commands.kafka_reader import reader, recent
    from faust_app.runtime.topology import STAGES, consumed_topics

    ledger = next(stage for stage in STAGES if stage.name == "ledger")
    topics, since = consumed_topics(config, ledger, None), time.time() - seconds
    wanted, found = {identifier, *chains}, dict[str, Row]()
    async with reader(config) as consumer:
        for _ in range(MOST_ROUNDS):
            needles = [one.encode() for one in wanted]
            async for message in recent(config, consumer, topics, since):
                if message.value is not None and any(needle in message.value for needle in needles):
                    _note(found, message)
            more = {row["correlation_id"] for row in found.values() if identifier in ids_of(row)} - wanted
            if not more:
                break
            wanted |= more
    return {event_id: row for event_id, row in found.items() if row["correlation_id"] in wanted}


class _Event(msgspec.Struct):
    id: str
    type: str
    version: int
    broker: str
    key: str
    source: str
    occurred_at: datetime
    correlation_id: str
    causation_id: str | None
    trace_id: str
    data: dict[str, Any]


_decode = msgspec.json.Decoder(_Event).decode


def _note(found: dict[str, Row], message: Any) -> None:
    try:
        event = _decode(message.value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return  # it is in the dead letters
    row = msgspec.structs.asdict(event)
    event_id = row.pop("id")
    place = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
    at = datetime.fromtimestamp(message.timestamp / 1000, UTC) if message.timestamp > 0 else None
    found.setdefault(event_id, {"event_id": event_id, **row, **place, "at": at, "found_in": TOPICS})


def ids_of(row: Row) -> set[str | None]:
    """Every id an event can be found by, but for its chain's."""
    data = row["data"]
    order = data.get("order") or {}
    names = ("order_id", "signal_id", "fill_id")
    return {row["event_id"], row["causation_id"], *(part.get(name) for part in (data, order) for name in names)}


def merged(stored: dict[str, Row], recent: dict[str, Row]) -> dict[str, Row]:
    """The audit trail's rows, with what only the topics have: newer events, times of older rows."""
    rows = {**recent, **stored}
    for event_id, row in rows.items():
        if row["at"] is None and event_id in recent:
            row["at"] = recent[event_id]["at"]
    return rows


def _with_frames(events: dict[str, Row]) -> dict[str, Row]:
    """And a row for each frame the chains began with: what a signal says of it is enough."""
    found: dict[str, Row] = {}
    for row in events.values():
        for frame_id, received_ns in _origins(row["data"]):
            if frame_id and received_ns and frame_id == row["correlation_id"] and frame_id not in events:
                found.setdefault(frame_id, _frame(frame_id, received_ns, row))
    return {**found, **events}


def _origins(data: Row) -> Iterable[tuple[str | None, int]]:
    """(frame, when it was received) of every signal and order in an event."""
    for part in (data, data.get("order"), *(data.get("orders") or ()), data.get("origin"), data.get("signal")):
        if isinstance(part, dict):
            yield part.get("frame_id"), part.get("received_ns") or 0
            if part is not data and isinstance(part.get("origin"), dict):
                yield part["origin"].get("frame_id"), part["origin"].get("received_ns") or 0


def _frame(frame_id: str, received_ns: int, row: Row) -> Row:
    received = datetime.fromtimestamp(received_ns / 1e9, UTC)
    return {
        "event_id": frame_id, "type": FRAME, "version": 1, "broker": "shared", "key": "", "source": "market_feed",
        "occurred_at": row["occurred_at"], "correlation_id": frame_id, "causation_id": None, "trace_id": frame_id,
        "data": {}, "at": received, "found_in": SIGNAL,
    }  # fmt: skip


def in_order(events: dict[str, Row], chosen: set[str]) -> list[Row]:
    """By time, causes before effects, each with the seconds since its cause and since the chain's first moment."""
    rows = [events[one] for one in chosen]
    rows.sort(key=lambda row: (*_moment(row, events), row["occurred_at"], row["event_id"]))
    firsts: dict[str, datetime] = {}
    for row in rows:
        if row["at"] is not None:
            firsts.setdefault(row["correlation_id"], row["at"])
    return [
        {
            **row,
            "hop_seconds": _between(events.get(row["causation_id"] or "", {}).get("at"), row["at"]),
            "total_seconds": _between(firsts.get(row["correlation_id"]), row["at"]),
        }
        for row in rows
    ]


def _between(before: datetime | None, after: datetime | None) -> float | None:
    """Seconds. Kafka's times are whole milliseconds: what seems to be less than one back is none."""
    if before is None or after is None:
        return None
    seconds = (after - before).total_seconds()
    return 0.0 if -0.001 < seconds < 0 else round(seconds, 6)


def _relatives(events: dict[str, Row], wanted: set[str]) -> set[str]:
    """These events, what led to them and what follows from them."""
    kept: set[str] = set()
    for one in wanted:
        current: str | None = one
        while current in events and current not in kept:
            kept.add(current)
            current = events[current]["causation_id"]
    below = set(wanted)
    while more := {one for one, row in events.items() if row["causation_id"] in below} - below:
        below |= more
    return kept | (below & set(events))


def _moment(row: Row, events: dict[str, Row]) -> tuple[float, int]:
    """When it happened, which is not before its causes did, and how many of them it has."""
    latest, depth = _epoch(row), 0
    while row["causation_id"] in events and depth < len(events):
        row = events[row["causation_id"]]
        latest, depth = max(latest, _epoch(row)), depth + 1
    return latest, depth


def _epoch(row: Row) -> float:
    return 0.0 if row["at"] is None else float(row["at"].timestamp())
