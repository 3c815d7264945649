"""`alpha-panda limits show|set|reset`: risk limits of an account and its strategies, changed while everything runs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from faust_app.commands.control_events import actor, control_events, operator_event
from faust_app.commands.output import AsJson, run, show
from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.sections import RiskSettings
from faust_app.runtime.settings import Settings, settings
from models.messages.control import LimitChange, LimitsChanged
from models.messages.envelope import Envelope
from trading.risk.limits import ACCOUNT_LIMITS, BOOK_LIMITS, NAMES, Limits, Source, amount, sources

Account = Annotated[
    str | None, typer.Option(help="Account (paper:main) or broker (paper); needed when there are more.")
]
Strategy = Annotated[str | None, typer.Option(help="Only this strategy instance of the account.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit trail.")]
COLUMNS = ("account", "strategy", "limit", "value", "source", "binds", "meaning")
CHANGE_COLUMNS = ("account", "strategy", "limit", "before", "after")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Risk limits: show what is in force, set them for an account or one strategy, reset them.",
        no_args_is_help=True,
    )
    app.add_typer(group, name="limits")

    @group.command("show")
    def show_limits(account: Account = None, strategy: Strategy = None, as_json: AsJson = False) -> None:
        """The limits in force, and which layer each comes from: default (the settings), account or strategy.

        Without --strategy the account's, and every limit a strategy has of its own. A limit that binds the account and
        each strategy is compared twice: the account's value with the account's figure, the strategy's value with the
        strategy's part of it.
        """
        config = settings()
        rows = run(_in_force(config, _accounts(config, account), strategy))
        show(rows, COLUMNS, as_json=as_json, empty="No account is enabled")

    @group.command("set")
    def set_limits(
        assignments: Annotated[
            list[str], typer.Argument(metavar="NAME=VALUE...", help="One or more; `limits show` has the names.")
        ],
        account: Account = None,
        strategy: Strategy = None,
        reason: Reason = "",
        as_json: AsJson = False,
    ) -> None:
        """Set limits; running workers use them within a second. All of them are set, or none.

        Example: alpha-panda limits set max_daily_loss=20000 max_order_rate=5 --account paper --reason "first week"
        """
        config = settings()
        wanted = dict(map(limit_assignment, assignments))
        if len(wanted) < len(assignments):
            raise ConfigurationError("A limit is given twice")
        _refuse_of_account(wanted, strategy)
        run(_change(config, _account(config, account), strategy, wanted, reason, as_json=as_json))

    @group.command()
    def reset(
        names: Annotated[list[str] | None, typer.Argument(help="Limits to reset; none is all of them.")] = None,
        account: Account = None,
        strategy: Strategy = None,
        reason: Reason = "",
        as_json: AsJson = False,
    ) -> None:
        """Take away what was set for an account, or for one strategy there; the layer below is in force again."""
        config = settings()
        wanted = dict.fromkeys(map(_known, names)) if names else None
        run(_change(config, _account(config, account), strategy, wanted, reason, as_json=as_json))


def limit_assignment(text: str) -> tuple[str, str]:
    """`NAME=VALUE` of a limit, checked. Raises ConfigurationError."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigurationError(f"{text!r} is not NAME=VALUE")
    try:
        return _known(name), str(amount(_known(name), value))
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


def _known(name: str) -> str:
    if name in NAMES:
        return name
    raise ConfigurationError(f"There is no limit {name!r}; {_hint(name, NAMES)}")


def _hint(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names) or 'none'}"


def _refuse_of_account(names: Iterable[str], strategy: str | None) -> None:
    alone = [name for name in names if name in ACCOUNT_LIMITS]
    if strategy is not None and alone:
        raise ConfigurationError(f"{alone[0]} is a limit of the whole account; set it without --strategy")


def _accounts(config: Settings, wanted: str | None) -> list[str]:
    return (
        [config.account_key(broker) for broker in config.enabled_brokers]
        if wanted is None
        else [_account(config, wanted)]
    )


