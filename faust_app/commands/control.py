"""`alpha-panda halt|reduce|resume`: the kill switch."""

from __future__ import annotations

from typing import Annotated

import typer

from faust_app.commands.control_events import actor, control_events, operator_event
from faust_app.commands.output import Yes, confirm, run
from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.settings import Settings, settings
from models.messages.control import TradingState, TradingStateChanged

Broker = Annotated[str | None, typer.Option(help="Only this broker.")]
Strategy = Annotated[str | None, typer.Option(help="Only this strategy instance.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit trail.")]
WAIT_SECONDS = 5.0


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command()
    def halt(broker: Broker = None, strategy: Strategy = None, reason: Reason = "") -> None:
        """Stop new entries now, everywhere or in one scope; exits still pass."""
        run(_change(settings(), _scope(broker, strategy), TradingState.HALTED, reason))

    @app.command()
    def reduce(broker: Broker = None, strategy: Strategy = None, reason: Reason = "") -> None:
        """Allow only orders that reduce a position."""
        run(_change(settings(), _scope(broker, strategy), TradingState.REDUCING, reason))

    @app.command()
    def resume(broker: Broker = None, strategy: Strategy = None, reason: Reason = "", yes: Yes = False) -> None:
        """Trade again in one scope. A stricter state of another scope stays in force."""
        scope = _scope(broker, strategy)
        confirm(f"Resume trading for {scope}?", yes=yes)
        run(_change(settings(), scope, TradingState.ACTIVE, reason))


def _scope(broker: str | None, strategy: str | None) -> str:
    if broker is not None and strategy is not None:
        raise ConfigurationError("Give --broker or --strategy, not both")
    known = settings().brokers
    if broker is not None and broker not in known:
        raise ConfigurationError(f"There is no broker {broker!r}; brokers: {', '.join(known)}")
    if broker is not None:
        return f"broker:{broker}"
    return f"strategy:{strategy}" if strategy is not None else "all"


async def _change(config: Settings, scope: str, state: TradingState, reason: str) -> None:
    from faust_app.runtime.trading_state import TradingStateStore, redis_client

    who = actor()
    client = redis_client(config)
    try:
        store = TradingStateStore(config, client)
        revision = await store.write(scope, state, who, reason)
        applied, late = await store.wait_applied(revision, WAIT_SECONDS)
    finally:
        await client.aclose()
    typer.echo(
        f"{scope} is {state.value} (revision {revision}); applied by {', '.join(applied) or 'no running worker'}"
    )
    await _tell(config, TradingStateChanged(scope=scope, state=state, revision=revision, actor=who, reason=reason))
    if late:
        typer.echo(f"No acknowledgement within {WAIT_SECONDS:.0f} s from {', '.join(late)}", err=True)
        raise typer.Exit(1)


async def _tell(config: Settings, event: TradingStateChanged) -> None:
    """The switch works without Kafka; only the audit trail needs it."""
    try:
        async with control_events(config) as publish:
            await publish(operator_event(event, event.scope))
    except TransientError as error:
        typer.echo(f"The state is in force, but not in the audit trail: {error}", err=True)
        raise typer.Exit(1) from error
