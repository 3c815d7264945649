"""Order updates seen on the socket: passed on as they came, to the live brokers' engines, which know the orders.

They are hints. One that is lost is found in the order book, one that comes twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
import structlog

from faust_app.runtime import metrics
from faust_app.runtime.codec import encode, event_time, new_id, root
from faust_app.runtime.topics import Topic, Topics
from models.messages.orders import LARGEST_PUSH, OrderPushed, UpdatesResumed
from tables.journal import Output

log = structlog.get_logger(__name__)


class TextFrame(msgspec.Struct, frozen=True):
    """A text frame of Kite: `order`, `error` or `message`."""

    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class Named(msgspec.Struct, frozen=True):
    """What of an order has to be known to pass it on."""

    instrument_token: int = 0


def order_in(payload: bytes) -> tuple[str, int] | None:
    """The order's JSON and its instrument token; None for every other frame, also for one that cannot be read."""
    try:
        frame = msgspec.json.decode(payload, type=TextFrame)
        if frame.type != "order":
            return None
        raw = bytes(frame.data)
        token = msgspec.json.decode(raw, type=Named).instrument_token
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    text = raw.decode(errors="replace")
    return (text, token) if token >= 0 and len(text) <= LARGEST_PUSH else None


class OrderUpdates:
    """Makes messages of text frames. `group` is the co-location group of an instrument token."""

    def __init__(self, topics: Topics, brokers: Iterable[str], group: Callable[[int], str], *, source: str) -> None:
        self._topics = topics
        self._brokers = tuple(brokers)
        self._group = group
        self._source = source

    def outputs(self, payload: bytes, received: float) -> list[Output]:
        """Messages of a text frame received at epoch second `received`; none when no live broker is enabled."""
        found = order_in(payload)
        metrics.FEED_TEXT_FRAMES.labels("other" if found is None else "order").inc()
        if found is None:
            return []
        text, token = found
        group = self._group(token)
        body = OrderPushed(raw=text, received_at=int(received))
        return [self._output(body, broker, group) for broker in self._brokers]

    def resumed(self, at: float) -> list[Output]:
        """Messages of a connection that was made at epoch second `at`: what came before it may be lost."""
        return [self._output(UpdatesResumed(at=int(at)), broker, self._source) for broker in self._brokers]

    def _output(self, body: OrderPushed | UpdatesResumed, broker: str, group: str) -> Output:
        envelope = root(
            body,
            message_id=new_id(),
            broker=broker,
            key=group,
            source=self._source,
            at=event_time(body.at if isinstance(body, UpdatesResumed) else body.received_at),
        )
        name = self._topics.name(Topic.ORDERS_UPDATES, broker)
        return Output(name, group.encode(), encode(envelope), self._topics.partition(group))
