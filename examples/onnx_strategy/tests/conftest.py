"""A model trained once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("skl2onnx", reason="training needs the extra `train`")
    pytest.importorskip("sklearn", reason="training needs the extra `train`")
    from alpha_panda_onnx.train import train

    path = tmp_path_factory.mktemp("model") / "model.onnx"
    assert train(path, seed=7, count=3000) > 0.55
    return path
