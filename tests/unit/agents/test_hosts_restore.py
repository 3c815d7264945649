"""A checkpoint that cannot be read costs a strategy its warm-up, not the worker its start."""

from __future__ import annotations

import msgspec

from agents.hosts import Host, HostedInstance
from tables.strategy_state import Checkpoint
from tests.factories import TOKEN, instrument
from trading.strategies.rsi import Rsi, RsiParameters


def test_a_checkpoint_of_another_shape_is_ignored() -> None:
    rsi = HostedInstance("rsi", Rsi, RsiParameters.model_validate({}), {TOKEN: instrument()}, ("paper",), "definition")
    host = Host(0, {"rsi": rsi})
    checkpoint = Checkpoint(
        instance="rsi",
        partition=0,
        definition="definition",
        offset=7,
        run_id="run",
        frame_sequence=7,
        state=msgspec.msgpack.encode({TOKEN: [1, 2, 3]}),
    )
    host.restore([checkpoint])
    assert host.next_offset(default=3) == 3
