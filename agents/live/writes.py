"""The dispatcher's calls, as Zerodha's client makes them, or as a dry run does not."""

from __future__ import annotations

import msgspec
import structlog

from agents.order_lines import about
from brokers.answers import Answer, RefusalKind, Refused, Taken
from brokers.zerodha.client import ZerodhaClient
from brokers.zerodha.mapping import REGULAR, Row, order_fields
from faust_app.runtime import metrics
from models.messages.orders import PlannedOrder

log = structlog.get_logger(__name__)
DRY_RUN = "Dry run, not sent: "


class ZerodhaWrites:
    """Each order is sent once."""

    def __init__(self, broker: str, client: ZerodhaClient) -> None:
        self._broker = broker
        self._client = client

    async def place(self, order: PlannedOrder) -> Answer:
        """Send an order."""
        return self._counted("place", await self._client.place(REGULAR, order_fields(order)))

    async def cancel(self, broker_order_id: str) -> Answer:
        """Ask to cancel an order."""
        return self._counted("cancel", await self._client.cancel(REGULAR, broker_order_id))

    async def place_trigger(self, fields: Row) -> Answer:
        """Place a trigger; taken names its number."""
        return self._counted("place_trigger", await self._client.place_trigger(fields))

    async def modify_trigger(self, trigger_id: str, fields: Row) -> Answer:
        """Give a trigger other terms."""
        return self._counted("modify_trigger", await self._client.modify_trigger(trigger_id, fields))

    async def delete_trigger(self, trigger_id: str) -> Answer:
        """Remove a trigger."""
        return self._counted("delete_trigger", await self._client.delete_trigger(trigger_id))

    def _counted(self, call: str, answer: Answer) -> Answer:
        metrics.BROKER_CALLS.labels(self._broker, call, type(answer).__name__.lower()).inc()
        return answer


class DryRun:
    """Everything but the call: what would have been sent is the reason the order ends with, in the audit trail."""

    async def place(self, order: PlannedOrder) -> Answer:
        """Tell what would have been sent."""
        fields = msgspec.json.encode(order_fields(order)).decode()
        log.info("dry_run", **about(order), order=fields)
        return Refused(RefusalKind.REJECTED, f"{DRY_RUN}{fields}")

    async def cancel(self, broker_order_id: str) -> Answer:
        """Nothing rests anywhere."""
        return Taken(broker_order_id)

    async def place_trigger(self, fields: Row) -> Answer:
        """Tell what would have been sent."""
        return self._told("place", fields)

    async def modify_trigger(self, trigger_id: str, fields: Row) -> Answer:
        """Tell what would have been sent."""
        return self._told(f"modify {trigger_id}", fields)

    async def delete_trigger(self, trigger_id: str) -> Answer:
        """Tell what would have been removed."""
        return self._told(f"delete {trigger_id}", {})

    def _told(self, what: str, fields: Row) -> Answer:
        told = f"{what} {msgspec.json.encode(fields).decode()}"
        log.info("dry_run", trigger=told)
        return Refused(RefusalKind.REJECTED, f"{DRY_RUN}{told}")
