"""Checkpoints by instance and partition."""

from __future__ import annotations

from tables.strategy_state import Checkpoint, CheckpointTable


def checkpoint(instance: str = "rsi", partition: int = 0, offset: int = 5) -> Checkpoint:
    return Checkpoint(instance, partition, "rsi:abc", offset, "run", 17, b"\x00state")


def test_checkpoint_comes_back_as_it_was() -> None:
    table = CheckpointTable({})
    table.save(checkpoint())
    assert table.load("rsi", 0) == checkpoint()


def test_partitions_and_instances_are_kept_apart() -> None:
    table = CheckpointTable({})
    for instance, partition in (("rsi", 0), ("rsi", 1), ("momentum", 0)):
        table.save(checkpoint(instance, partition))
    assert {key for key, _ in table.states()} == {"rsi/0", "rsi/1", "momentum/0"}
    assert table.load("momentum", 1) is None


def test_latest_checkpoint_replaces_the_one_before() -> None:
    raw: dict[str, bytes] = {}
    table = CheckpointTable(raw)
    for offset in (5, 9):
        table.save(checkpoint(offset=offset))
    found = table.load("rsi", 0)
    assert found is not None
    assert found.offset == 9
    assert len(raw) == 1
