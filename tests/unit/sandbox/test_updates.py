"""Order updates and the faults they suffer."""

from __future__ import annotations

import json

import pytest

from sandbox.updates import Updates
from tests.floor import Floor


@pytest.fixture
def floor() -> Floor:
    found = Floor()
    found.tick(1000)
    return found


async def test_update_is_the_whole_order_with_a_blank_checksum(floor: Floor) -> None:
    order = floor.place(price=1001, tag="mine")
    await floor.broker.updates.flush()
    (body,) = floor.sent
    assert (body["order_id"], body["tag"], body["status"]) == (order.order_id, "mine", "COMPLETE")
    assert (body["checksum"], body["unfilled_quantity"], body["filled_quantity"]) == ("", 0, 10)


async def test_updates_are_text_frames_of_type_order(floor: Floor) -> None:
    texts: list[str] = []

    async def send(text: str) -> None:
        texts.append(text)

    updates = Updates(floor.broker.faults, send)
    order = floor.place(price=990)
    updates.publish(order, order.status)
    assert updates.is_waiting
    await updates.flush()
    assert not updates.is_waiting
    assert set(json.loads(texts[0])) == {"type", "data"}


async def twice(floor: Floor) -> list[tuple[str, int]]:
    """Updates of an order that fills in two parts."""
    floor.tick(1000, sell=[(1000, 4)])
    floor.place(price=1000)
    floor.tick(1000, sell=[(1000, 40)])
    return await floor.updates()


@pytest.mark.parametrize(
    ("kind", "settings", "expected"),
    [
        ("update_lost", {"count": 1}, [("COMPLETE", 10)]),
        ("update_lost", {"period": 2}, [("UPDATE", 4)]),
        ("update_lost", {"instruments": ["NSE:TCS"]}, [("UPDATE", 4), ("COMPLETE", 10)]),
        ("update_duplicated", {"count": 1}, [("UPDATE", 4), ("UPDATE", 4), ("COMPLETE", 10)]),
        ("update_reordered", {"count": 1}, [("COMPLETE", 10), ("UPDATE", 4)]),
        ("update_after_complete", {}, [("UPDATE", 4), ("COMPLETE", 10), ("UPDATE", 5)]),
    ],
)
async def test_fault_of_updates(
    floor: Floor, kind: str, settings: dict[str, object], expected: list[tuple[str, int]]
) -> None:
    floor.fault(kind, **settings)
    assert await twice(floor) == expected
