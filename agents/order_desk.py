"""The order desk of each partition: admits orders, and looks at the brackets when the partition's clock moves.

Orders and cancels it decides on go to `{b}.orders.submitted`, the durable intent, like every other order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from agents.events import Events
from faust_app.runtime.codec import chained
from faust_app.runtime.consume import Record
from faust_app.runtime.topics import Topic
from models.messages import ids
from models.messages.envelope import Envelope
from models.messages.orders import CancelSubmitted, OrderFailed, OrderSubmitted, PlannedOrder
from models.messages.ticks import TickFrame
from tables.journal import Output
from tables.states import StateTable, Transaction
from trading.market.instruments import Instrument
from trading.market.sessions import Phase, phase, trading_day
from trading.orders.brackets import Glance
from trading.orders.desk import Change, Effect, OrderDesk, Release, Send
from trading.orders.state import Alarm, OrderRecord

LOOKED_PREFIX = "#looked/"
FindInstrument = Callable[[int], Instrument | None]


class OrderDesks:
    """One desk per partition, rebuilt from the orders table, and the last prices of its bracketed instruments."""

    def __init__(
        self,
        orders: StateTable[OrderRecord],
        events: Events,
        find: FindInstrument,
        *,
        stage: str,
        broker: str,
        told: Callable[[Alarm | OrderFailed, PlannedOrder], None],
    ) -> None:
        self._orders = orders
        self._events = events
        self._find = find
        self._stage = stage
        self._broker = broker
        self._told = told
        self._desks: dict[int, OrderDesk] = defaultdict(OrderDesk)
        self._last: dict[int, tuple[Decimal, int]] = {}  # token -> last price and its tick's sequence

    def rebuild(self, partition_of: Callable[[PlannedOrder], int]) -> None:
        """Partitions moved: read the table again."""
        found: dict[int, list[OrderRecord]] = defaultdict(list)
        for _, record in self._orders.states():
            found[partition_of(record.order)].append(record)
        self._last.clear()
        self._desks.clear()
        self._desks.update({partition: OrderDesk(records) for partition, records in found.items()})

    def admit(self, partition: int, order: PlannedOrder, refusal: str) -> Change:
        """The record of a new order: to be sent, held or denied."""
        return self._desks[partition].admit(order, refusal)

    def adopt(self, partition: int, body: OrderSubmitted) -> list[Change]:
        """The record of an order that is at the broker already, then those of brackets that leave it their units."""
        return self._desks[partition].adopt(body.order, body.broker_order_id, body.attempted_at, self._record)

    def note(self, partition: int, record: OrderRecord) -> None:
        """A record was stored."""
        self._desks[partition].note(record)

    @property
    def waiting(self) -> list[int]:
        """Partitions in which something may have to be done when the clock moves."""
        return [partition for partition, desk in self._desks.items() if desk.watched()]

    def _record(self, order_id: str) -> OrderRecord | None:
        row = self._orders.row(order_id)
        return None if row is None else row[1]

    def forget_before(self, partition: int, at: int, is_here: Callable[[PlannedOrder], bool]) -> None:
        """Drop the finished orders of days before event second `at` that no bracket looks at any more."""
        desk, today = self._desks[partition], trading_day(at)
        needed = desk.needed(at, self._record)
        for order_id, record in self._orders.states():
            is_old = not record.is_open and trading_day(record.updated_at) < today
            if is_old and order_id not in needed and is_here(record.order):
                self._orders.delete(order_id)
                desk.forget(record.order)

    def on_frame(self, record: Record, frame: TickFrame) -> list[Output]:
        """What the brackets do when the clock moves, which a frame without ticks says; else note its last prices."""
        desk = self._desks[record.partition]
        if frame.ticks:
            self.remember(record.partition, frame)
            return []
        watched = desk.watched()
        return self._look(record, frame, desk, watched) if watched else []

    def remember(self, partition: int, frame: TickFrame) -> None:
        """Note a frame's last prices where there are brackets."""
        tokens = self._desks[partition].tokens
        if tokens:
            self._last |= {
                tick.instrument_token: (tick.last_price, tick.sequence)
                for tick in frame.ticks
                if tick.instrument_token in tokens
            }

    def _look(self, record: Record, frame: TickFrame, desk: OrderDesk, watched: list[int]) -> list[Output]:
        """Once in a second. A frame that comes again only has its outputs sent again."""
        seen_key, second = f"{LOOKED_PREFIX}{record.partition}", f"{frame.run_id}/{frame.event_time}".encode()
        is_first = self._orders.raw.get(seen_key) != second
        with self._orders.transaction(record.source, record.offset) as change:
            made: list[Change] = []
            for token in watched:
                applied = [order_id for order_id in desk.order_ids(token) if change.applied(order_id)]
                if is_first and not applied:
                    made += self._look_at(change, frame, desk, token)
            outputs = change.commit()
        self._orders.raw[seen_key] = second
        for one in made:
            desk.note(one.record)
        return outputs

    def _look_at(self, change: Transaction[OrderRecord], frame: TickFrame, desk: OrderDesk, token: int) -> list[Change]:
        price, sequence = self._last.get(token, (None, 0))
        glance = Glance(
            second=frame.event_time,
            is_continuous=phase(self._find(token), frame.event_time) is Phase.CONTINUOUS,
            price=price,
            sequence=sequence,
            run_id=frame.run_id,
            received_ns=frame.received_ns,
        )
        made = desk.look(token, glance, self._record)
        for one in made:
            change.put(one.record.order.order_id, one.record, self.outputs(one))
        return made

    def outputs(self, change: Change, cause: Envelope[Any] | None = None) -> list[Output]:
        """Messages of what follows from a change. Alarms and denials are told to the engine, too."""
        found = [self._output(effect, change.record.order, cause) for effect in change.effects]
        return [one for one in found if one is not None]

    def _output(self, effect: Effect, order: PlannedOrder, cause: Envelope[Any] | None) -> Output | None:
        match effect:
            case Send():
                return self._intent(OrderSubmitted(order=effect.order), effect.order, order)
            case Release():
                again = OrderSubmitted(order=order, not_before=effect.not_before, after_sequence=effect.after_sequence)
                return self._intent(again, order, order)
            case CancelSubmitted():
                return self._intent(effect, order, order)
            case OrderFailed():
                self._told(effect, order)
                return self._failed(effect, cause)
            case Alarm():
                self._told(effect, order)
                return None

    def _intent(self, body: OrderSubmitted | CancelSubmitted, of: PlannedOrder, because_of: PlannedOrder) -> Output:
        if isinstance(body, CancelSubmitted):
            message_id, at = ids.cancel_id(body.order_id, body.event_time), body.event_time
        else:
            message_id, at = ids.order_event_id("submitted", of.order_id), max(of.event_time, body.not_before)
        group = self._group(of.instrument_token)
        envelope = self._envelope(body, message_id, group, because_of, at)
        return self._events.in_group(Topic.ORDERS_SUBMITTED, envelope, group)

    def _failed(self, failed: OrderFailed, cause: Envelope[Any] | None) -> Output:
        order, message_id = failed.order, ids.order_event_id("failed", failed.order.order_id)
        if cause is None:
            cause = self._envelope(failed, message_id, order.account, order, failed.event_time)
        return self._events.by_account(
            Topic.ORDERS_FAILED,
            failed,
            message_id=message_id,
            cause=cause,
            account=order.account,
            at=failed.event_time,
        )

    def _envelope(
        self, body: msgspec.Struct, message_id: str, key: str, because_of: PlannedOrder, at: int
    ) -> Envelope[Any]:
        """What the clock brings about follows from the intent of the order it concerns."""
        return chained(
            body,
            message_id=message_id,
            broker=self._broker,
            key=key,
            source=self._stage,
            at=at,
            first=because_of.frame_id,
            cause=ids.order_event_id("submitted", because_of.order_id),
        )

    def _group(self, token: int) -> str:
        instrument = self._find(token)
        return str(token) if instrument is None else instrument.co_location_group
