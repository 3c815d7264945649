"""`strategy_state`: checkpoints of strategy instances, each with the last frame it contains."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

import msgspec

NAME = "strategy_state"
HELP = "Checkpoints of strategies, by instance and partition"


class Checkpoint(msgspec.Struct, frozen=True):
    """State of one instance over one partition: all frames up to `offset`, their signals sent.

    `definition` identifies the class and parameters the state belongs to, `run_id` and `frame_sequence` the
    last frame.
    """

    instance: str
    partition: int
    definition: str
    offset: int
    run_id: str
    frame_sequence: int
    state: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Checkpoint).decode


class CheckpointTable:
    """Typed view; keys are `instance/partition`."""

    def __init__(self, raw: MutableMapping[str, bytes]) -> None:
        self.raw = raw

    def load(self, instance: str, partition: int) -> Checkpoint | None:
        """The last checkpoint of an instance over a partition."""
        found = self.raw.get(_key(instance, partition))
        return None if found is None else _decode(found)

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint."""
        self.raw[_key(checkpoint.instance, checkpoint.partition)] = _encode(checkpoint)

    def states(self) -> Iterator[tuple[str, Checkpoint]]:
        """All checkpoints of the assigned partitions."""
        for key, raw in list(self.raw.items()):
            yield key, _decode(raw)


def _key(instance: str, partition: int) -> str:
    return f"{instance}/{partition}"
