"""What a pipeline needs before it can run: instruments, strategy instances, limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import httpx

from faust_app.runtime.database import Repository, create_engine
from faust_app.runtime.errors import ConfigurationError, TransientError, one_sentence
from faust_app.runtime.reference_data import StrategyInstance
from faust_app.runtime.settings import PROJECT, Settings, read_layer
from trading.market.instruments import Problem, parse_dump
from trading.strategies.registry import StrategyNotFound, find

DOWNLOAD_SECONDS = 30.0
KITE = "https://api.kite.trade"
EVERY = "*"


@dataclass(frozen=True)
class Seeded:
    """What was loaded, and what of it is new."""

    instruments: int
    problems: list[Problem]
    strategies: list[str]
    limits: list[str]


def read_dump(config: Settings, file: Path | None) -> str:
    """The instrument dump's text, from a file or from the feed's server."""
    if file is not None:
        try:
            return file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"Cannot read {file}: {error}") from error
    root = config.feed.root or KITE
    try:
        response = httpx.get(f"{root.rstrip('/')}/instruments", timeout=DOWNLOAD_SECONDS, follow_redirects=True)
        response.raise_for_status()
    except httpx.HTTPError as error:
        raise TransientError(f"No instrument dump from {root}: {error}") from error
    return response.text


async def seed(config: Settings, dump: str) -> Seeded:
    """Replace the instruments; add strategies and limits where there are none. Raises ConfigurationError."""
    found, problems = parse_dump(dump)
    if not found:
        first = f" (line {problems[0].line}: {problems[0].reason})" if problems else ""
        raise ConfigurationError(f"The instrument dump holds no usable instrument{first}; nothing was changed")
    strategies = default_strategies(config)
    engine = create_engine(config, pool_size=1)
    try:
        repository = Repository(engine)
        await repository.replace_instruments(found)
        added = await repository.add_strategies(strategies)
        accounts = [config.account_key(broker) for broker in config.enabled_brokers]
        limits = config.risk.model_dump(mode="json")
        given = [account for account in accounts if await repository.add_limits(account, limits)]
    finally:
        await engine.dispose()
    return Seeded(len(found), problems, added, given)


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
        )
    except (KeyError, TypeError, ValueError, StrategyNotFound) as error:
        raise ConfigurationError(f"{path}: strategy {name!r} cannot be used: {one_sentence(error)}") from error
