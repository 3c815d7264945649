"""Features: none before every one has a value, the same for training as for trading."""

from __future__ import annotations

from math import isfinite

import msgspec
from alpha_panda_onnx.features import FEATURES, FeatureState, features_of
from alpha_panda_onnx.train import generated_bars, table

BARS = generated_bars(3, 60)


def test_there_are_none_before_the_longest_window_is_full() -> None:
    state = FeatureState()
    rows = [features_of(state, bar) for bar in BARS]
    assert rows[:19] == [None] * 19
    assert all(row is not None and len(row) == len(FEATURES) and all(map(isfinite, row)) for row in rows[19:])


def test_a_feature_without_a_value_leaves_none_at_all() -> None:
    """Without any volume its ratio has no value; in a market that stands still there is no range."""
    silent, still = FeatureState(), FeatureState()
    assert {features_of(silent, msgspec.structs.replace(bar, volume=0)) is None for bar in BARS} == {True}
    flat = [msgspec.structs.replace(BARS[0], high_units=BARS[0].open_units, low_units=BARS[0].open_units,
                                    close_units=BARS[0].open_units) for _ in range(60)]  # fmt: skip
    assert {features_of(still, bar) is None for bar in flat} == {True}


def test_training_sees_the_next_bar_only_as_its_answer() -> None:
    rows, rises = table(BARS)
    assert len(rows) == len(rises) == len(BARS) - 20
    assert rows[0] == table(BARS[:21])[0][0]
    assert rises[0] == (BARS[20].close_units > BARS[19].close_units)
