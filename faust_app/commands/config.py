"""`alpha-panda config`: what is in force."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from faust_app.commands.output import AsJson, show
from faust_app.runtime.settings import Settings, layers_of, load_settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def config(
        profile: Annotated[str | None, typer.Option(help="Profile; default: ALPHA_PANDA_PROFILE, or base.")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Print every setting, its value and the layer it comes from. Secrets are shown as ****."""
        loaded = load_settings(profile)
        rows = list(explain(loaded))
        if as_json:
            show(rows, (), as_json=True, empty="")
        else:
            show(rows, ("setting", "value", "layer"), as_json=False, empty="No settings")


def explain(loaded: Settings) -> Iterator[dict[str, Any]]:
    """Each leaf of the tree: dotted name, printable value, the layer that set it."""
    layers = layers_of(loaded.profile)
    for name, value in _leaves(loaded.model_dump(mode="json"), ()):
        yield {"setting": ".".join(name), "value": value, "layer": _layer(name, layers)}


def _leaves(tree: dict[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _layer(name: tuple[str, ...], layers: list[tuple[str, dict[str, Any]]]) -> str:
    variable: str = "ALPHA_PANDA__" + "__".join(name).upper()
    if variable in {known.upper() for known in os.environ}:
        return "environment"
    return next((layer for layer, tree in reversed(layers) if _has(tree, name)), "default")


def _has(tree: dict[str, Any], name: tuple[str, ...]) -> bool:
    found: Any = tree
    for part in name:
        found = found.get(part) if isinstance(found, dict) else None
    return found is not None
