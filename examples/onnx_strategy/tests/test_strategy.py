"""The strategy acts on the model alone: silent until warm and without features, the same after a restart."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from alpha_panda_onnx.model import ModelRefused
from alpha_panda_onnx.strategy import OnnxDirection, OnnxDirectionParameters
from alpha_panda_onnx.train import generated_bars

from models.messages.ticks import Tick
from trading.market.instruments import Instrument
from trading.market.ticks_from_bars import Bar, DayState, ticks_from_bar
from trading.strategies.base import Wish

TOKEN = 408_065
INFY = Instrument(
    instrument_token=TOKEN,
    exchange_token=TOKEN // 256,
    exchange="NSE",
    tradingsymbol="INFY",
    segment="NSE",
    instrument_type="EQ",
    tick_size=Decimal("0.05"),
    lot_size=1,
)
BARS = generated_bars(11, 200)


def build(model: Path) -> OnnxDirection:
    return OnnxDirection(OnnxDirectionParameters(model=model), {TOKEN: INFY})


def ticks(bars: Iterable[Bar]) -> list[Tick]:
    day = DayState(TOKEN, 500)
    return [tick for bar in bars for tick in ticks_from_bar(bar, day)]


def wishes(strategy: OnnxDirection, some: Iterable[Tick]) -> list[Wish]:
    return [wish for tick in some for wish in strategy.on_tick(tick, tick.exchange_time)]


def test_it_trades_after_the_warm_up_and_in_turns(trained: Path) -> None:
    strategy, some = build(trained), ticks(BARS)
    assert wishes(strategy, some[: 4 * 20]) == []
    found = [wish.target_quantity for wish in wishes(strategy, some[4 * 20 :])]
    assert len(found) > 10
    assert found == [10, 0] * (len(found) // 2) + [10] * (len(found) % 2)


@pytest.mark.parametrize("cut", [0, 50, 333, 641])
def test_restored_anywhere_it_goes_on_and_repeats_change_nothing(trained: Path, cut: int) -> None:
    some = ticks(BARS)
    first, second = build(trained), build(trained)
    before = wishes(first, some[:cut])
    second.load_state(first.dump_state())
    repeated = [tick for tick in some[cut:] for _ in range(2)]
    assert before + wishes(second, repeated) == wishes(build(trained), some)


def test_without_a_feature_nothing_is_wished(trained: Path) -> None:
    """Bars without volume have no volume ratio; the same bars with volume are traded."""
    silent = [msgspec.structs.replace(bar, volume=0) for bar in BARS]
    assert wishes(build(trained), ticks(silent)) == []
    assert wishes(build(trained), ticks(BARS))


def test_with_another_model_it_cannot_be_built(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused):
        build(tmp_path / "model.onnx")
