"""`alpha-panda halt --flatten` follows what the workers say is left, until nothing is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import typer
from redis.exceptions import RedisError

from faust_app.runtime.settings import Settings
from faust_app.runtime.trading_state import Left, TradingStateStore, redis_client

POLL_SECONDS = 0.2
SETTLE_SECONDS = 2.0  # so long nothing may be left: a fill may be on its way between the two workers
SILENT = "says nothing: is it running?"


@dataclass(frozen=True)
class BrokerLeft:
    """What one broker's two workers say: positions by the risk manager, orders by the engine; None for no word."""

    positions: tuple[str, ...] | None
    orders: tuple[str, ...] | None

    @property
    def is_flat(self) -> bool:
        """True when both have said that nothing is left."""
        return self.positions == () and self.orders == ()

    def __str__(self) -> str:
        """One line about how far it is."""
        return f"{_count(self.positions, 'position')} left, {_count(self.orders, 'order')} working"


def _count(found: tuple[str, ...] | None, what: str) -> str:
    if found is None:
        return f"{what}s unknown"
    return f"{len(found)} {what}{'' if len(found) == 1 else 's'}"


def brokers_of(config: Settings, scope: str) -> tuple[str, ...]:
    """The brokers a scope concerns."""
    kind, _, name = scope.partition(":")
    return (name,) if kind == "broker" else config.enabled_brokers


def summed_up(left: Mapping[str, Left], brokers: tuple[str, ...], revision: int) -> dict[str, BrokerLeft]:
    """By broker, what its workers say since they know of the revision."""

    def said(worker: str) -> tuple[str, ...] | None:
        found = left.get(worker)
        return None if found is None or found.revision < revision else found.lines

    return {name: BrokerLeft(said(f"risk_manager.{name}"), said(f"trading_engine.{name}")) for name in brokers}


async def follow(config: Settings, scope: str, seconds: float) -> bool:
    """Print every change of what is left until nothing is; False, with all of it listed, when the time is over."""
    client = redis_client(config)
    try:
        store = TradingStateStore(config, client)
        state = (await store.read())[scope]
        brokers = brokers_of(config, scope)
        found = await _follow(store, brokers, state.revision, seconds)
    finally:
        await client.aclose()
    if all(one.is_flat for one in found.values()):
        typer.echo(f"Flat: {', '.join(found)}. Entries stay off until `alpha-panda resume`.")
        return True
    typer.echo(f"Not flat after {seconds:.0f} s; it goes on until `alpha-panda resume`. Left:", err=True)
    for broker, one in found.items():
        for worker, lines in (("risk_manager", one.positions), ("trading_engine", one.orders)):
            for line in (f"{worker}.{broker} {SILENT}",) if lines is None else lines:
                typer.echo(f"  {broker}: {line}", err=True)
    return False


async def _follow(
    store: TradingStateStore, brokers: tuple[str, ...], revision: int, seconds: float
) -> dict[str, BrokerLeft]:
    deadline, shown, flat_since = time.monotonic() + seconds, "", 0.0
    found: dict[str, BrokerLeft] = dict.fromkeys(brokers, BrokerLeft(None, None))
    while time.monotonic() < deadline:
        try:
            found = summed_up(await store.left(), brokers, revision)
        except RedisError as error:
            typer.echo(f"Redis does not answer: {error}", err=True)
        text = "; ".join(f"{broker}: {one}" for broker, one in found.items())
        if text != shown:
            typer.echo(text)
            shown = text
        now = time.monotonic()
        flat_since = (flat_since or now) if all(one.is_flat for one in found.values()) else 0.0
        if flat_since and now - flat_since >= SETTLE_SECONDS:
            return found
        await asyncio.sleep(POLL_SECONDS)
    return found
