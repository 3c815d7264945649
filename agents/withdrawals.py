"""Taking orders back, on the engine's side: what is in the way of leaving a position, and exits that find no market.

Looks at the working orders every second, on the clock at the exchange, and sends cancels as intents, like every other.
While the feed is silent it also moves the clock of the brackets at a live broker, which frames move otherwise: the
exits of an operator or of the square-off wait for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import structlog

from agents.order_desk import OrderDesks
from agents.order_lines import about
from faust_app.runtime import metrics
from faust_app.runtime.app import Worker
from faust_app.runtime.codec import chained, encode
from faust_app.runtime.exchange_clock import ExchangeClock
from faust_app.runtime.publisher import SEND_FAILURES
from faust_app.runtime.topics import Topic
from faust_app.runtime.trading_state import TradingStateView
from models.messages import ids
from models.messages.orders import CancelSubmitted, ClockMoved, Product
from tables.journal import Output
from tables.states import StateTable
from trading.market.instruments import Instrument
from trading.market.sessions import square_off, trading_day
from trading.orders.state import OrderRecord
from trading.orders.withdrawals import Withdrawal, withdrawal

log = structlog.get_logger(__name__)
SECONDS = 1.0  # between two looks
SILENT_SECONDS = 3.0  # without a frame, before the brackets' clock is moved from here
SILENT_RUN = "silence"


class Withdrawals:
    """The working orders of one broker. `group` gives the co-location group of an instrument."""

    def __init__(
        self,
        worker: Worker,
        orders: StateTable[OrderRecord],
        trading_state: TradingStateView,
        desks: OrderDesks,
        find: Callable[[int], Instrument | None],
        clock: ExchangeClock,
        *,
        group: Callable[[int], str],
    ) -> None:
        settings = worker.settings.brokers[worker.broker]
        self._worker = worker
        self._broker = worker.broker
        self._orders = orders
        self._trading_state = trading_state
        self._desks = desks
        self._find = find
        self._group = group
        self._is_at_the_broker = settings.execution.is_at_the_broker
        self._deadline_seconds = settings.exit_deadline_seconds
        self._lead = settings.square_off_lead_seconds
        self._open: set[str] = set()
        self._is_recovered = False
        self._sent: set[str] = set()  # ids of intents that are durable
        self._clock = clock
        trading_state.on_flatten(self.left)

    def forget(self) -> None:
        """Partitions moved: look at the table again."""
        self._sent.clear()
        self._is_recovered = True
        self._open = {order_id for order_id, record in self._orders.states() if record.is_open}

    def noted(self, order_id: str) -> None:
        """A record was stored."""
        row = self._orders.row(order_id)
        if row is not None and row[1].is_open:
            self._open.add(order_id)
        else:
            self._open.discard(order_id)

    def _working(self) -> Iterator[OrderRecord]:
        rows = (self._orders.row(order_id) for order_id in sorted(self._open))
        return (row[1] for row in rows if row is not None and row[1].is_open)

    def left(self) -> list[str] | None:
        """Working orders of those whose positions an operator wants closed, a line each; None while nobody knows."""
        if not self._is_recovered:
            return None
        wanted = self._trading_state.flattening(self._broker)
        return [_described(one) for one in self._working() if wanted.concerns(one.order.strategy)]

    async def run(self) -> None:
        """Look every second, until cancelled."""
        while True:
            await asyncio.sleep(SECONDS)
            await self.once()

    async def once(self) -> None:
        """Send the cancels that are due now, and move the brackets' clock when nobody else does."""
        second = self._clock.second
        outputs = dict(self._cancels(second))
        outputs |= dict(self._clock_moves(second))
        try:
            await self._worker.publisher.send_all(list(outputs.values()))
        except SEND_FAILURES as error:
            log.warning("withdrawals_wait_for_kafka", error=type(error).__name__)
        else:
            self._sent |= outputs.keys()

    def _cancels(self, second: int) -> Iterator[tuple[str, Output]]:
        wanted = self._trading_state.flattening(self._broker)
        for record in list(self._working()):
            is_wanted = wanted.concerns(record.order.strategy)
            found = withdrawal(
                record,
                leaves=is_wanted or self._is_squared_off(record, second),
                waited_seconds=self._waited(record, second) if self._is_at_the_broker or is_wanted else 0,
                deadline_seconds=self._deadline_seconds,
            )
            if found is None:
                continue
            cause = "overdue" if found.is_overdue else f"flatten {wanted.revision if is_wanted else 0}"
            message_id = ids.withdrawal_id(record.order.order_id, cause)
            if message_id not in self._sent:
                self._tell(record, found)
                yield message_id, self._cancel(record, found, message_id, second)

    def _is_squared_off(self, record: OrderRecord, second: int) -> bool:
        """Of a broker at the exchange; the paper exchange cancels intraday orders itself."""
        if not self._is_at_the_broker or record.order.product is not Product.MIS:
            return False
        due = square_off(self._find(record.order.instrument_token), trading_day(second))
        return due is not None and second >= due - self._lead

    def _waited(self, record: OrderRecord, second: int) -> int:
        """Seconds since the call, on the paper exchange since the order."""
        if self._is_at_the_broker:
            return second - record.attempted_at if record.attempted_at else 0
        return 0 if record.held else second - max(record.order.event_time, record.not_before)

    def _tell(self, record: OrderRecord, found: Withdrawal) -> None:
        (metrics.EXITS_OVERDUE if found.is_overdue else metrics.ORDERS_WITHDRAWN).labels(self._broker).inc()
        level = log.error if found.is_overdue else log.info
        level("order_withdrawn", **about(record.order), reason=found.reason, overdue=found.is_overdue)

    def _cancel(self, record: OrderRecord, found: Withdrawal, message_id: str, second: int) -> Output:
        order = record.order
        body = CancelSubmitted(
            order_id=order.order_id,
            account=order.account,
            strategy=order.strategy,
            instrument=order.instrument,
            instrument_token=order.instrument_token,
            reason=found.reason,
            event_time=second,
            is_overdue=found.is_overdue,
        )
        cause = ids.order_event_id("submitted", order.order_id)
        group = self._group(order.instrument_token)
        partition = self._worker.topics.partition(group)
        return self._output(Topic.ORDERS_SUBMITTED, body, message_id, group, partition, (order.frame_id, cause))

    def _clock_moves(self, second: int) -> Iterator[tuple[str, Output]]:
        if not self._is_at_the_broker or self._clock.silent_seconds < SILENT_SECONDS:
            return
        for partition in self._desks.waiting:
            message_id = ids.clock_id(self._broker, partition, second)
            body = ClockMoved(run_id=SILENT_RUN, at=second)
            key = f"{SILENT_RUN}-{partition}"
            yield message_id, self._output(Topic.ORDERS_UPDATES, body, message_id, key, partition, (message_id, None))

    def _output(
        self,
        topic: Topic,
        body: CancelSubmitted | ClockMoved,
        message_id: str,
        key: str,
        partition: int,
        chain: tuple[str, str | None],
    ) -> Output:
        """`chain` is the root of the chain, and what the message follows from."""
        envelope = chained(
            body,
            message_id=message_id,
            broker=self._broker,
            key=key,
            source=self._worker.stage,
            at=body.event_time if isinstance(body, CancelSubmitted) else body.at,
            first=chain[0],
            cause=chain[1],
        )
        return Output(self._worker.topics.name(topic, self._broker), key.encode(), encode(envelope), partition)


def _described(record: OrderRecord) -> str:
    order, rest = record.order, record.order.quantity - record.filled_quantity
    return f"{order.side.value} {rest} {order.instrument} of {order.strategy}: {record.status.value}"
