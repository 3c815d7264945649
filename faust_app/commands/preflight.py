"""`alpha-panda preflight`: everything that has to be so before a live broker may trade."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faust_app.commands.output import AsJson, run, show
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.settings import LIVE_BROKER, Settings, settings

if TYPE_CHECKING:
    from agents.live.preflight.account import Compared
    from agents.live.preflight.result import Result

COLUMNS = ("check", "outcome", "why")
NEWEST = 20  # messages of a partition; each comparison that is told of ends with its round


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def preflight(
        broker: Annotated[str, typer.Option(help="The broker to look at; only zerodha can trade live.")] = LIVE_BROKER,
        as_json: AsJson = False,
    ) -> None:
        """Check everything that has to be so before live trading starts; changes nothing and sends no order.

        Session and what the account may trade, registered egress address, today's instruments, funds, limits, calendar,
        reconciliation, kill switch, clock, and who runs the account. The live engine repeats these checks every minute
        and refuses entries while one fails; exits pass. The exit code is 0 when nothing has failed; what is skipped
        says why. docs/runbooks/preflight.md tells what to do about each.
        """
        config = settings()
        _refuse_unknown(config, broker)
        results = run(check(config, broker))
        rows = [{"check": one.check.value, "outcome": one.outcome.value, "why": one.sentence} for one in results]
        if not as_json:
            rows = [{**row, "check": one.check.words} for row, one in zip(rows, results, strict=True)]
        show(rows, COLUMNS, as_json=as_json, empty="")
        failures = [one.check.words for one in results if one.has_failed]
        if not as_json:
            typer.echo(_verdict(config, broker, failures))
        if failures:
            raise typer.Exit(1)


def _refuse_unknown(config: Settings, broker: str) -> None:
    if broker not in config.brokers:
        raise ConfigurationError(f"There is no broker {broker!r}; brokers: {', '.join(config.brokers)}")
    if broker != LIVE_BROKER:
        raise ConfigurationError(f"{broker} never trades live; only {LIVE_BROKER} can")


def _verdict(config: Settings, broker: str, failures: list[str]) -> str:
    if failures:
        return f"{broker} must not trade live: {', '.join(failures)} failed"
    execution = config.brokers[broker].execution
    return f"Nothing keeps {broker} from trading live; brokers.{broker}.execution is {execution.value}"


async def check(config: Settings, broker: str) -> list[Result]:
    """Take every step once. Raises nothing but ConfigurationError: what cannot be asked has failed."""
    from agents.live.preflight.checks import Checks, control_steps, take_all
    from brokers.zerodha.client import ZerodhaClient
    from faust_app.runtime.kite_session import endpoint, session_view
    from faust_app.runtime.reference_data import ReferenceData
    from faust_app.runtime.trading_state import redis_client

    session = session_view(config)
    client, redis = ZerodhaClient(endpoint(config, session, broker)), redis_client(config)
    loaded = _once(ReferenceData(config).load_registry)
    checks = Checks(config, broker, client, session, loaded, partial(_last_comparison, config, broker))
    try:
        return await take_all((*checks.steps(), *control_steps(config, broker, redis)))
    finally:
        client.close()
        await redis.aclose()


async def _last_comparison(config: Settings, broker: str) -> Compared | None:
    """What the engine has told of last, at least once a minute. Raises TransientError, ConfigurationError."""
    from agents.live.preflight.account import Compared
    from faust_app.commands.kafka_reader import messages, reader
    from faust_app.runtime.codec import decode_any
    from faust_app.runtime.topics import Topic, Topics
    from models.messages.reconciliation import ReconciliationRound
    from trading.reconciliation.kinds import blocking_differences

    async with reader(config) as consumer:
        topic = Topics(config).name(Topic.RECONCILIATION, broker)
        found = await messages(config, consumer, topic, newest=NEWEST)
    rounds = [(one.timestamp / 1000, decode_any(one.value).data) for one in found]
    told = [(at, body) for at, body in rounds if isinstance(body, ReconciliationRound)]
    if not told:
        return None
    at, body = max(told, key=lambda one: one[0])
    return Compared(at, body.unread, blocking_differences(body.open).get("", 0))


def _once(load: Any) -> Any:
    """`load`, whose result is kept: a dump has a hundred thousand instruments."""
    import asyncio

    lock = asyncio.Lock()
    kept: list[Any] = []

    async def loaded() -> Any:
        async with lock:
            if not kept:
                kept.append(await load())
            return kept[0]

    return loaded
