"""`alpha-panda halt|reduce|resume`: the kill switch; `halt --flatten` also closes positions."""

from __future__ import annotations

from typing import Annotated

import typer

from faust_app.commands.control_events import actor, control_events, operator_event
from faust_app.commands.output import Yes, confirm, parse_duration, run
from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.settings import Settings, settings
from models.messages.control import TradingState, TradingStateChanged

Broker = Annotated[str | None, typer.Option(help="Only this broker.")]
Strategy = Annotated[str | None, typer.Option(help="Only this strategy instance.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit trail.")]
Flatten = Annotated[
    bool,
    typer.Option(
        "--flatten",
        help="Cancel working orders and close every position in the scope too, and follow that until it is flat. "
        "Trading is `reducing` then. Goes on until `resume`, `reduce` or `halt` for the scope, also after a restart.",
    ),
]
Duration = Annotated[
    str, typer.Option("--for", help="With --flatten: follow for so long, 60s or 5m; exit code 1 when not flat then.")
]
WAIT_SECONDS = 5.0


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command()
    def halt(
        broker: Broker = None,
        strategy: Strategy = None,
        reason: Reason = "",
        flatten: Flatten = False,
        duration: Duration = "60s",
        yes: Yes = False,
    ) -> None:
        """Stop new entries now, everywhere or in one scope; exits still pass.

        Waits until every running worker has applied it, and names the order calls that were in flight then. With
        --flatten it cancels and closes everything as well, after asking. Exits that do not fill in time are cancelled
        and sent again at a wider price; what is left when the time is over is listed. See docs/runbooks/flatten.md.
        Example: alpha-panda halt --flatten --broker zerodha --reason "news"
        """
        scope = _scope(broker, strategy)
        if not flatten:
            run(_change(settings(), scope, TradingState.HALTED, reason))
            return
        seconds = parse_duration(duration)
        confirm(f"Cancel all working orders and close all positions of {scope}?", yes=yes)
        run(_flatten(settings(), scope, reason, seconds))

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


async def _flatten(config: Settings, scope: str, reason: str, seconds: float) -> None:
    from faust_app.commands.flatten import follow

    try:
        await _change(config, scope, TradingState.REDUCING, reason, flatten=True)
    except typer.Exit:  # said already; positions are closed all the same
        await follow(config, scope, seconds)
        raise
    if not await follow(config, scope, seconds):
        raise typer.Exit(1)


async def _change(config: Settings, scope: str, state: TradingState, reason: str, *, flatten: bool = False) -> None:
    from faust_app.runtime.trading_state import TradingStateStore, redis_client

    who = actor()
    client = redis_client(config)
    try:
        store = TradingStateStore(config, client)
        revision = await store.write(scope, state, who, reason, flatten=flatten)
        applied, late = await store.wait_applied(revision, WAIT_SECONDS)
        in_flight = await store.calls_in_flight(revision)
    finally:
        await client.aclose()
    typer.echo(
        f"{scope} is {state.value} (revision {revision}); applied by {', '.join(applied) or 'no running worker'}"
    )
    for worker, orders in sorted(in_flight.items()):
        typer.echo(f"{worker}: calls in flight then: {', '.join(orders)}")
    event = TradingStateChanged(scope=scope, state=state, revision=revision, actor=who, reason=reason, flatten=flatten)
    await _tell(config, event)
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
