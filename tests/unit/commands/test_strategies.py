"""`alpha-panda strategies protect`: what is stored, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from faust_app.commands import strategies
from faust_app.commands.cli import build
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.settings import Settings


@pytest.fixture
def changes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, Any]]]:
    found: list[tuple[str, str, dict[str, Any]]] = []

    async def change(config: Settings, instance: str, what: str, **values: Any) -> None:
        found.append((instance, what, values))

    monkeypatch.setattr(strategies, "_change", change)
    return found


@pytest.mark.parametrize(
    ("options", "what", "stored"),
    [
        (["--stop", "2"], "protection stop_percent=2", {"stop_percent": "2"}),
        (
            ["--stop", "2.5", "--target", "4"],
            "protection stop_percent=2.5 target_percent=4",
            {"stop_percent": "2.5", "target_percent": "4"},
        ),
        ([], "protection none", None),
    ],
)
def test_protection_is_stored(
    changes: list[tuple[str, str, dict[str, Any]]], options: list[str], what: str, stored: dict[str, str] | None
) -> None:
    result = CliRunner().invoke(build(), ["strategies", "protect", "momentum", *options])
    assert result.exit_code == 0, result.output
    assert changes == [("momentum", what, {"protection": stored})]


@pytest.mark.parametrize("options", [["--target", "4"], ["--stop", "0"], ["--stop", "two"], ["--stop", "100"]])
def test_protection_that_makes_no_sense_is_refused(
    changes: list[tuple[str, str, dict[str, Any]]], options: list[str]
) -> None:
    result = CliRunner().invoke(build(), ["strategies", "protect", "momentum", *options])
    assert result.exit_code != 0
    assert changes == []


async def test_the_refusal_names_the_field() -> None:
    with pytest.raises(ConfigurationError, match="momentum: stop_percent"):
        await strategies._protect(Settings(), "momentum", "0", None)
