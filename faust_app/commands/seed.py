"""`alpha-panda seed`: instruments, strategy instances and limits, so that the pipeline has something to run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from faust_app.commands.output import run, sentence
from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.settings import Settings, read_layer, settings

MOST_PROBLEMS = 20
DOWNLOAD_SECONDS = 30.0
EVERY = "*"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def seed(
        instruments: Annotated[
            Path | None, typer.Option(help="Instrument dump (CSV, Kite's columns); default: the feed's server.")
        ] = None,
    ) -> None:
        """Load the instrument dump; add default strategies and limits where there are none yet."""
        config = settings()
        text = instruments_text(config, instruments)
        run(_seed(config, text))


async def _seed(config: Settings, text: str) -> None:
    from faust_app.runtime.database import Repository, create_engine
    from trading.market.instruments import parse_dump

    found, problems = parse_dump(text)
    for problem in problems[:MOST_PROBLEMS]:
        typer.echo(f"Instrument dump line {problem.line}: {problem.reason}", err=True)
    if len(problems) > MOST_PROBLEMS:
        typer.echo(f"... and {len(problems) - MOST_PROBLEMS} more refused lines", err=True)
    if not found:
        raise ConfigurationError("The instrument dump holds no usable instrument; nothing was changed")
    engine = create_engine(config, pool_size=1)
    try:
        repository = Repository(engine)
        await repository.replace_instruments(found)
        added = await repository.add_strategies(default_strategies(config))
        limits = await _add_limits(config, repository)
    finally:
        await engine.dispose()
    typer.echo(
        f"{len(found)} instruments loaded, {len(problems)} lines refused; "
        f"strategies added: {', '.join(added) or 'none'}; limits added: {', '.join(limits) or 'none'}"
    )


async def _add_limits(config: Settings, repository: Any) -> list[str]:
    limits = config.risk.model_dump(mode="json")
    accounts = [config.account_key(broker) for broker in config.enabled_brokers]
    return [account for account in accounts if await repository.add_limits(account, limits)]


def instruments_text(config: Settings, file: Path | None) -> str:
    """The dump's text, from a file or from the feed's server."""
    if file is not None:
        try:
            return file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"Cannot read {file}: {error}") from error
    return _download(config.feed.root or "https://api.kite.trade")


def _download(root: str) -> str:
    import httpx

    try:
        response = httpx.get(f"{root.rstrip('/')}/instruments", timeout=DOWNLOAD_SECONDS, follow_redirects=True)
        response.raise_for_status()
    except httpx.HTTPError as error:
        raise TransientError(f"No instrument dump from {root}: {error}") from error
    return response.text


def default_strategies(config: Settings) -> list[Any]:
    """The instances of `seed.strategies_file`, checked: class, parameters, brokers."""
    from pydantic import ValidationError

    from faust_app.runtime.database import StrategyInstance
    from trading.strategies.registry import StrategyNotFound, find

    path = config.seed.strategies_file
    found = []
    for name, row in read_layer(path).items():
        try:
            find(row["strategy"]).parameters_type(**row.get("parameters", {}))
            brokers = row.get("brokers", [EVERY])
            found.append(
                StrategyInstance(
                    instance=name,
                    strategy=row["strategy"],
                    parameters=row.get("parameters", {}),
                    instruments=tuple(row.get("instruments", [EVERY])),
                    brokers=config.enabled_brokers if EVERY in brokers else tuple(brokers),
                    enabled=bool(row.get("enabled", True)),
                )
            )
        except (KeyError, TypeError, AttributeError, ValidationError, StrategyNotFound) as error:
            raise ConfigurationError(f"{path}: strategy {name!r} cannot be used: {sentence(error)}") from error
    return found
