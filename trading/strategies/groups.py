"""Which instruments must share a partition: those that one strategy looks at together."""

from __future__ import annotations

from collections.abc import Iterable


def co_location_groups(together: Iterable[Iterable[str]]) -> dict[str, str]:
    """The group of each instrument key. Sets that overlap are one group, named after the first of its keys."""
    members: dict[str, set[str]] = {}
    for keys in together:
        joined = set(keys).union(*(members.get(key, ()) for key in keys))
        members.update(dict.fromkeys(joined, joined))
    return {key: min(joined) for key, joined in sorted(members.items())}
