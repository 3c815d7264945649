"""The engine's handlers one message at a time: redelivery, cancels, what is counted."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from faust_app.runtime import metrics
from faust_app.runtime.codec import decode_any, encode, event_time, root
from faust_app.runtime.consume import Record
from faust_app.runtime.errors import DecodeError
from faust_app.runtime.topics import Topic
from models.messages.orders import CancelSubmitted, OrderStatus, OrderUpdate
from tests.engine_loop import Loop
from tests.factories import AT, TOKEN, limit_order, order, tick, update
from trading.matching.rules import MatchingRules

OPEN = AT + 3600  # 09:45 IST


def loop() -> Loop:
    return Loop(MatchingRules())


def planned(**values: Any) -> Any:
    return order(event_time=OPEN, **values)


def reports(one: Loop) -> list[OrderStatus]:
    return [decode_any(raw).data.status for raw in one._logs.get("paper.orders.updates", ())]


def deliver(one: Loop, handler: Any, body: Any, offset: int = 0, topic: str = "paper.orders.updates") -> Any:
    envelope = root(body, message_id=f"{offset}", broker="paper", key="k", source="test", at=event_time(OPEN))
    return asyncio.run(handler(Record(topic, 0, offset, None, encode(envelope), {})))


def test_reports_of_a_frame_that_was_never_counted_are_sent_again_though_nothing_rests_any_more() -> None:
    one = loop()
    one.accept(planned())
    one.settle()
    one._logs["paper.orders.updates"].clear()
    one._send = lambda outputs: None  # type: ignore[method-assign, assignment]  # the worker dies before it sends
    one.frame(OPEN + 1, tick(sequence=2, at=OPEN + 1))
    del one._send
    one._done["market.ticks"] = 0
    one.engine = one._new_engine()
    one._handle("market.ticks")
    assert reports(one) == [OrderStatus.FILLED]


def test_frames_that_come_again_before_it_do_not_make_it_forget() -> None:
    one = loop()
    one.accept(planned())
    one.settle()
    one.frame(OPEN)
    one._logs["paper.orders.updates"].clear()
    one._send = lambda outputs: None  # type: ignore[method-assign, assignment]
    one.frame(OPEN + 1, tick(sequence=2, at=OPEN + 1))
    del one._send
    one._done["market.ticks"] = 0
    one.engine = one._new_engine()
    one._handle("market.ticks")
    one._handle("market.ticks")
    assert reports(one) == [OrderStatus.FILLED]


def test_a_cancel_intent_ends_what_rests() -> None:
    one = loop()
    resting = limit_order("1400", event_time=OPEN)
    one.accept(resting)
    one.settle()
    one.frame(OPEN + 1)
    cancel = CancelSubmitted(
        order_id=resting.order_id,
        account=resting.account,
        strategy=resting.strategy,
        instrument=resting.instrument,
        instrument_token=TOKEN,
        reason="",
        event_time=OPEN + 1,
    )
    topic = one._names[Topic.ORDERS_SUBMITTED]
    assert deliver(one, one.engine.on_submitted, cancel, 7, topic).outputs == []
    one.frame(OPEN + 2)
    assert reports(one) == [OrderStatus.WORKING, OrderStatus.CANCELLED]
    one.settle()
    again = deliver(one, one.engine.on_submitted, cancel, 8, topic)
    assert again.outputs == []


def test_other_messages_on_the_topic_of_intents_are_refused() -> None:
    one = loop()
    with pytest.raises(DecodeError, match=r"order\.update message is no intent"):
        deliver(one, one.engine.on_submitted, update(OrderStatus.WORKING))


def value(metric: Any, *labels: str) -> float:
    return float(metric.labels(*labels)._value.get())


def test_a_status_nobody_knows_is_counted_and_the_order_works_on() -> None:
    one = loop()
    one.accept(planned())
    one.settle()
    before = value(metrics.UNKNOWN_STATUSES, "paper")
    told: OrderUpdate = update(OrderStatus.WORKING, of=planned(), unknown_status="LAPSED")
    deliver(one, one.engine.on_update, told, 50)
    assert value(metrics.UNKNOWN_STATUSES, "paper") == before + 1
    row = one.engine._orders.row(planned().order_id)
    assert row is not None
    assert row[1].status is OrderStatus.WORKING


def test_an_overfill_is_counted_by_its_kind_and_booked() -> None:
    one = loop()
    one.accept(planned())
    one.settle()
    before = value(metrics.ORDER_ALARMS, "paper", "overfill")
    decision = deliver(one, one.engine.on_update, update(OrderStatus.FILLED, 11, "100", of=planned()), 50)
    decision.delivered()
    assert value(metrics.ORDER_ALARMS, "paper", "overfill") == before + 1
    (filled,) = [decode_any(output.value).data for output in decision.outputs]
    assert (filled.quantity, filled.complete) == (11, True)


def test_a_held_order_that_is_denied_is_no_longer_open() -> None:
    one = loop()
    entry = planned(order_id="entry", stop_loss=Decimal(1400))
    one.accept(entry)
    one.settle()
    before = value(metrics.ORDERS_OPEN, "paper")
    for second in range(1, 4):
        one.frame(OPEN + second)
        one.frame(OPEN + second, tick(sequence=second + 1, at=OPEN + second))
        one.settle()
    one.accept(planned(order_id="own", side=entry.side.opposite, reduces=True))
    one.settle()
    assert value(metrics.ORDERS_OPEN, "paper") == before + 1, "the entry is filled, its stop and the own exit are open"
    row = one.engine._orders.row("own")
    assert row is not None
    assert row[1].held
    stop = next(record for _, record in one.engine._orders.states() if record.order.oco_group)
    deliver(one, one.engine.on_update, update(OrderStatus.FILLED, 10, "1400", of=stop.order), 90).delivered()
    one.frame(OPEN + 9)
    assert value(metrics.ORDERS_OPEN, "paper") == before - 1
    row = one.engine._orders.row("own")
    assert row is not None
    assert row[1].status is OrderStatus.DENIED_LATE
