"""Reads the workers' metrics pages and adds up counters across restarts of a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from stack.ports import HOST

PREFIX = "alpha_panda_"
STARTED = "process_start_time_seconds"
GAUGES_KEPT = "alpha_panda_tick_to_order_max_seconds"
CUMULATIVE = ("_total", "_bucket", "_count", "_sum")

Labels = tuple[tuple[str, str], ...]
Key = tuple[str, Labels]
Samples = dict[Key, float]


def parse(text: str) -> Samples:
    """Samples of a metrics page by name and sorted labels; only ours, and the time the process started.

    Raises ValueError for what is no such page.
    """
    lines = [line for line in text.splitlines() if line.removeprefix("# TYPE ").startswith((PREFIX, "process_"))]
    found: Samples = {}
    for family in text_string_to_metric_families("\n".join(lines)):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = float(sample.value)
    if not found:
        raise ValueError("A page without metrics of ours")
    return found


@dataclass
class _Worker:
    base: Samples = field(default_factory=dict)  # what earlier processes had reached
    last: Samples = field(default_factory=dict)
    started: float = 0.0


class Totals:
    """Metrics of all workers since the run began."""

    def __init__(self) -> None:
        self._workers: dict[str, _Worker] = {}

    def add(self, worker: str, samples: Samples) -> None:
        """Take over one page of a worker."""
        known = self._workers.setdefault(worker, _Worker())
        started = samples.get((STARTED, ()), 0.0)
        if known.last and started != known.started:
            for key, value in known.last.items():
                if key[0].endswith(CUMULATIVE):
                    known.base[key] = known.base.get(key, 0.0) + value
                elif key[0] == GAUGES_KEPT:
                    known.base[key] = max(known.base.get(key, 0.0), value)
        known.started, known.last = started, samples

    def items(self, name: str, worker: str | None = None) -> Iterable[tuple[dict[str, str], float]]:
        """Labels and value of every sample called `name`, of one worker or of all."""
        for this, known in self._workers.items():
            if worker is not None and this.partition(".")[0] != worker:
                continue
            for key in known.last.keys() | known.base.keys():
                if key[0] == name:
                    yield dict(key[1]), self._value(known, key)

    def _value(self, known: _Worker, key: Key) -> float:
        value, base = known.last.get(key, 0.0), known.base.get(key, 0.0)
        return max(value, base) if key[0] == GAUGES_KEPT else value + base

    def sum(self, name: str, worker: str | None = None, **labels: str) -> float:
        """Sum over all samples called `name` that have these labels."""
        rows = self.items(PREFIX + name, worker)
        return sum(value for found, value in rows if labels.items() <= found.items())

    def by(self, name: str, label: str) -> dict[str, float]:
        """Sums by the value of one label."""
        sums: dict[str, float] = {}
        for found, value in self.items(PREFIX + name):
            sums[found.get(label, "")] = sums.get(found.get(label, ""), 0.0) + value
        return sums

    def highest(self, name: str) -> float:
        """The highest sample called `name`."""
        return max((value for _, value in self.items(PREFIX + name)), default=0.0)

    def quantiles(self, name: str, *fractions: float) -> list[float | None]:
        """Quantiles of a histogram over all workers, interpolated within its buckets; None without observations."""
        buckets: dict[float, float] = {}
        for labels, value in self.items(f"{PREFIX}{name}_bucket"):
            edge = float(labels["le"])
            buckets[edge] = buckets.get(edge, 0.0) + value
        return [quantile(buckets, fraction) for fraction in fractions]


def quantile(buckets: Mapping[float, float], fraction: float) -> float | None:
    """Quantile of cumulative buckets by upper edge; the highest finite edge when it lies beyond."""
    edges = sorted(buckets)
    if not edges or not buckets[edges[-1]]:
        return None
    wanted, lower, below = fraction * buckets[edges[-1]], 0.0, 0.0
    for edge in edges:
        if buckets[edge] >= wanted:
            if edge == float("inf"):
                return lower
            inside = buckets[edge] - below
            return lower + (edge - lower) * ((wanted - below) / inside if inside else 1.0)
        lower, below = edge, buckets[edge]
    return lower


class Scraper:
    """Reads every worker's page side by side; one that does not answer keeps its last values."""

    def __init__(self, pages: Mapping[str, int]) -> None:
        self._pages = pages
        self._session: aiohttp.ClientSession | None = None
        self.totals = Totals()

    async def scrape(self) -> None:
        """Read all pages once."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2))
        await asyncio.gather(*(self._one(worker, port) for worker, port in self._pages.items()))

    async def _one(self, worker: str, port: int) -> None:
        if self._session is None:
            return
        try:
            async with self._session.get(f"http://{HOST}:{port}/metrics") as answer:
                answer.raise_for_status()
                self.totals.add(worker, parse(await answer.text()))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return

    async def close(self) -> None:
        """Release the connections."""
        if self._session is not None:
            await self._session.close()
