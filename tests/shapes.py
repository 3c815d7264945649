"""The shape of JSON: keys and types, recursively. Values do not matter; elements of a list are laid over each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Shape:
    """What was seen at one place: scalar types, keys with how many objects had them, elements of lists."""

    kinds: set[str] = field(default_factory=set)
    objects: int = 0
    keys: dict[str, Shape] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    items: Shape | None = None

    def see(self, value: Any) -> Shape:
        """Lay a value over what was seen before."""
        self.kinds.add(kind(value))
        if isinstance(value, dict):
            self.objects += 1
            for name, one in value.items():
                self.keys.setdefault(name, Shape()).see(one)
                self.counts[name] = self.counts.get(name, 0) + 1
        elif isinstance(value, list):
            self.items = self.items or Shape()
            for one in value:
                self.items.see(one)
        return self

    @property
    def required(self) -> set[str]:
        """Keys every object had."""
        return {name for name, count in self.counts.items() if count == self.objects}


def kind(value: Any) -> str:
    """JSON's type; whole and other numbers are one."""
    if value is None or isinstance(value, bool):
        return str(type(value).__name__)
    return "number" if isinstance(value, int | float) else type(value).__name__


def values_of(body: Any) -> Any:
    """An object whose keys are data, such as quotes by instrument, as the list of its values."""
    return body | {"data": list(body["data"].values())}


def differences(expected: Shape, actual: Shape, added: frozenset[str], path: str = "") -> Iterator[str]:
    """How `actual` differs. null goes with everything; `added` are keys newer than the sample."""
    known, found = expected.kinds - {"NoneType"}, actual.kinds - {"NoneType"}
    if known and found - known:
        yield f"{path}: {sorted(found)} instead of {sorted(known)}"
    if expected.objects and actual.objects:
        yield from (f"{path}.{name} is missing" for name in sorted(expected.required - actual.keys.keys()))
        extra = actual.keys.keys() - expected.keys.keys() - added if expected.keys else ()
        yield from (f"{path}.{name} is not in the sample" for name in sorted(extra))
        for name in sorted(expected.keys.keys() & actual.keys.keys()):
            yield from differences(expected.keys[name], actual.keys[name], added, f"{path}.{name}")
    if expected.items is not None and actual.items is not None:
        if expected.items.kinds and not actual.items.kinds:
            yield f"{path} is empty: nothing to compare"
        yield from differences(expected.items, actual.items, added, f"{path}[]")
