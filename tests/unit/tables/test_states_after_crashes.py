"""Crashes at every point between deciding, writing, sending and committing: one effect and one set of outputs each."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tables.journal import Output
from tables.states import StateTable

SOURCE = "topic/0"
KEYS = ("a", "b", "c")


class Balance(msgspec.Struct):
    """A state whose outputs depend on all that came before."""

    total: int = 0


class Recorded(dict[str, bytes]):
    """A table that lists its writes in order, as a changelog does."""

    def __init__(self, durable: list[tuple[str, bytes]]) -> None:
        super().__init__()
        for key, value in durable:
            super().__setitem__(key, value)
        self.writes: list[tuple[str, bytes]] = []

    def __setitem__(self, key: str, value: bytes) -> None:
        super().__setitem__(key, value)
        self.writes.append((key, value))


def decide(table: StateTable[Balance], offset: int, keys: tuple[str, ...]) -> list[Output]:
    with table.transaction(SOURCE, offset) as change:
        for key in keys:
            if change.applied(key):
                continue
            state = change.get(key) or Balance()
            state.total = state.total * 3 + offset + 1
            text = f"{offset}/{key}={state.total}"
            change.put(key, state, [Output("out", key.encode(), text.encode())])
        return change.commit()


messages = st.lists(
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True).map(tuple), min_size=1, max_size=12
)


@settings(max_examples=150, deadline=None)
@given(messages, st.data())
def test_every_effect_happens_once_and_every_output_is_sent_the_same(log: list[tuple[str, ...]], data: Any) -> None:
    durable: list[tuple[str, bytes]] = []  # what the changelog has
    sent: dict[str, set[bytes]] = {}  # by message and key
    committed, crashes = 0, 0
    table = Recorded(durable)
    states = StateTable(table, Balance)
    position = 0
    while committed < len(log):
        group = range(position, min(len(log), position + data.draw(st.integers(1, 4), label="group")))
        outputs = [one for offset in group for one in decide(states, offset, log[offset])]
        fate = data.draw(st.sampled_from(["done", "not written", "not sent", "partly sent", "not committed"]))
        if crashes > 15:
            fate = "done"
        writes = len(table.writes)
        durable += table.writes[: data.draw(st.integers(0, writes)) if fate == "not written" else writes]
        reach = {"done": len(outputs), "not committed": len(outputs), "partly sent": len(outputs) // 2}.get(fate, 0)
        for one in outputs[:reach]:
            message = (one.value or b"").split(b"=")[0].decode()
            sent.setdefault(message, set()).add(one.value or b"")
        table.writes.clear()
        position = group.stop
        if fate == "done":
            committed = position
            continue
        crashes += 1
        table = Recorded(durable)
        states = StateTable(table, Balance)
        position = committed
    expected = {f"{offset}/{key}" for offset, keys in enumerate(log) for key in keys}
    assert set(sent) == expected, "no output is lost"
    assert all(len(versions) == 1 for versions in sent.values()), "no message ever leads to two different outputs"
    assert dict(states.states()) == reference(log)


def reference(log: list[tuple[str, ...]]) -> dict[str, Balance]:
    """The states without any crash."""
    found: dict[str, Balance] = {}
    for offset, keys in enumerate(log):
        for key in keys:
            found[key] = Balance(found.get(key, Balance()).total * 3 + offset + 1)
    return found
