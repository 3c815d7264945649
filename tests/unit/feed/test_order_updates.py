"""Text frames of the socket: order updates are passed on as they came, everything else is let go."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.feed.order_updates import OrderUpdates, order_in
from faust_app.runtime.codec import decode
from faust_app.runtime.topics import Topics
from models.messages.orders import LARGEST_PUSH, OrderPushed
from tests.unit.runtime.configurations import configured

ORDER = {"order_id": "1", "instrument_token": 408_065, "tag": "ours", "status": "COMPLETE", "average_price": 1500.05}


def text(kind: str = "order", data: Any = ORDER) -> bytes:
    return json.dumps({"type": kind, "data": data}).encode()


def test_an_update_goes_to_each_live_broker_in_the_partition_of_its_instrument() -> None:
    topics = Topics(configured())
    updates = OrderUpdates(topics, ["zerodha"], lambda token: f"group {token}", source="market_feed")
    (output,) = updates.outputs(text(), 1_787_200_000.7)
    assert output.topic == "zerodha.orders.updates"
    assert (output.key, output.partition) == (b"group 408065", topics.partition("group 408065"))
    envelope = decode(OrderPushed, output.value)
    assert json.loads(envelope.data.raw) == ORDER
    assert (envelope.broker, envelope.data.received_at) == ("zerodha", 1_787_200_000)
    assert OrderUpdates(topics, [], str, source="market_feed").outputs(text(), 1.0) == []


@pytest.mark.parametrize(
    "payload",
    [
        text("error", "Invalid token"),
        text("message", {"instrument_token": 1}),
        text(data=None),
        text(data=[]),
        text(data={"instrument_token": "many"}),
        text(data={"instrument_token": -1}),
        text(data={**ORDER, "meta": "x" * LARGEST_PUSH}),
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"null",
    ],
)
def test_what_is_no_order_update_is_let_go(payload: bytes) -> None:
    assert order_in(payload) is None


def test_an_update_without_a_token_is_passed_on_all_the_same() -> None:
    assert order_in(text(data={"order_id": "1"})) == ('{"order_id": "1"}', 0)
