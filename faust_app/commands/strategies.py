"""`alpha-panda strategies`: list instances, switch them, change their parameters, without a restart."""

from __future__ import annotations

from typing import Annotated, Any, NoReturn

import typer

from faust_app.commands.arguments import assignments as read_assignments
from faust_app.commands.control_events import actor, control_events, operator_event
from faust_app.commands.output import AsJson, run, show
from faust_app.runtime.errors import ConfigurationError, one_sentence
from faust_app.runtime.settings import Settings, settings
from models.messages.control import StrategiesChanged

Instance = Annotated[str, typer.Argument(help="Name of the instance.")]
COLUMNS = ("instance", "strategy", "enabled", "brokers", "instruments", "parameters", "protection")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Strategy instances: list, enable, disable, set, protect.", no_args_is_help=True)
    app.add_typer(group, name="strategies")

    @group.command("list")
    def list_all(as_json: AsJson = False) -> None:
        """Instances with their class, brokers and parameters; classes that could be used."""
        rows = run(_load(settings()))
        show(rows, COLUMNS, as_json=as_json, empty="No strategy instances; add some with `alpha-panda seed`")
        if not as_json:
            _show_classes()

    @group.command()
    def enable(instance: Instance) -> None:
        """Let an instance run from the next frame on."""
        run(_change(settings(), instance, "enabled", enabled=True))

    @group.command()
    def disable(instance: Instance) -> None:
        """Stop an instance. Its open positions stay as they are."""
        run(_change(settings(), instance, "disabled", enabled=False))

    @group.command("set")
    def set_parameters(
        instance: Instance, assignments: Annotated[list[str], typer.Argument(help="NAME=VALUE, one or more.")]
    ) -> None:
        """Change parameters; the instance warms up again with the new ones."""
        run(_set(settings(), instance, assignments))

    @group.command()
    def protect(
        instance: Instance,
        stop: Annotated[str | None, typer.Option(help="Percent from the average price to the stop.")] = None,
        target: Annotated[str | None, typer.Option(help="Percent to a target beside the stop.")] = None,
    ) -> None:
        """Keep stops for its positions at the live broker; without --stop, none any more."""
        run(_protect(settings(), instance, stop, target))


def _show_classes() -> None:
    from trading.strategies.registry import broken, find, names

    for name in names():
        typer.echo(f"{name}: {find(name).summary}")
    for name, reason in broken().items():
        typer.echo(f"{name} does not load: {reason}", err=True)


async def _load(config: Settings) -> list[dict[str, Any]]:
    from faust_app.runtime.reference_data import ReferenceData

    found = await ReferenceData(config).load_strategies()
    return [{name: getattr(one, name) for name in COLUMNS} for one in found]


async def _change(config: Settings, instance: str, what: str, **values: Any) -> None:
    from faust_app.runtime.database import Repository, create_engine

    engine = create_engine(config, pool_size=1)
    try:
        async with control_events(config) as publish:
            if not await Repository(engine).change_strategy(instance, **values):
                await _unknown(config, instance)
            event = StrategiesChanged(strategies=(instance,), actor=actor(), reason=what)
            await publish(operator_event(event, f"strategy:{instance}"))
    finally:
        await engine.dispose()
    typer.echo(f"{instance}: {what}")


async def _unknown(config: Settings, instance: str) -> NoReturn:
    known = ", ".join(row["instance"] for row in await _load(config))
    raise ConfigurationError(f"There is no strategy instance {instance!r}; instances: {known or 'none'}")


async def _protect(config: Settings, instance: str, stop: str | None, target: str | None) -> None:
    from trading.orders.protection import stored_protection

    given = {name: value for name, value in (("stop_percent", stop), ("target_percent", target)) if value is not None}
    try:
        protection = stored_protection(given)
    except ValueError as error:
        raise ConfigurationError(f"{instance}: {one_sentence(error)}") from error
    told = " ".join(f"{name}={value}" for name, value in (protection or {}).items())
    await _change(config, instance, f"protection {told or 'none'}", protection=protection)


async def _set(config: Settings, instance: str, assignments: list[str]) -> None:
    from pydantic import ValidationError

    from trading.strategies.registry import find

    row = next((row for row in await _load(config) if row["instance"] == instance), None)
    if row is None:
        await _unknown(config, instance)
    parameters = {**row["parameters"], **read_assignments(assignments)}
    try:
        find(row["strategy"]).parameters_type(**parameters)
    except (ValidationError, LookupError) as error:
        raise ConfigurationError(f"{instance}: {one_sentence(error)}") from error
    await _change(config, instance, "set " + " ".join(assignments), parameters=parameters)
