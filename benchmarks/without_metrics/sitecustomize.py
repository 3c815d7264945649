"""On a worker's path (`PYTHONPATH`), takes its metrics away: what they cost is the difference."""

from math import inf
from types import SimpleNamespace
from typing import Any

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase


def _nothing(*_: Any, **__: Any) -> None:
    return


NOTHING = SimpleNamespace(
    inc=_nothing, dec=_nothing, set=_nothing, observe=_nothing, _value=SimpleNamespace(get=lambda: inf)
)
for kind, methods in ((Counter, ("inc",)), (Gauge, ("inc", "dec", "set")), (Histogram, ("observe",))):
    for name in methods:
        setattr(kind, name, _nothing)
MetricWrapperBase.labels = lambda *_, **__: NOTHING
