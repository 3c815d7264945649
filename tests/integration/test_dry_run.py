"""A dry run: everything as if live, but the call. What would have been sent is told, and nothing arrives."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from faust_app.runtime.sections import Execution
from faust_app.runtime.topics import Topic
from models.messages.orders import OrderStatus
from tests.chaos.crashes import new_exchange, new_namespace, planned
from tests.chaos.live_world import LiveWorld, live_settings, quick
from tests.unit.runtime.redis_server import RedisServer

ORDERS = 6


async def test_a_dry_run_tells_every_order_and_sends_none(redis: RedisServer, tmp_path: Path) -> None:
    exchange = new_exchange()
    settings = live_settings(exchange, tmp_path / "session", redis.port, new_namespace())
    brokers = {name: one.model_copy(update={"execution": Execution.DRY_RUN}) for name, one in settings.brokers.items()}
    world = LiveWorld(exchange, settings.model_copy(update={"brokers": brokers}))
    wanted = [planned(Random(0), number, 0, world) for number in range(ORDERS)]
    try:
        with quick():
            for one in wanted:
                world.accept(one)
            await world.run_until(lambda: all(world.has_ended(one) for one in wanted), "orders end")
            calls = exchange.ask("GET", "/calls")
            failed = {one.order.order_id: one for one in world.events(Topic.ORDERS_FAILED)}
            await world.end()
    finally:
        exchange.stop()
    assert calls == []
    for one in wanted:
        told = failed[one.order_id]
        assert told.outcome is OrderStatus.REJECTED
        sent = json.loads(told.reason.removeprefix("Dry run, not sent: "))
        assert sent["tradingsymbol"] == one.instrument.partition(":")[2]
        assert (sent["quantity"], sent["tag"]) == (one.quantity, one.tag)
