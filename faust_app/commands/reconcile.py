"""`alpha-panda reconcile`: compare an account with its broker now, see what differs, accept what is right."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any

import msgspec
import typer

from faust_app.commands.control_events import actor, control_events, operator_event
from faust_app.commands.output import AsJson, Yes, confirm, run, show
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.settings import Settings, settings
from models.messages.envelope import Envelope
from models.messages.reconciliation import (
    AcceptedDifference,
    DifferencesAccepted,
    OpenDifference,
    ReconciliationAsked,
    ReconciliationRound,
)

EVERYTHING = "all"
ANSWER_SECONDS = 20.0
COLUMNS = ("reference", "kind", "severity", "subject", "instrument", "ours", "theirs", "since", "accepted")
Publish = Callable[[Envelope[Any]], Awaitable[None]]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def reconcile(
        broker: Annotated[str | None, typer.Option(help="The broker; needed when more than one is live.")] = None,
        accept: Annotated[
            list[str] | None,
            typer.Option(metavar="REFERENCE", help="Accept this difference as it is; `all` accepts all that block."),
        ] = None,
        reason: Annotated[str, typer.Option(help="Why it is right, for the audit trail. Needed to accept.")] = "",
        yes: Yes = False,
        as_json: AsJson = False,
    ) -> None:
        """Compare orders, trades, positions, holdings and funds with the broker's, and show what differs.

        The running engine does it, as it does by itself every few seconds. A difference that blocks keeps entries back
        until it is gone or accepted; exits always pass. An acceptance ends when the difference changes.
        docs/reconciliation.md explains every kind. Exit code 1 while something blocks.

        Example: alpha-panda reconcile --accept 3fa9c1d2 --reason "bought by hand"
        """
        config = settings()
        name = _live_broker(config, broker)
        if accept and not reason.strip():
            raise ConfigurationError("--accept needs --reason: the audit trail keeps why a difference is right")
        found = run(_reconcile(config, name, accept or [], reason, yes=yes))
        show(map(_row, found.open), COLUMNS, as_json=as_json, empty=f"{found.account} and its broker agree")
        _warn(found)
        if found.blocks_account or found.blocked_instruments or found.unread:
            raise typer.Exit(1)


def _warn(found: ReconciliationRound) -> None:
    if found.unread:
        typer.echo(f"The broker's {', '.join(found.unread)} could not be read: nothing new is known of them", err=True)
    if found.blocks_account:
        typer.echo("No entries: the account differs", err=True)
    elif found.blocked_instruments:
        typer.echo(f"No entries in {', '.join(found.blocked_instruments)}", err=True)


def _live_broker(config: Settings, wanted: str | None) -> str:
    live = [name for name in config.enabled_brokers if config.brokers[name].execution.is_at_the_broker]
    if wanted is None and len(live) == 1:
        return live[0]
    if wanted in live:
        return str(wanted)
    if not live:
        raise ConfigurationError("No enabled broker is live: a simulated account has nobody to compare with")
    raise ConfigurationError(f"Which broker? --broker {' or '.join(live)}")


async def _reconcile(
    config: Settings, broker: str, wanted: list[str], reason: str, *, yes: bool
) -> ReconciliationRound:
    async with control_events(config) as publish:
        found = await _ask(config, broker, publish)
        chosen = list(_chosen(found.open, wanted))
        if not chosen:
            return found
        if not yes:
            show(map(_row, chosen), COLUMNS, as_json=False, empty="")
        confirm(f"Accept {len(chosen)} difference(s) as right?", yes=yes)
        await _accept(config, found.account, chosen, reason, publish)
        return await _ask(config, broker, publish)


def _chosen(found: Iterable[OpenDifference], wanted: list[str]) -> Iterable[OpenDifference]:
    from trading.reconciliation.kinds import Severity

    found = list(found)
    unknown = set(wanted) - {one.reference for one in found} - {EVERYTHING}
    if unknown:
        raise ConfigurationError(f"There is no difference {', '.join(sorted(unknown))} any more: look again")
    for one in found:
        is_meant = one.reference in wanted or (EVERYTHING in wanted and Severity(one.severity).is_blocking)
        if is_meant and not one.is_accepted:
            yield one


async def _accept(config: Settings, account: str, chosen: list[OpenDifference], reason: str, publish: Publish) -> None:
    from faust_app.runtime.acceptances import store_acceptances

    accepted = tuple(AcceptedDifference(key=one.key, value=one.value) for one in chosen)
    body = DifferencesAccepted(account=account, accepted=accepted, actor=actor(), reason=reason)
    envelope = operator_event(body, account)
    await store_acceptances(config, envelope)
    await publish(envelope)


async def _ask(config: Settings, broker: str, publish: Publish) -> ReconciliationRound:
    """Ask the engine for a comparison and wait for its answer."""
    from faust_app.commands.kafka_reader import partitions, reader
    from faust_app.runtime.codec import decode_any, new_id
    from faust_app.runtime.topics import Topic, Topics

    account, number = config.account_key(broker), new_id()
    async with reader(config) as consumer:
        consumer.assign(await partitions(config, consumer, Topics(config).name(Topic.RECONCILIATION, broker)))
        await consumer.seek_to_end()
        await publish(operator_event(ReconciliationAsked(account=account, number=number, actor=actor()), account))
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                for message in batch:
                    body = decode_any(message.value).data
                    if isinstance(body, ReconciliationRound) and body.asked == number:
                        return body
    raise ConfigurationError(
        f"The engine of {broker} has not answered within {ANSWER_SECONDS:.0f} s: is it running, and logged in?"
    )


def _row(one: OpenDifference) -> dict[str, Any]:
    from faust_app.runtime.codec import event_time

    values = msgspec.structs.asdict(one)
    return {**values, "reference": one.reference, "since": event_time(one.since), "accepted": one.is_accepted}
