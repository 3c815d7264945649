"""What an engine asks of its broker, whether the paper exchange or a live one."""

from __future__ import annotations

from typing import Protocol

from faust_app.runtime.consume import Record
from models.messages.envelope import Envelope
from models.messages.orders import CancelSubmitted, OrderPushed, OrderSubmitted, OrderUpdate
from models.messages.protection import TriggerMessage
from models.messages.ticks import TickFrame
from tables.journal import Output
from trading.orders.state import OrderRecord


class Execution(Protocol):
    """Called by the engine's agents only. Reports on orders come as messages on `{b}.orders.updates`."""

    def group(self, token: int) -> str:
        """Co-location group of an instrument."""

    def forget(self) -> None:
        """Partitions moved: read the tables again."""

    def remember(self, partition: int, frame: TickFrame, raw: bytes) -> None:
        """A frame that was handled before a restart."""

    def place(self, record: Record, known: OrderRecord, cause: Envelope[OrderSubmitted]) -> list[Output]:
        """Take an order in whose intent is durable; what is to be sent at once."""

    def cancel(self, record: Record, body: CancelSubmitted) -> list[Output]:
        """Cancel what rests of an order; what is to be sent at once."""

    def on_frame(self, record: Record, frame: TickFrame) -> list[Output]:
        """The market has moved; what is to be sent at once."""

    def read(self, pushed: OrderPushed) -> OrderUpdate | None:
        """The report in an update from the socket; None when it is of no order of ours."""

    def resumed(self) -> None:
        """The socket is connected again: updates may have been missed."""

    def on_trigger(self, record: Record, body: TriggerMessage) -> list[Output]:
        """Keep what is told of a trigger at the exchange; what is to be sent at once."""

    def noted_trigger(self, message_id: str) -> None:
        """What was told of a trigger is stored."""

    def noted(self, order_id: str) -> None:
        """An order's record was stored, and everything that follows from it is sent."""