def _account(config: Settings, wanted: str | None) -> str:
    keys = {broker: config.account_key(broker) for broker in config.enabled_brokers}
    if wanted is None and len(keys) == 1:
        return next(iter(keys.values()))
    if wanted is None:
        raise ConfigurationError(f"Which account? --account {' or '.join(keys.values())}")
    if wanted not in keys and wanted not in keys.values():
        raise ConfigurationError(f"There is no account {wanted!r}; {_hint(wanted, [*keys.values(), *keys])}")
    return keys.get(wanted, wanted)


async def _in_force(config: Settings, accounts: list[str], strategy: str | None) -> list[dict[str, Any]]:
    from faust_app.runtime.reference_data import ReferenceData

    data = ReferenceData(config)
    if strategy is not None:
        await _check_strategy(config, strategy)
    rows: list[dict[str, Any]] = []
    for account in accounts:
        stored = await data.load_limits(account)
        layers = {Source.DEFAULT: config.risk.model_dump(), Source.ACCOUNT: stored.pop("", {})}
        if strategy is not None:
            rows += _rows(account, strategy, {**layers, Source.STRATEGY: stored.get(strategy, {})}, NAMES)
            continue
        rows += _rows(account, "", layers, NAMES)
        for name, own in sorted(stored.items()):
            rows += _rows(account, name, {**layers, Source.STRATEGY: own}, [one for one in NAMES if one in own])
    return rows


def _rows(
    account: str, strategy: str, layers: dict[Source, dict[str, Any]], names: Iterable[str]
) -> Iterator[dict[str, Any]]:
    limits, origin = Limits.from_layers(*layers.values()), sources(layers)
    for name in names:
        problem = limits.unusable.get(name)
        yield {
            "account": account,
            "strategy": strategy or None,
            "limit": name,
            "value": f"refuses everything: {problem}" if problem else getattr(limits, name),
            "source": origin[name].value,
            "layers": {layer.value: values.get(name) for layer, values in layers.items()},
            "binds": _binds(name),
            "meaning": RiskSettings.model_fields[name].description,
        }


def _binds(name: str) -> str:
    if name in ACCOUNT_LIMITS:
        return "account"
    return "account and each strategy" if name in BOOK_LIMITS else "each order"


async def _check_strategy(config: Settings, strategy: str) -> None:
    from faust_app.runtime.reference_data import ReferenceData

    known = [one.instance for one in await ReferenceData(config).load_strategies()]
    if strategy not in known:
        raise ConfigurationError(f"There is no strategy instance {strategy!r}; {_hint(strategy, known)}")


async def _change(
    config: Settings,
    account: str,
    strategy: str | None,
    wanted: dict[str, str] | dict[str, None] | None,
    reason: str,
    *,
    as_json: bool,
) -> None:
    from faust_app.runtime.limits_store import LimitsStore, scope_of

    if strategy is not None:
        await _check_strategy(config, strategy)
    scope, who = scope_of(account, strategy or ""), actor()

    def announce(changes: dict[str, LimitChange]) -> Envelope[LimitsChanged]:
        event = LimitsChanged(
            scope=scope, account=account, strategy=strategy or "", changes=changes, actor=who, reason=reason
        )
        return operator_event(event, scope)

    async with control_events(config) as publish:
        envelope = await LimitsStore(config).change(account, strategy or "", wanted, announce)
        if envelope is not None:
            await _tell(publish, envelope)
    changes = {} if envelope is None else envelope.data.changes
    rows = [_change_row(account, strategy, name, change) for name, change in changes.items()]
    show(rows, CHANGE_COLUMNS, as_json=as_json, empty=f"{scope}: nothing to change")


async def _tell(publish: Any, envelope: Envelope[LimitsChanged]) -> None:
    from aiokafka.errors import KafkaError

    try:
        await publish(envelope)
    except KafkaError as error:
        raise TransientError(
            f"The limits are stored, but running workers were not told and notice within ten seconds ({error})"
        ) from error


def _change_row(account: str, strategy: str | None, name: str, change: LimitChange) -> dict[str, Any]:
    return {
        "account": account,
        "strategy": strategy,
        "limit": name,
        "before": change.before,
        "after": change.after,
    }
