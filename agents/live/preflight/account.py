"""The checks of the account: session, funds, limits, reconciliation, kill switch, lease. Pure; they raise nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from agents.live.preflight.result import Check, Result, failed, passed
from brokers.errors import BrokerFailure, SessionRefused
from brokers.zerodha.client import Greeting
from brokers.zerodha.mapping import BadRow, Row
from brokers.zerodha.portfolio import read_funds
from faust_app.runtime.lease import Holder
from faust_app.runtime.redis_keys import ALL
from faust_app.runtime.trading_state import ScopeState
from models.messages.control import TradingState
from models.messages.orders import Product
from trading.market.sessions import IST
from trading.risk.limits import KINDS, NAMES, Limits

MOST_SHOWN = 3
ROUND_SECONDS = 300  # a round that is older says nothing of now


class Compared(msgspec.Struct, frozen=True):
    """The last comparison with the broker's books: its end, what could not be read, what differs in the account."""

    ended_at: float
    unread: tuple[str, ...]
    blocking: int


Latest = Callable[[], Awaitable[Compared | None]]


def judge_session(greeting: Greeting, expires_at: int, exchanges: Iterable[str]) -> Result:
    """The broker knows us, and lets us trade where instruments are subscribed to."""
    user = greeting.user
    if isinstance(user, SessionRefused):
        return failed(Check.SESSION, f"The broker does not accept the session ({user}): run `alpha-panda login`")
    if isinstance(user, BrokerFailure):
        return failed(Check.SESSION, f"The broker does not answer who we are: {user}")
    allowed, products = _names(user, "exchanges"), _names(user, "products")
    barred = sorted(set(exchanges) - allowed)
    if barred:
        return failed(Check.SESSION, f"The account may not trade on {', '.join(barred)}, only on {_listed(allowed)}")
    if not products & set(Product):
        return failed(Check.SESSION, f"The account has none of our products, only {_listed(products)}")
    until = datetime.fromtimestamp(expires_at, IST)
    return passed(
        Check.SESSION,
        f"{user.get('user_id') or 'Somebody'} until {until:%Y-%m-%d %H:%M} IST, "
        f"exchanges {_listed(allowed)}, products {_listed(products)}",
    )


def _names(user: Row, field: str) -> set[str]:
    found = user.get(field)
    return {one for one in found if isinstance(one, str)} if isinstance(found, list) else set()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def judge_funds(row: Row, least: Decimal) -> Result:
    """More usable funds than the least that entries need."""
    try:
        funds = read_funds(row)
    except BadRow as error:
        return failed(Check.FUNDS, f"The broker's funds cannot be read: {error}")
    told = f"{funds.usable} rupees usable (net {funds.net}, of it collateral {funds.collateral})"
    if funds.usable <= least:
        return failed(Check.FUNDS, f"{told}: entries need more than {least}")
    return passed(Check.FUNDS, f"{told}, more than {least}")


def judge_limits(account: str, defaults: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> Result:
    """Every limit of the account, and of each strategy with some of its own, is an amount. `rows` are by strategy."""
    of_account = rows.get("", {})
    strategies = sorted(name for name in rows if name)
    layers = {"": (defaults, of_account)} | {name: (defaults, of_account, rows[name]) for name in strategies}
    problems = [
        f"{name} is set, but there is no such limit" for row in rows.values() for name in row if name not in KINDS
    ]
    for strategy, found in layers.items():
        unusable = Limits.from_layers(*found).unusable.values()
        problems += [f"{problem} ({strategy})" if strategy else problem for problem in unusable]
    if problems:
        shown = list(dict.fromkeys(problems))
        more = f"; and {len(shown) - MOST_SHOWN} more" if len(shown) > MOST_SHOWN else ""
        return failed(Check.LIMITS, f"{account}: {'; '.join(shown[:MOST_SHOWN])}{more}")
    of_their_own = f"; limits of their own: {', '.join(strategies)}" if strategies else ""
    loss = Limits.from_layers(*layers[""]).max_daily_loss
    return passed(Check.LIMITS, f"All {len(NAMES)} of {account} are set, daily loss {loss}{of_their_own}")


def judge_reconciliation(latest: Compared | None, now: float) -> Result:
    """The last round is fresh, has read everything, and nothing that blocks is open."""
    if latest is None:
        return failed(Check.RECONCILIATION, "There is no round yet: our books were not compared with the broker's")
    age = now - latest.ended_at
    if age > ROUND_SECONDS:
        return failed(Check.RECONCILIATION, f"The last round ended {age:.0f} s ago, the limit is {ROUND_SECONDS} s")
    if latest.unread:
        missing = ", ".join(latest.unread)
        return failed(Check.RECONCILIATION, f"The last round, {age:.0f} s ago, could not read the broker's {missing}")
    if latest.blocking:
        return failed(Check.RECONCILIATION, f"Differences that block: {latest.blocking}; see `alpha-panda reconcile`")
    return passed(Check.RECONCILIATION, f"Nothing that blocks in the round {age:.0f} s ago")


def judge_kill_switch(states: Mapping[str, ScopeState], broker: str) -> Result:
    """Somebody has said that the broker may trade, and nobody that it may not."""
    own = f"broker:{broker}"
    found = {scope: states[scope] for scope in (ALL, own) if scope in states}
    if not found:
        return failed(
            Check.KILL_SWITCH, f"Nobody has said that {broker} may trade: `alpha-panda resume --broker {broker}`"
        )
    scope, strictest = max(found.items(), key=lambda item: item[1].state.severity)
    told = f"{scope} is {strictest.state.value} since revision {strictest.revision}, by {strictest.actor}"
    if strictest.state is not TradingState.ACTIVE:
        return failed(Check.KILL_SWITCH, f"{told}{f', for {strictest.reason}' if strictest.reason else ''}")
    idle = sorted(
        name for name, one in states.items() if name.startswith("strategy:") and one.state is not TradingState.ACTIVE
    )
    return passed(Check.KILL_SWITCH, f"{told}; not active: {', '.join(idle)}" if idle else told)


def judge_lease(holder: Holder | None, host: str) -> Result:
    """Free, or held on this machine."""
    if holder is None:
        return passed(Check.LEASE, "Nobody runs the account")
    told = f"{holder.owner} runs the account, fence {holder.fence}"
    if holder.owner.partition("/")[0] == host:
        return passed(Check.LEASE, f"{told}: this machine")
    return failed(Check.LEASE, f"{told}: stop it there first, this machine is {host}")
