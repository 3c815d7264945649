"""`alpha-panda trace`: the chain of events an id belongs to, from the tick's frame to the snapshot."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from faust_app.commands.output import AsJson, run, show
from faust_app.commands.reports import query
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.settings import Settings, settings

COLUMNS = ("occurred_at", "broker", "type", "source", "summary", "event_id", "causation_id")
MOST_EVENTS = 500


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def trace(
        identifier: Annotated[str, typer.Argument(help="Id of a frame, signal, order, fill, snapshot or any event.")],
        as_json: AsJson = False,
    ) -> None:
        """Print every event that led to an id or follows from it, in causal order."""
        rows = run(chain(settings(), identifier))
        if not rows:
            raise ConfigurationError(f"Nothing is known of {identifier!r}")
        show(rows, COLUMNS, as_json=as_json, empty="")


async def chain(config: Settings, identifier: str) -> list[dict[str, Any]]:
    """Events of the id's chain: ancestors and descendants of the events that carry it."""
    from sqlalchemy import or_, select

    from models.rows.audit import AuditRow
    from models.rows.trading import FillRow, OrderRow

    table = AuditRow.__table__
    carries = or_(
        AuditRow.event_id == identifier,
        AuditRow.causation_id == identifier,
        AuditRow.data["order"]["order_id"].astext == identifier,
        AuditRow.data["order_id"].astext == identifier,
    )
    of_order = select(OrderRow.correlation_id).where(OrderRow.order_id == identifier)
    roots = of_order.union(select(FillRow.correlation_id).where(FillRow.fill_id == identifier))
    starts = await query(config, select(table).where(carries).limit(MOST_EVENTS))
    found = await query(config, roots)
    correlations = {row["correlation_id"] for row in [*starts, *found]}
    if not correlations:
        correlations = {identifier}
    everything = await query(config, select(table).where(AuditRow.correlation_id.in_(correlations)))
    wanted = {row["event_id"] for row in starts}
    return in_order(everything, wanted if identifier not in correlations else set())


def in_order(events: list[dict[str, Any]], wanted: set[str]) -> list[dict[str, Any]]:
    """Causes before effects; with `wanted`, only their ancestors and descendants."""
    by_id = {row["event_id"]: row for row in events}
    kept = _relatives(by_id, wanted) if wanted else set(by_id)
    rows = sorted(
        (by_id[one] for one in kept), key=lambda row: (_depth(row, by_id), row["occurred_at"], row["event_id"])
    )
    return [{**row, "summary": summary(row)} for row in rows]


def _relatives(by_id: dict[str, dict[str, Any]], wanted: set[str]) -> set[str]:
    kept = set()
    for one in wanted:
        current: str | None = one
        while current in by_id:
            kept.add(current)
            current = by_id[current]["causation_id"]
    below = set(wanted)
    while True:
        more = {one for one, row in by_id.items() if row["causation_id"] in below} - below
        if not more:
            return kept | (below & set(by_id))
        below |= more


def _depth(row: dict[str, Any], by_id: dict[str, dict[str, Any]]) -> int:
    depth = 0
    while row["causation_id"] in by_id and depth < len(by_id):
        row = by_id[row["causation_id"]]
        depth += 1
    return depth


def summary(row: dict[str, Any]) -> str:
    """One line on what the event says."""
    data = row["data"]
    order = data.get("order", {})
    names = ("code", "outcome", "status", "intent", "quantity", "cumulative_quantity", "price", "equity", "reason")
    parts = [f"{name}={data[name]}" for name in names if data.get(name) not in (None, "")]
    what = order.get("instrument") or data.get("instrument") or data.get("account") or ""
    side = order.get("side") or data.get("side") or ""
    return " ".join(filter(None, (what, side, *parts)))
