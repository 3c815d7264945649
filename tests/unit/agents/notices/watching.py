"""What tests of notices let watches hear, and ask of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from agents.notices.quiet import Watch
from faust_app.runtime.notices import Notice
from models.messages.control import TradingState, TradingStateChanged
from models.messages.market import Mark, Marks
from models.messages.orders import Product
from models.messages.portfolio import AccountAlarm, AlarmKind, PortfolioSnapshot, SnapshotCause
from models.messages.reconciliation import DifferenceState as D
from models.messages.reconciliation import OpenDifference, ReconciliationDifference
from models.messages.signals import DeniedSignal
from tests.factories import ACCOUNT, AT, signal

NOW = float(AT)
SOME = Marks(run_id="run", clock=AT, marks=(Mark(1, 1, AT, "continuous"),))


def due(watch: Watch, now: float = NOW, **options: Any) -> list[Notice]:
    """What it has to tell now."""
    return list(watch.due(now, **options))


def one(watch: Watch, now: float = NOW) -> Notice:
    """The only notice it has to tell now."""
    (found,) = due(watch, now)
    return found


def denied(code: str = "order_rate", account: str = ACCOUNT) -> DeniedSignal:
    """A signal that was denied."""
    return DeniedSignal(
        signal_id="s",
        account=account,
        strategy="momentum",
        instrument="NSE:INFY",
        code=code,
        message="no",
        signal=signal(),
    )


def difference(key: str = "k", **values: Any) -> OpenDifference:
    """A difference from the broker."""
    defaults: dict[str, Any] = {
        "kind": "position_quantity",
        "subject": "NSE:INFY MIS",
        "severity": "blocks_instrument",
        "ours": "10",
        "theirs": "0",
        "value": "10/0",
        "since": AT,
    }
    return OpenDifference(key=key, **{**defaults, **values})


def became(state: D, **values: Any) -> ReconciliationDifference:
    """A difference that came to this state."""
    return ReconciliationDifference(account="zerodha:main", state=state, difference=difference(**values), at=AT)


def changed(state: TradingState, revision: int, scope: str = "all", **values: Any) -> TradingStateChanged:
    """A change of the trading state."""
    return TradingStateChanged(scope=scope, state=state, revision=revision, actor="asha", reason="news", **values)


def snapshot(day_pnl: str = "0", alarms: tuple[AccountAlarm, ...] = (), at: int = AT) -> PortfolioSnapshot:
    """A snapshot of the account."""
    money = dict.fromkeys(("start_cash", "cash", "position_value", "realised", "unrealised", "charges"), Decimal(0))
    return PortfolioSnapshot(
        account=ACCOUNT,
        cause=SnapshotCause.MARK,
        event_time=at,
        equity=Decimal(0),
        fills=1,
        day_pnl=Decimal(day_pnl),
        alarms=alarms,
        **money,
    )


def alarm(instrument: str = "NFO:INFYFUT", quantity: int = 500) -> AccountAlarm:
    """A position that needs a person."""
    return AccountAlarm(
        kind=AlarmKind.DELIVERY_NEAR, strategy="rsi", instrument=instrument, product=Product.NRML, quantity=quantity
    )
