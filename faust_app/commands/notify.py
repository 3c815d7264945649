"""`alpha-panda notify list|test`: who is told of what, and whether it arrives."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from faust_app.commands.output import AsJson, show, to_json
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.notices import MEANINGS, Notice, NoticeKind
from faust_app.runtime.sections import NoticesSettings
from faust_app.runtime.settings import settings

KIND_COLUMNS = ("kind", "on", "meaning")
SERVICE_COLUMNS = ("line", "service", "address")
Kind = Annotated[str, typer.Option(help="As what kind of notice; `notify list` has them.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Notices to people by Telegram, e-mail and more: list what is told to whom, send a test.",
        no_args_is_help=True,
    )
    app.add_typer(group, name="notify")

    @group.command("list")
    def list_kinds(as_json: AsJson = False) -> None:
        """Every kind of notice, whether it is told, and the services it goes to. Addresses are not shown.

        docs/runbooks/notices.md has the steps to set them up.
        """
        config = settings().notices
        kinds = [_row(config, kind) for kind in NoticeKind]
        services = _services(config)
        if as_json:
            typer.echo(to_json({"enabled": config.enabled, "kinds": kinds, "services": services}))
            return
        show(kinds, KIND_COLUMNS, as_json=False, empty="")
        show(services, SERVICE_COLUMNS, as_json=False, empty="No addresses: notices.addresses_file is not set")
        if not config.enabled:
            typer.echo("Nothing is told: notices.enabled is off")

    @group.command("test")
    def test(kind: Kind = NoticeKind.HALTS.value, as_json: AsJson = False) -> None:
        """Send a test message to every address, whether notices are enabled or not, and say who took it.

        Exit code 1 when one of them did not.
        """
        wanted = _kind(kind)
        rows = list(_send(settings().notices, wanted, as_json=as_json))
        if as_json:
            typer.echo(to_json(rows))
        if not all(row["taken"] for row in rows):
            raise typer.Exit(1)


def _row(config: NoticesSettings, kind: NoticeKind) -> dict[str, Any]:
    is_on = config.enabled and kind in config.kinds
    return {"kind": kind.value, "on": is_on, "meaning": MEANINGS[kind]}


def _kind(text: str) -> NoticeKind:
    try:
        return NoticeKind(text)
    except ValueError:
        raise ConfigurationError(f"There is no kind {text!r}; kinds: {', '.join(NoticeKind)}") from None


def _services(config: NoticesSettings) -> list[dict[str, Any]]:
    from faust_app.runtime.notice_services import load_services

    if config.addresses_file is None:
        return []
    return [{"line": one.line, "service": one.name, "address": one.masked} for one in load_services(config)]


def _send(config: NoticesSettings, kind: NoticeKind, *, as_json: bool) -> Any:
    """One service after the other; each says at once what became of it."""
    from faust_app.runtime.notice_services import load_services
    from faust_app.runtime.notifier import PREFIX

    notice = example(kind, time.time())
    for one in load_services(config):
        taken = one.send(f"{PREFIX}{notice.title}", notice.text)
        if not as_json:
            typer.echo(f"{one!r}: {'taken' if taken else 'FAILED'}", err=not taken)
        yield {"line": one.line, "service": one.name, "address": one.masked, "taken": taken}


def example(kind: NoticeKind, at: float) -> Notice:
    """A test message of a kind."""
    return Notice(
        kind=kind,
        subject="test",
        title=f"Test of {kind.value}: nothing has happened",
        lines=(f"Notices of this kind tell: {MEANINGS[kind]}",),
        advice="nothing; docs/runbooks/notices.md explains the kinds",
        at=at,
    )
