"""The tutorial does what its README says, in under sixty lines."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from faust_app.runtime.seeding import default_strategies
from faust_app.runtime.settings import Settings
from tests.unit.examples.packages import EXAMPLES, PROJECT, found_by_registry, install, run
from trading.strategies import registry

TUTORIAL = EXAMPLES / "tutorial"
MOST_LINES = 60


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install("tutorial", tmp_path_factory.mktemp("tutorial"))


def commands() -> list[str]:
    """Every command of the README."""
    blocks = re.findall(r"```sh\n(.*?)```", (TUTORIAL / "README.md").read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def command(start: str) -> list[str]:
    (found,) = [line for line in commands() if line.startswith(start)]
    return shlex.split(found)


def test_the_readme_installs_tests_backtests_and_runs() -> None:
    programs = [shlex.split(line)[0] for line in commands()]
    seeded = "ALPHA_PANDA__SEED__STRATEGIES_FILE=examples/tutorial/strategies.yaml"
    assert programs == ["pip", "python", "python", "alpha-panda", seeded]


def test_it_takes_less_than_sixty_lines() -> None:
    files = [one for one in TUTORIAL.iterdir() if one.suffix in (".py", ".toml", ".yaml")]
    lines = [line for one in files for line in one.read_text().splitlines() if line.strip()]
    assert {one.name for one in files} == {"donchian.py", "test_donchian.py", "pyproject.toml", "strategies.yaml"}
    assert len(lines) < MOST_LINES


def test_installed_it_is_found_by_name(installed: Path) -> None:
    assert command("pip")[-1] == "examples/tutorial"
    assert "'donchian'" in found_by_registry(installed)
    assert found_by_registry(installed).endswith("{}\n")


def test_its_own_test_passes(installed: Path) -> None:
    finished = run([sys.executable, *command("python -m pytest")[1:], "-q", "-p", "no:cacheprovider"], (installed,))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "1 passed" in finished.stdout


def test_it_backtests_on_generated_bars(installed: Path, tmp_path: Path) -> None:
    script = [PROJECT / part if "/" in part else part for part in command("python examples")[1:]]
    made = run([sys.executable, *map(str, script)], (), tmp_path)
    assert made.returncode == 0, made.stderr
    assert sorted(one.name for one in (tmp_path / "bars").iterdir()) == ["INFY.csv", "TCS.csv"]
    alpha_panda = [sys.executable, "-m", "faust_app.commands.cli"]
    if " backtest " not in run([*alpha_panda, "--help"], ()).stdout:
        pytest.skip("the command backtest is not there yet")
    finished = run([*alpha_panda, *command("alpha-panda backtest")[1:]], (installed,), tmp_path)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_a_stack_can_begin_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TUTORIAL))
    from donchian import Donchian  # type: ignore[import-not-found]

    monkeypatch.setitem(registry._catalogue()[0], "donchian", Donchian)
    seed = {"strategies_file": command("ALPHA_PANDA")[0].partition("=")[2]}
    (instance,) = default_strategies(Settings.model_validate({"seed": seed}))
    assert (instance.instance, instance.parameters["window"]) == ("donchian", 20)
