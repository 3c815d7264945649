"""`alpha-panda backtest`: a strategy over a recording, with the pipeline's own risk, matching and accounting."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faust_app.commands import arguments
from faust_app.commands.limits import limit_assignment
from faust_app.commands.output import AsJson, show
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.settings import settings

if TYPE_CHECKING:
    from faust_app.commands.backtest_run import Plan
    from trading.backtest.result import Result

Values = dict[str, Any]
SHOWN = (
    *("days", "ticks", "signals", "denied", "orders", "fills", "trades", "profit", "charges", "turnover", "equity"),
    *("drawdown", "drawdown_percent", "sharpe", "win_rate", "profit_factor", "time_in_market"),
)
SWEPT = ("profit", "charges", "trades", "drawdown", "sharpe", "win_rate", "profit_factor")


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def backtest(  # noqa: PLR0917 - options are passed by name
        strategy: Annotated[str, typer.Option(help="Name of the strategy; `strategies list` shows them.")],
        data: Annotated[Path, typer.Option(help="Recorded bars, prices or ticks: a file or a folder.", exists=True)],
        since: Annotated[str | None, typer.Option("--from", help="First day, YYYY-MM-DD; default: the first.")] = None,
        until: Annotated[str | None, typer.Option("--to", help="Last day, YYYY-MM-DD; default: the last.")] = None,
        assigned: Annotated[
            list[str] | None, typer.Option("--set", help="A parameter of the strategy, NAME=VALUE; repeatable.")
        ] = None,
        sweep: Annotated[
            list[str] | None,
            typer.Option(help="Run every one of these values, NAME=A,B,C, side by side on all cores; repeatable."),
        ] = None,
        limit: Annotated[
            list[str] | None, typer.Option(help="A risk limit, NAME=VALUE, instead of the settings'; repeatable.")
        ] = None,
        instruments: Annotated[
            list[str] | None, typer.Option("--instrument", help="EXCHANGE:SYMBOL; repeatable. Default: all.")
        ] = None,
        symbols: Annotated[int | None, typer.Option(min=1, help="Read at most so many files of bars.")] = None,
        cash: Annotated[str | None, typer.Option(help="Start cash in rupees. Default: the paper account's.")] = None,
        html: Annotated[Path | None, typer.Option(help="Write a report with plots to this file.")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Run a strategy over recorded days: trades, equity, drawdown, charges, denials by code.

        The same recording, parameters and limits give the same result, to the byte. Bars become ticks on the path
        open, nearer extreme, other extreme, close, with a book around each price; see docs/adr/0015.
        Example: alpha-panda backtest --strategy crossover --data bars/ --set fast=5 --sweep slow=20,40,60
        """
        from faust_app.commands.backtest_run import Plan, run_plan

        config = settings()
        plan = Plan(
            strategy=strategy,
            data=data,
            limits={**config.risk.model_dump(), **dict(map(limit_assignment, limit or ()))},
            rules=config.paper.rules(),
            cash=_cash(cash) or config.brokers["paper"].start_cash,
            parameters=arguments.assignments(assigned),
            since=arguments.day(since, "--from"),
            until=arguments.day(until, "--to"),
            symbols=symbols,
            instruments=tuple(instruments or ()),
        )
        if sweep and html is not None:
            raise ConfigurationError("--html is of one run; leave out --sweep or --html")
        if html is not None and not html.parent.is_dir():
            raise ConfigurationError(f"The report cannot be written: {html.parent} is not a folder")
        if sweep:
            _show_sweep(plan, list(_grid(sweep)), as_json=as_json)
            return
        result = _with_progress(run_plan, plan)
        _show(result, as_json=as_json)
        if html is not None:
            from faust_app.commands.backtest_report import write_report

            write_report(html, plan, result)
            typer.echo(f"The report is in {html}", err=True)


def _cash(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0:
        raise ConfigurationError(f"--cash {text!r} is not an amount in rupees above 0")
    return amount


def _with_progress(run_plan: Any, plan: Plan) -> Result:
    """Run with a bar of days on standard error, when that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=None)
        result: Result = run_plan(
            plan, lambda done, total: progress.update(task, description="days", completed=done, total=total)
        )
        return result


def summary(result: Result) -> dict[str, Any]:
    """The figures people look at first."""
    from trading.market.sessions import trading_day

    return {
        "days": len({trading_day(point.at) for point in result.equity}),
        "ticks": result.ticks,
        "signals": result.signals,
        "denied": sum(result.denials.values()),
        "orders": result.orders,
        "fills": len(result.fills),
        "trades": len(result.trades),
        "profit": result.profit,
        "charges": result.account.charges,
        "turnover": result.turnover,
        "equity": result.account.equity,
        "drawdown": result.drawdown.rupees,
        "drawdown_percent": round(100 * result.drawdown.fraction, 3),
        "sharpe": _rounded(result.sharpe),
        "win_rate": _rounded(result.win_rate),
        "profit_factor": _rounded(result.profit_factor),
        "time_in_market": _rounded(result.time_in_market),
    }


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 3)


def _show(result: Result, *, as_json: bool) -> None:
    if as_json:
        import msgspec

        typer.echo(msgspec.json.format(msgspec.json.encode(result), indent=1).decode())
        return
    found = summary(result)
    show([{"figure": name, "value": found[name]} for name in SHOWN], ("figure", "value"), as_json=False, empty="")
    if result.denials:
        rows = [{"denied by": code, "signals": count} for code, count in result.denials.items()]
        show(rows, ("denied by", "signals"), as_json=False, empty="")
    for error, count in result.errors.items():
        typer.echo(f"{count} x {error}", err=True)


def _grid(sweep: list[str]) -> Iterator[Values]:
    names, values = [], []
    for text in sweep:
        name, equals, several = text.partition("=")
        if not equals or not name or not all(several.split(",")):
            raise ConfigurationError(f"{text!r} is not NAME=A,B,C")
        if name in names:
            raise ConfigurationError(f"--sweep has {name} twice")
        names.append(name)
        values.append([arguments.assignment(f"{name}={one}")[1] for one in several.split(",")])
    for chosen in product(*values):
        yield dict(zip(names, chosen, strict=True))


def _show_sweep(plan: Plan, grid: list[Values], *, as_json: bool) -> None:
    from concurrent.futures import ProcessPoolExecutor
    from dataclasses import replace

    from rich.console import Console
    from rich.progress import track

    from faust_app.commands.backtest_run import run_plan

    plans = [replace(plan, parameters={**plan.parameters, **chosen}) for chosen in grid]
    with ProcessPoolExecutor() as pool:
        running = [pool.submit(run_plan, one) for one in plans]
        console = Console(stderr=True)
        waiting = track(running, "runs", console=console, transient=True, disable=not console.is_terminal)
        results = [one.result() for one in waiting]
    rows = [{**chosen, **summary(result)} for chosen, result in zip(grid, results, strict=True)]
    show(rows, (*grid[0], *SWEPT), as_json=as_json, empty="")
