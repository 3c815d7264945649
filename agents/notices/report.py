"""The end-of-day report: when it is due, and how it reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time

from agents.notices.words import count, rupees, some
from faust_app.runtime.day_report import ZERO, AccountDay, DayReport
from faust_app.runtime.notices import Notice, NoticeKind, clock_text
from trading.market.phases import Market, Phase
from trading.market.sessions import IST, is_trading_day, market_intervals, trading_day

TRADES = (Phase.CONTINUOUS, Phase.CLOSING_AUCTION)


def closing_second(day: date) -> int | None:
    """The epoch second at which the last market has closed, auctions included; None on a day without trading."""
    if not is_trading_day(day):
        return None
    midnight = int(datetime.combine(day, time(), IST).timestamp())
    ends = [one.until for market in Market for one in market_intervals(market, day) if one.phase in TRADES]
    return midnight + max(ends)


def due_day(second: int, minutes: int) -> date | None:
    """The day whose report is due at this second of the exchange's clock; None before the close or without trading."""
    day = trading_day(second)
    closed = closing_second(day)
    return day if closed is not None and second >= closed + 60 * minutes else None


def report_notice(report: DayReport, at: float) -> Notice:
    """The report as a message."""
    net = sum((one.net for one in report.accounts), ZERO)
    return Notice(
        kind=NoticeKind.REPORT,
        subject=str(report.day),
        title=f"Day {report.day}: net {rupees(net)} rupees" if report.accounts else f"Day {report.day}: nothing traded",
        lines=tuple(report_lines(report)),
        advice=f"alpha-panda report --day {report.day}",
        at=at,
        once=f"report:{report.day}",
    )


def report_lines(report: DayReport) -> Iterator[str]:
    """A block of lines for each account, then the halts."""
    for one in report.accounts:
        yield from _account(one)
    if report.halts:
        said = [f"{clock_text(one.at.timestamp())} {one.scope} {one.state} by {one.actor}" for one in report.halts]
        yield "Halts and reductions:"
        yield from (f"  {line}" for line in some(said, "halts"))


def _account(one: AccountDay) -> Iterator[str]:
    yield f"{one.account}: net {rupees(one.net)} rupees"
    yield f"  realised {rupees(one.realised)}, unrealised {rupees(one.unrealised)}, charges {rupees(one.charges)}"
    if one.equity is not None:
        yield f"  equity {rupees(one.equity)}"
    yield f"  {count(one.fills, 'fill')} for {rupees(one.turnover)} rupees"
    if one.slippage_basis_points is not None:
        measured = "" if one.measured_fills == one.fills else f" ({one.measured_fills} of {one.fills} fills)"
        yield f"  slippage {rupees(one.slippage)} rupees, {one.slippage_basis_points:.2f} basis points{measured}"
    if one.denials:
        codes = ", ".join(f"{code} {number}" for code, number in one.denials.items())
        yield f"  {count(sum(one.denials.values()), 'denial')}: {codes}"
    if one.unknown or one.unknown_open:
        yield f"  {count(one.unknown, 'order')} without an answer, {one.unknown_open} still"
    if one.differences or one.differences_open:
        yield f"  {count(one.differences, 'difference')} from the broker, {one.differences_open} open now"
