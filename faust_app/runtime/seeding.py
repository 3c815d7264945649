"""What a pipeline needs before it can run: instruments and strategy instances."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from faust_app.runtime.database import Repository, create_engine
from faust_app.runtime.errors import ConfigurationError, one_sentence
from faust_app.runtime.instrument_dumps import RawDump, dump_of_file, dump_of_server
from faust_app.runtime.instrument_load import Loaded, LoadRequest, load
from faust_app.runtime.reference_data import ReferenceData, StrategyInstance
from faust_app.runtime.settings import PROJECT, Settings, read_layer
from trading.market.sessions import IST
from trading.orders.protection import stored_protection
from trading.strategies.groups import co_location_groups
from trading.strategies.registry import StrategyNotFound, find, names

EVERY = "*"


@dataclass(frozen=True)
class Seeded:
    """What was loaded, and what of it is new."""

    instruments: Loaded
    strategies: list[str]


def read_dump(config: Settings, file: Path | None) -> RawDump:
    """The instrument dump, from a file or from the feed's server."""
    return dump_of_server(config) if file is None else dump_of_file(file)


async def seed(config: Settings, dump: RawDump) -> Seeded:
    """Load the instruments as today's; add strategies where there are none. Raises ConfigurationError."""
    strategies = default_strategies(config)
    today = datetime.now(IST).date()
    # another market on the sandbox lists other instruments
    request = LoadRequest(dump, today, today, actor="seed", insist=config.kite.root is not None)
    loaded = await load(config, request)
    return Seeded(loaded, await seed_strategies(config, strategies))


async def seed_strategies(config: Settings, strategies: list[StrategyInstance]) -> list[str]:
    """Add strategies where there are none; the names added. Raises TransientError."""
    engine = create_engine(config, pool_size=1)
    try:
        repository = Repository(engine)
        added = await repository.add_strategies(strategies)
        await repository.co_locate(_groups(await ReferenceData(config).load_strategies()))
    finally:
        await engine.dispose()
    return added


def _groups(instances: Iterable[StrategyInstance]) -> dict[str, str]:
    """Co-location groups of the instances, disabled ones included: they may be enabled while everything runs."""
    known = set(names())
    joint = (one for one in instances if one.strategy in known and find(one.strategy).joint)
    return co_location_groups(one.instruments for one in joint if EVERY not in one.instruments)


def default_strategies(config: Settings) -> list[StrategyInstance]:
    """The instances of `seed.strategies_file`, checked: class, parameters, brokers."""
    path = PROJECT / config.seed.strategies_file
    return [_instance(config, path, name, row) for name, row in read_layer(path).items()]


def _instance(config: Settings, path: Path, name: str, row: object) -> StrategyInstance:
    try:
        if not isinstance(row, dict):
            raise TypeError("it must be a mapping")
        parameters = row.get("parameters", {})
        find(row["strategy"]).parameters_type(**parameters)
        brokers = row.get("brokers", [EVERY])
        unknown = [one for one in brokers if one != EVERY and one not in config.brokers]
        if not isinstance(brokers, list) or unknown:
            raise ValueError(f"brokers must be a list of {', '.join(config.brokers)} or *")
        return StrategyInstance(
            instance=name,
            strategy=row["strategy"],
            parameters=parameters,
            instruments=tuple(row.get("instruments", [EVERY])),
            brokers=config.enabled_brokers if EVERY in brokers else tuple(brokers),
            enabled=bool(row.get("enabled", True)),
            protection=stored_protection(row.get("protection")),
        )
    except (KeyError, TypeError, ValueError, StrategyNotFound) as error:
        raise ConfigurationError(f"{path}: strategy {name!r} cannot be used: {one_sentence(error)}") from error
