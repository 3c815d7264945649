"""A model file and what it says about itself. One that does not match what the strategy computes is refused.

The file carries its features in the ONNX metadata: `features`, a JSON list of [name, type] in the order of the input's
columns, and `features_version`. It takes one float tensor of [rows, columns] and has an output `probabilities` of
[rows, 2], the second of which is that of a rise.
"""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from alpha_panda_onnx.features import FEATURES, VERSION, Feature

OUTPUT = "probabilities"


class ModelRefused(ValueError):
    """Raised for a file that is no model, or one of other features. Nothing is traded with it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The model {path} is refused: {reason}")


class Model:
    """A checked model. Deterministic: one thread, no state between rows."""

    def __init__(self, path: Path, features: tuple[Feature, ...] = FEATURES, version: int = VERSION) -> None:
        self._session = _session(path)
        problem = _problem(self._session, features, version)
        if problem:
            raise ModelRefused(path, problem)
        self._input = self._session.get_inputs()[0].name

    def rise(self, row: list[float]) -> float | None:
        """Probability that the next bar rises; None when the model has no sensible answer."""
        (found,) = self._session.run([OUTPUT], {self._input: np.array([row], dtype=np.float32)})
        probability = float(found[0][1])
        return probability if isfinite(probability) and 0 <= probability <= 1 else None


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise ModelRefused(path, f"it cannot be read ({error.strerror})") from error
    except Exception as error:
        raise ModelRefused(path, f"it is no ONNX model ({type(error).__name__})") from error


def _problem(session: Any, features: tuple[Feature, ...], version: int) -> str:
    """Why the model does not match; empty when it does."""
    said = session.get_modelmeta().custom_metadata_map
    try:
        declared = tuple(Feature(*one) for one in json.loads(said["features"]))
        declared_version = int(said["features_version"])
    except (KeyError, TypeError, ValueError):
        return "it does not declare its features"
    if declared_version != version:
        return f"it was trained on version {declared_version} of the features, the strategy computes version {version}"
    for number, (theirs, ours) in enumerate(zip(declared, features, strict=False), 1):
        if theirs != ours:
            return f"feature {number} is {theirs.name} ({theirs.type}), the strategy has {ours.name} ({ours.type})"
    if len(declared) != len(features):
        return f"it has {len(declared)} features, the strategy computes {len(features)}"
    return _shape_problem(session, len(features))


def _shape_problem(session: Any, columns: int) -> str:
    inputs, outputs = session.get_inputs(), {one.name: one for one in session.get_outputs()}
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or inputs[0].shape[1:] != [columns]:
        return f"its input is not one float tensor of {columns} columns"
    if OUTPUT not in outputs or outputs[OUTPUT].type != "tensor(float)" or outputs[OUTPUT].shape[1:] != [2]:
        return f"it has no output {OUTPUT} of two columns"
    return ""
