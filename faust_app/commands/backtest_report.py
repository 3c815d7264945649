"""A backtest as one HTML page that needs nothing else: figures, equity, days, denials, trades."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from faust_app.commands.backtest import summary
from faust_app.commands.output import text
from faust_app.runtime.errors import ConfigurationError
from trading.backtest.statistics import EquityPoint, daily_equity
from trading.market.sessions import IST

if TYPE_CHECKING:
    from faust_app.commands.backtest_run import Plan
    from trading.backtest.result import Result

MOST_TRADES = 2_000
GREEN, RED, BLUE, GREY = "#1a7f5a", "#c0392b", "#2f6db3", "#8a94a0"
LAYOUT: dict[str, Any] = {
    "template": "plotly_white",
    "margin": {"l": 70, "r": 20, "t": 30, "b": 40},
    "font": {"family": "system-ui, sans-serif", "size": 13},
    "showlegend": False,
}
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2733; max-width: 1180px; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.of { color: #5b6774; } .cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); }
.cards { gap: .7rem; margin: 1.4rem 0; }
.card { border: 1px solid #dde3e9; border-radius: 8px; padding: .55rem .9rem; }
.card b { display: block; font-size: 1.1rem; font-variant-numeric: tabular-nums; }
.card span { color: #5b6774; font-size: .85rem; } .good { color: #1a7f5a; } .bad { color: #c0392b; }
.scroll { max-height: 30rem; overflow: auto; border: 1px solid #dde3e9; border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { position: sticky; top: 0; background: #f4f6f8; text-align: left; } th, td { padding: .3rem .7rem; }
td.n, th.n { text-align: right; } tr:nth-child(even) td { background: #fafbfc; }
"""
CARDS = (
    ("profit", "net profit, rupees"),
    ("charges", "charges, rupees"),
    ("equity", "equity at the end, rupees"),
    ("drawdown", "deepest drawdown, rupees"),
    ("drawdown_percent", "of the high, %"),
    ("sharpe", "Sharpe ratio (daily, annualised)"),
    ("trades", "trades, flat to flat"),
    ("win_rate", "of them with a profit"),
    ("profit_factor", "profits over losses"),
    ("turnover", "turnover, rupees"),
    ("time_in_market", "of the minutes with a position"),
    ("signals", "signals"),
    ("denied", "of them denied"),
)


def write_report(file: Path, plan: Plan, result: Result) -> None:
    """Write the page, at once and whole. Raises ConfigurationError."""
    page, temporary = _page(plan, result), file.with_name(f".{file.name}.part")
    try:
        temporary.write_text(page, encoding="utf-8")
        temporary.replace(file)
    except OSError as error:
        raise ConfigurationError(f"The report cannot be written to {file}: {error.strerror}") from error


