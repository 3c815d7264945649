"""The machine-learning example is a package that Alpha Panda finds, and its own tests pass."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from tests.unit.examples.packages import EXAMPLES, found_by_registry, install, run

NEEDED = ("onnxruntime", "sklearn", "skl2onnx")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install("onnx_strategy", tmp_path_factory.mktemp("onnx"))


def test_installed_it_is_found_or_reported_with_what_it_lacks(installed: Path) -> None:
    """Without ONNX it is no strategy, and the others are not affected."""
    found = found_by_registry(installed)
    assert "'momentum'" in found
    if importlib.util.find_spec("onnxruntime") is None:
        assert "'onnx_direction'" not in found.partition("]")[0]
        assert "{'onnx_direction': \"ModuleNotFoundError: No module named 'numpy'\"}" in found.replace(
            "'onnxruntime'", "'numpy'"
        )
    else:
        assert "'onnx_direction'" in found.partition("]")[0]
        assert found.endswith("{}\n")


def test_its_own_tests_pass(installed: Path) -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"the example's own dependencies are not installed: {', '.join(missing)}")
    folder = EXAMPLES / "onnx_strategy" / "tests"
    finished = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)], (installed,))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "skipped" not in finished.stdout
