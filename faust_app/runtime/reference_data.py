"""Reference data as stages read it: instruments, strategy instances, limits."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from faust_app.runtime.postgres import connection
from faust_app.runtime.settings import Settings
from models.messages.reconciliation import AcceptedDifference
from trading.market.instruments import Instrument, InstrumentRegistry
from trading.risk.limits import NAMES


class StrategyInstance(msgspec.Struct, frozen=True, kw_only=True):
    """One configured strategy instance. `instruments` holds keys, or `*` alone for all.

    `protection` are the percentages of its stops at the exchange, None for no such stops.
    """

    instance: str
    strategy: str
    parameters: dict[str, Any]
    instruments: tuple[str, ...]
    brokers: tuple[str, ...]
    enabled: bool
    protection: dict[str, str] | None = None


class ReferenceData:
    """Reads with a connection a call. Methods raise TransientError while PostgreSQL is away."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def ping(self) -> None:
        """Ask for nothing. Raises TransientError while PostgreSQL is away."""
        await self._fetch("select 1")

    async def load_instruments(self) -> list[Instrument]:
        """The instruments that are listed, in key order."""
        query = "select * from instruments where vanished_on is null order by key"
        return [instrument_of(row) for row in await self._fetch(query)]

    async def load_registry(self) -> InstrumentRegistry:
        """The listed instruments, with the days of their dumps; a load meanwhile makes them look older, not newer."""
        days = await self.load_days()
        return InstrumentRegistry(await self.load_instruments(), days)

    async def load_days(self) -> dict[str, date]:
        """By exchange, the day of the newest dump."""
        query = "select exchange, max(listed_on) as day from instruments where vanished_on is null group by exchange"
        return {row["exchange"]: row["day"] for row in await self._fetch(query)}

    async def load_strategies(self) -> list[StrategyInstance]:
        """All instances, enabled or not, in name order."""
        return [_strategy(row) for row in await self._fetch("select * from strategies order by instance")]

    async def load_limits(self, account: str) -> dict[str, dict[str, Any]]:
        """What an operator has set, by strategy; under the empty name for the whole account."""
        rows = await self._fetch("select strategy, limits from limits where account = $1", account)
        return {row["strategy"]: _limits(row["limits"]) for row in rows}

    async def load_acceptances(self, account: str) -> list[AcceptedDifference]:
        """Differences that an operator has accepted, but those that have been resolved since."""
        query = (
            "select difference_key, a.value from acceptances a"
            " left join reconciliation r using (account, difference_key)"
            " where account = $1 and r.is_resolved is not true"
        )
        rows = await self._fetch(query, account)
        return [AcceptedDifference(key=row["difference_key"], value=row["value"]) for row in rows]

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        async with connection(self._settings) as opened:
            return list(await opened.fetch(query, *arguments))


def _limits(raw: str) -> dict[str, Any]:
    """Values by name; where somebody has stored something else, every limit is missing."""
    found = msgspec.json.decode(raw)
    return found if isinstance(found, dict) else dict.fromkeys(NAMES)


def instrument_of(row: Any) -> Instrument:
    """The instrument of a row of the table."""
    values = {name: row[name] for name in Instrument.__struct_fields__ if name != "group"}
    money = {name: row[name].normalize() for name in ("tick_size", "strike")}
    return Instrument(**(values | money), group=row["co_location_group"])


def _strategy(row: Any) -> StrategyInstance:
    return StrategyInstance(
        instance=row["instance"],
        strategy=row["strategy"],
        parameters=msgspec.json.decode(row["parameters"]),
        instruments=tuple(msgspec.json.decode(row["instruments"])),
        brokers=tuple(msgspec.json.decode(row["brokers"])),
        enabled=row["enabled"],
        protection=None if row["protection"] is None else msgspec.json.decode(row["protection"]),
    )