def _page(plan: Plan, result: Result) -> str:
    parameters = ", ".join(f"{name} {value}" for name, value in plan.parameters.items()) or "default parameters"
    days = sorted(daily_equity(result.equity))
    span = f"{days[0]} to {days[-1]}, {len(days)} days" if days else "no day"
    title = f"Backtest of {plan.strategy}"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<div class="of">{escape(parameters)} &middot; {escape(plan.data.name)} &middot; {span} &middot; start cash
{_money(plan.cash)}</div>
{_cards(result)}
<h2>Equity, drawdown and exposure</h2>{_plot(_equity(result), "equity", first=True)}
<h2>Profit by day</h2>{_plot(_days(plan.cash, result), "days")}
{_denials(result)}
<h2>Trades</h2>{_trades(result)}
{_errors(result)}
</body></html>
"""


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _cards(result: Result) -> str:
    found = summary(result)
    cards = []
    for name, meaning in CARDS:
        value = found[name]
        tone = ""
        if name == "profit":
            tone = " class=good" if value >= 0 else " class=bad"
        shown = _money(value) if isinstance(value, Decimal) else f"{value:,}" if isinstance(value, int) else text(value)
        cards.append(f"<div class=card><b{tone}>{shown}</b><span>{meaning}</span></div>")
    return f"<div class=cards>{''.join(cards)}</div>"


def _plot(figure: go.Figure, name: str, *, first: bool = False) -> str:
    html: str = figure.to_html(
        full_html=False, include_plotlyjs=first, div_id=name, config={"displayModeBar": False, "responsive": True}
    )
    return html


def _at(second: int) -> datetime:
    return datetime.fromtimestamp(second, IST).replace(tzinfo=None)


def _equity(result: Result) -> go.Figure:
    """Equity, its drawdown, what is held. Nights are left out: the axis counts points, its labels are their times."""
    points = result.equity
    numbers = list(range(len(points)))
    labels = [f"{_at(point.at):%Y-%m-%d %H:%M}" for point in points]
    rows: tuple[tuple[str, list[float], dict[str, Any]], ...] = (
        ("equity", [float(point.equity) for point in points], {"line": {"color": BLUE, "width": 1.6}}),
        ("drawdown", _falls(points), {"line": {"color": RED, "width": 1}, "fill": "tozeroy"}),
        (
            "exposure",
            [float(point.gross) for point in points],
            {"line": {"color": GREY, "width": 1}, "fill": "tozeroy"},
        ),
    )
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, row_heights=[0.5, 0.25, 0.25], vertical_spacing=0.04)
    hover = "%{customdata}<br>%{y:,.2f} rupees<extra></extra>"
    for row, (name, values, look) in enumerate(rows, 1):
        trace = go.Scatter(x=numbers, y=values, customdata=labels, hovertemplate=hover, **look)
        figure.add_trace(trace, row=row, col=1)
        figure.update_yaxes(title_text=name, tickformat=",.0f", row=row, col=1)
    starts = [0, *(number + 1 for number, (one, after) in enumerate(pairwise(labels)) if one[:10] != after[:10])]
    shown = starts[:: max(1, len(starts) // 10)]
    figure.update_xaxes(tickvals=shown, ticktext=[labels[number][:10] for number in shown if labels])
    figure.update_layout(height=600, **LAYOUT)
    return figure


def _falls(points: list[EquityPoint]) -> list[float]:
    falls, high = [], points[0].equity if points else Decimal(0)
    for point in points:
        high = max(high, point.equity)
        falls.append(float(point.equity - high))
    return falls


def _days(cash: Decimal, result: Result) -> go.Figure:
    closes = daily_equity(result.equity)
    profits = [float(after - before) for before, after in pairwise([cash, *closes.values()])]
    figure = go.Figure(
        go.Bar(
            x=[str(day) for day in closes],
            y=profits,
            marker_color=[GREEN if profit >= 0 else RED for profit in profits],
            hovertemplate="%{x}<br>%{y:,.2f} rupees<extra></extra>",
        )
    )
    figure.update_layout(height=300, xaxis={"type": "category"}, yaxis={"title": "rupees"}, **LAYOUT)
    return figure


def _denials(result: Result) -> str:
    if not result.denials:
        return ""
    ordered = sorted(result.denials.items(), key=lambda item: item[1])
    figure = go.Figure(
        go.Bar(
            y=[code for code, _ in ordered],
            x=[count for _, count in ordered],
            orientation="h",
            marker_color=GREY,
            hovertemplate="%{y}: %{x}<extra></extra>",
        )
    )
    layout = {**LAYOUT, "margin": {"l": 190, "r": 20, "t": 10, "b": 40}}
    figure.update_layout(height=90 + 26 * len(ordered), xaxis={"title": "signals"}, **layout)
    return f"<h2>Denials by code</h2>{_plot(figure, 'denials')}"


def _trades(result: Result) -> str:
    if not result.trades:
        return "<p>No position was opened and closed.</p>"
    total: defaultdict[str, Decimal] = defaultdict(Decimal)
    for trade in result.trades:
        total[trade.instrument] += trade.profit
    rows = "".join(
        f"<tr><td>{escape(one.instrument)}<td>{one.side.value.lower()}<td class=n>{one.quantity}"
        f"<td>{_at(one.entered_at):%Y-%m-%d %H:%M:%S}<td class=n>{_money(one.entry_price)}"
        f"<td>{_at(one.left_at):%Y-%m-%d %H:%M:%S}<td class=n>{_money(one.exit_price)}"
        f"<td class='n {'good' if one.profit >= 0 else 'bad'}'>{_money(one.profit)}</tr>"
        for one in result.trades[:MOST_TRADES]
    )
    best, worst = max(total, key=lambda key: total[key]), min(total, key=lambda key: total[key])
    left = len(result.trades) - MOST_TRADES
    more = f"<p>{left} more trades are left out here; <code>--json</code> has them all.</p>" if left > 0 else ""
    return (
        f"<p>Before charges, {escape(best)} brought most ({_money(total[best])}) and {escape(worst)} least "
        f"({_money(total[worst])}).</p><div class=scroll><table><tr><th>instrument<th>side<th class=n>quantity<th>in"
        f"<th class=n>price<th>out<th class=n>price<th class=n>profit before charges</tr>{rows}</table></div>{more}"
    )


def _errors(result: Result) -> str:
    if not result.errors:
        return ""
    rows = "".join(f"<li>{count} times {escape(error)}</li>" for error, count in result.errors.items())
    return f"<h2>Errors of the strategy</h2><ul>{rows}</ul>"
