"""Trains a tiny model on generated bars, whose returns repeat a little, and writes it with its features declared.

python -m alpha_panda_onnx.train model.onnx --seed 7        needs the extra `train`
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path
from random import Random

from alpha_panda_onnx.features import FEATURES, VERSION, FeatureState, features_of
from trading.market.ticks_from_bars import Bar

FIRST_BAR = 1_787_197_500  # a Thursday, 09:15 IST
REPEATS = 0.5  # of a bar's return in the next one


def generated_bars(seed: int, count: int) -> list[Bar]:
    """Minute bars around 1,500 rupees, in steps of 5 paise."""
    rng, price, step, found = Random(seed), 30_000, 0.0, []
    for number in range(count):
        step = REPEATS * step + rng.gauss(0, 12)
        opened, price = price, max(100, price + round(step))
        high, low = max(opened, price) + rng.randint(0, 5), min(opened, price) - rng.randint(0, 5)
        prices = (500 * steps for steps in (opened, high, low, price))
        found.append(Bar(FIRST_BAR + 60 * number, *prices, rng.randint(100, 5000)))
    return found


def table(bars: list[Bar]) -> tuple[list[list[float]], list[int]]:
    """Features of each bar, and whether the next one closed higher."""
    state, rows, rises = FeatureState(), [], []
    for bar, after in pairwise(bars):
        row = features_of(state, bar)
        if row is not None:
            rows.append(row)
            rises.append(int(after.close_units > bar.close_units))
    return rows, rises


def train(path: Path, *, seed: int, count: int) -> float:
    """Fit, write the model to `path`, and return its accuracy on bars it has not seen."""
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, rises = table(generated_bars(seed, count))
    inputs = np.array(rows, dtype=np.float32)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs, rises)
    written = to_onnx(model, inputs[:1], options={"zipmap": False})
    for key, value in (("features", json.dumps(FEATURES)), ("features_version", str(VERSION))):
        entry = written.metadata_props.add()
        entry.key, entry.value = key, value
    path.write_bytes(written.SerializeToString())
    unseen, truth = table(generated_bars(seed + 1, count))
    return float(model.score(np.array(unseen, dtype=np.float32), truth))


def main() -> None:
    """Train and say how good it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="where the model is written")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--bars", type=int, default=20_000)
    given = parser.parse_args()
    accuracy = train(given.path, seed=given.seed, count=given.bars)
    sys.stdout.write(f"{given.path}: {accuracy:.1%} right on bars it has not seen (seed {given.seed})\n")


if __name__ == "__main__":
    main()
