"""A model is used only when it declares exactly the features the strategy computes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from alpha_panda_onnx.features import FEATURES, VERSION, Feature
from alpha_panda_onnx.model import Model, ModelRefused

ROW = [0.001, 0.6, 0.5, 1.0, 1.0]


def changed(path: Path, to: Path, change: Callable[[Any], object]) -> Path:
    import onnx

    model = onnx.load(str(path))
    change(model)
    onnx.save(model, str(to))
    return to


def declared(**values: str | None) -> Callable[[Any], None]:
    """The model with these metadata, without those that are None."""

    def change(model: Any) -> None:
        kept = {one.key: one.value for one in model.metadata_props} | values
        del model.metadata_props[:]
        for key, value in kept.items():
            if value is not None:
                model.metadata_props.add(key=key, value=value)

    return change


def features(*found: Any) -> Callable[[Any], None]:
    return declared(features=json.dumps(found))


def narrower(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4


def without_probabilities(model: Any) -> None:
    del model.graph.output[1]


def test_a_trained_model_answers_the_same_each_time(trained: Path) -> None:
    one, other = Model(trained), Model(trained)
    answers = {one.rise(ROW), one.rise(ROW), other.rise(ROW)}
    (answer,) = answers
    assert answer is not None
    assert 0 < answer < 1
    fallen = one.rise([-0.001, 0.4, -0.5, 1.0, 1.0])
    assert fallen is not None
    assert fallen < answer


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (declared(features=None), "it does not declare its features"),
        (declared(features_version=None), "it does not declare its features"),
        (declared(features="not JSON"), "it does not declare its features"),
        (declared(features="[[1]]"), "it does not declare its features"),
        (declared(features_version="two"), "it does not declare its features"),
        (
            declared(features_version=str(VERSION + 1)),
            f"it was trained on version {VERSION + 1} of the features, the strategy computes version {VERSION}",
        ),
        (
            features(FEATURES[1], FEATURES[0], *FEATURES[2:]),
            r"feature 1 is rsi_14 \(float32\), the strategy has return_1 \(float32\)",
        ),
        (
            features(("return_1", "float64"), *FEATURES[1:]),
            r"feature 1 is return_1 \(float64\), the strategy has return_1 \(float32\)",
        ),
        (features(*FEATURES[:-1]), "it has 4 features, the strategy computes 5"),
        (features(*FEATURES, Feature("more", "float32")), "it has 6 features, the strategy computes 5"),
        (without_probabilities, "it has no output probabilities of two columns"),
    ],
)
def test_a_model_that_does_not_match_is_refused(
    trained: Path, tmp_path: Path, change: Callable[[Any], object], reason: str
) -> None:
    other = changed(trained, tmp_path / "other.onnx", change)
    with pytest.raises(ModelRefused, match=reason):
        Model(other)


def test_a_model_of_other_columns_is_refused(trained: Path, tmp_path: Path) -> None:
    """Whether the runtime or we find it out."""
    with pytest.raises(ModelRefused, match="columns|no ONNX model"):
        Model(changed(trained, tmp_path / "other.onnx", narrower))


def test_a_missing_or_broken_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match=r"nowhere.onnx is refused: it cannot be read \(No such file or directory\)"):
        Model(tmp_path / "nowhere.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"nonsense")
    with pytest.raises(ModelRefused, match="it is no ONNX model"):
        Model(broken)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.1])
def test_an_answer_that_is_no_probability_is_none(trained: Path, monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    class Session:
        def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[list[list[float]]]:
            return [[[1 - value, value]]]

    model = Model(trained)
    monkeypatch.setattr(model, "_session", Session())
    assert model.rise(ROW) is None
