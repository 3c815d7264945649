"""One trading day as the ledger has written it: money, fills, slippage, denials, what went wrong.

Slippage compares a fill's price with the price its signal saw, positive when worse. Exits that came with an entry have
no signal of their own, and a signal may not be recorded: such fills are counted, not measured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from faust_app.runtime.postgres import connection
from faust_app.runtime.settings import Settings
from trading.market.sessions import IST

ZERO = Decimal(0)
BASIS_POINTS = 10_000


class Halt(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody halted a scope, or had it reduce."""

    at: datetime
    scope: str
    state: str
    actor: str
    reason: str


class AccountDay(msgspec.Struct, frozen=True, kw_only=True):
    """One account's day. Money is the day's change, in rupees: net = realised + unrealised - charges."""

    account: str
    broker: str
    net: Decimal = ZERO
    realised: Decimal = ZERO
    unrealised: Decimal = ZERO
    charges: Decimal = ZERO
    equity: Decimal | None = None
    fills: int = 0
    turnover: Decimal = ZERO
    measured_fills: int = 0
    slippage: Decimal = ZERO
    slippage_basis_points: Decimal | None = None
    denials: dict[str, int] = msgspec.field(default_factory=dict)
    unknown: int = 0
    unknown_open: int = 0
    differences: int = 0
    differences_open: int = 0


class DayReport(msgspec.Struct, frozen=True, kw_only=True):
    """All accounts with anything on that day, and the day's halts."""

    day: date
    accounts: tuple[AccountDay, ...]
    halts: tuple[Halt, ...] = ()


EVENTS = """select 'snapshots' as of, account, broker, occurred_at from snapshots
    union all select 'signals', account, broker, occurred_at from signals"""
DAYS = f"select min(occurred_at) as first, max(occurred_at) as last from ({EVENTS}) events"  # noqa: S608
ACCOUNTS = f"""select distinct account, broker from ({EVENTS}) events
    where occurred_at >= $1 and occurred_at < $2 order by account"""  # noqa: S608
FIGURES = """select realised, unrealised, charges, equity, start_cash from snapshots
    where account = $1 and occurred_at >= $2 and occurred_at < $3
    order by fills desc, occurred_at desc, cause desc, snapshot_id desc limit 1"""
BEFORE = """select realised, unrealised, charges, equity from snapshots
    where account = $1 and occurred_at < $2
    order by occurred_at desc, fills desc, cause desc, snapshot_id desc limit 1"""
FILLS = """
select account, count(*) as fills, sum(price * quantity) as turnover, count(origin) as measured_fills,
       sum(case side when 'BUY' then price - origin else origin - price end * quantity) as slippage,
       sum(origin * quantity) as base
from (
    select a.data->'order'->>'account' as account, a.data->'order'->>'side' as side,
           (a.data->>'price')::numeric as price, (a.data->>'quantity')::numeric as quantity,
           (s.body->'origin'->>'price')::numeric as origin
    from audit a left join signals s
      on s.signal_id = a.data->'order'->>'signal_id' and coalesce(a.data->'order'->>'oco_group', '') = ''
    where a.topic = 'orders.filled' and a.type = 'order.filled' and a.occurred_at >= $1 and a.occurred_at < $2
) filled group by account"""
DENIALS = """select account, code, count(*) as number from signals
    where decision = 'denied' and occurred_at >= $1 and occurred_at < $2 group by account, code order by 3 desc, 2"""
UNKNOWN = """select o.account, count(distinct o.order_id) as number
    from audit a join orders o on o.order_id = a.data->>'order_id'
    where a.topic = 'orders.updates' and a.type = 'order.update' and a.data->>'status' = 'unknown'
      and a.occurred_at >= $1 and a.occurred_at < $2 group by o.account"""
UNKNOWN_OPEN = "select account, count(*) as number from orders where status = 'unknown' group by account"
DIFFERENCES = """select data->>'account' as account, count(*) as number from audit
    where topic = 'reconciliation' and type = 'reconciliation.difference' and data->>'state' = 'appeared'
      and occurred_at >= $1 and occurred_at < $2 group by 1"""
