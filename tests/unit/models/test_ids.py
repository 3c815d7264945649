"""Ids repeat with their content and differ with it."""

from __future__ import annotations

import re
from itertools import product
from uuid import UUID, uuid5

from models.messages import ids


def test_a_signal_id_repeats_with_its_content() -> None:
    first, second = (ids.signal_id("run", "momentum", "paper", 1, 2, 3) for _ in range(2))
    assert first == second
    assert UUID(first).version == 5


def test_ids_are_those_of_the_standard() -> None:
    for number in range(200):
        assert ids.order_id(f"signal {number}", number) == str(
            uuid5(ids.NAMESPACE, "\x1f".join(("order", f"signal {number}", str(number))))
        )


def test_each_part_of_a_signal_makes_its_id_another() -> None:
    texts, numbers = product(("a", "b"), repeat=3), list(product((1, 2), repeat=3))
    found = {ids.signal_id(a, b, c, d, e, f) for a, b, c in texts for d, e, f in numbers}
    assert len(found) == 2**6


def test_neighbouring_parts_do_not_run_into_each_other() -> None:
    assert ids.signal_id("run", "a", "b", 1, 12, 3) != ids.signal_id("run", "a", "b", 11, 2, 3)
    assert ids.signal_id("run", "ab", "c", 1, 2, 3) != ids.signal_id("run", "a", "bc", 1, 2, 3)


def test_events_of_one_order_have_different_ids() -> None:
    order = ids.order_id("signal", 0)
    found = [
        order,
        ids.order_id("signal", 1),
        ids.decision_id("signal"),
        *(ids.order_event_id(kind, order) for kind in ("submitted", "acknowledged", "failed")),
        *(ids.fill_id(order, quantity) for quantity in (1, 2)),
        *(ids.update_id(order, "working", quantity) for quantity in (0, 1)),
        ids.update_id(order, "filled", 1),
        ids.snapshot_id("paper:main", "fill"),
    ]
    assert len(set(found)) == len(found)


def test_a_tag_is_one_kite_takes_and_belongs_to_its_order() -> None:
    tags = [ids.order_tag(ids.order_id("signal", number)) for number in range(1000)]
    assert all(re.fullmatch(r"[0-9a-f]{20}", tag) for tag in tags)
    assert len(set(tags)) == len(tags)
    assert tags[0] == ids.order_tag(ids.order_id("signal", 0))
