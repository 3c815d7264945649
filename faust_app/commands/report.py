"""`alpha-panda report`: one trading day from PostgreSQL, as the end-of-day notice tells it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from faust_app.commands.arguments import day as parse_day
from faust_app.commands.output import AsJson, run, to_json
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.settings import Settings, settings

if TYPE_CHECKING:
    from faust_app.runtime.day_report import DayReport


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def report(
        day: Annotated[
            str | None, typer.Option(metavar="YYYY-MM-DD", help="The trading day; default: the last one recorded.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """One trading day of every account: P&L, charges, fills, slippage, denials, halts, what went wrong.

        Realised, unrealised, charges and net are the day's changes. Slippage compares fills with the prices their
        signals saw, positive when worse; exits that came with an entry are not measured. Differences and orders without
        an answer that are open are those of now.
        """
        from agents.notices.report import report_lines

        found = run(_read(settings(), parse_day(day, "--day")))
        if as_json:
            import msgspec

            typer.echo(to_json(msgspec.to_builtins(found, builtin_types=(Decimal, date, datetime))))
            return
        typer.echo(f"Day {found.day}")
        for line in report_lines(found):
            typer.echo(line)


async def _read(config: Settings, wanted: date | None) -> DayReport:
    """The report of the day wanted, or of the last one. Raises ConfigurationError when nothing is recorded."""
    from faust_app.runtime.day_report import read_report, recorded_days

    days = await recorded_days(config)
    if days is None:
        raise ConfigurationError("Nothing is recorded yet: there is no day to report")
    found = await read_report(config, wanted or days[1])
    if not found.accounts:
        raise ConfigurationError(f"Nothing is recorded for {wanted}; recorded are days from {days[0]} to {days[1]}")
    return found