DIFFERENCES_OPEN = "select account, count(*) as number from reconciliation where not is_resolved group by account"
# A command is given by the wall clock, and a sandbox's day is another: then the day is when its events were written.
HALTS = """
with written as (
    select min(recorded_at) as first, max(recorded_at) as last from audit
    where topic <> 'control.events' and occurred_at >= $1 and occurred_at < $2
)
select occurred_at as at, data->>'scope' as scope, data->>'state' as state, data->>'actor' as actor,
       data->>'reason' as reason
from audit, written
where topic = 'control.events' and type = 'control.trading_state' and data->>'state' <> 'active'
  and (occurred_at >= $1 and occurred_at < $2 or occurred_at >= written.first and occurred_at <= written.last)
order by occurred_at"""


def bounds(day: date) -> tuple[datetime, datetime]:
    """The day from midnight to midnight, IST."""
    start = datetime.combine(day, time(), IST)
    return start, start + timedelta(days=1)


async def recorded_days(settings: Settings) -> tuple[date, date] | None:
    """The first and the last day with events; None before there are any. Raises TransientError."""
    async with connection(settings) as opened:
        row = await opened.fetchrow(DAYS)
    if row["first"] is None:
        return None
    return row["first"].astimezone(IST).date(), row["last"].astimezone(IST).date()


async def read_report(settings: Settings, day: date) -> DayReport:
    """The report of a day; without accounts when nothing is recorded. Raises TransientError."""
    start, end = bounds(day)
    async with connection(settings) as opened, opened.transaction(isolation="repeatable_read", readonly=True):
        rows = await opened.fetch(ACCOUNTS, start, end)
        counts = await _counts(opened, start, end)
        accounts = [await _account(opened, row, start, end, counts) for row in rows]
        halts = [Halt(**row) for row in await opened.fetch(HALTS, start, end)]
    return DayReport(day=day, accounts=tuple(accounts), halts=tuple(halts))


async def _counts(opened: Any, start: datetime, end: datetime) -> dict[str, dict[str, Any]]:
    """What is counted for all accounts at once, by account and by the report's field."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in await opened.fetch(FILLS, start, end):
        found[row["account"]].update(_fills(row))
    for row in await opened.fetch(DENIALS, start, end):
        found[row["account"]].setdefault("denials", {})[row["code"]] = row["number"]
    for field, query in (("unknown", UNKNOWN), ("differences", DIFFERENCES)):
        for row in await opened.fetch(query, start, end):
            found[row["account"]][field] = row["number"]
    for field, query in (("unknown_open", UNKNOWN_OPEN), ("differences_open", DIFFERENCES_OPEN)):
        for row in await opened.fetch(query):
            found[row["account"]][field] = row["number"]
    return found


def _fills(row: Mapping[str, Any]) -> dict[str, Any]:
    slippage, base = row["slippage"] or ZERO, row["base"]
    return {
        "fills": row["fills"],
        "turnover": row["turnover"].normalize(),
        "measured_fills": row["measured_fills"],
        "slippage": slippage.normalize(),
        "slippage_basis_points": round(slippage * BASIS_POINTS / base, 2) if base else None,
    }


async def _account(
    opened: Any, row: Mapping[str, Any], start: datetime, end: datetime, counts: Mapping[str, dict[str, Any]]
) -> AccountDay:
    account = row["account"]
    last = await opened.fetchrow(FIGURES, account, start, end)
    before = None if last is None else await opened.fetchrow(BEFORE, account, start)
    money: dict[str, Any] = {} if last is None else _money(last, before)
    return AccountDay(account=account, broker=row["broker"], **money, **counts.get(account, {}))


def _money(last: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Decimal]:
    """The day's change of each figure; an account begins with its cash."""
    had = before or {"realised": ZERO, "unrealised": ZERO, "charges": ZERO, "equity": last["start_cash"]}
    changes = {name: (last[name] - had[name]).normalize() for name in ("realised", "unrealised", "charges")}
    return {**changes, "net": (last["equity"] - had["equity"]).normalize(), "equity": last["equity"].normalize()}
