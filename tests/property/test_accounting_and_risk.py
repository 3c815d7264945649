"""Risk judges by the books: its figures are the accounting's, to the last decimal."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import OrderFilled
from tests.factories import ACCOUNT, limits
from tests.property.accounting_model import INSTRUMENTS, STRATEGIES, fills, marks
from trading.accounting.account import account_day_pnl, apply_fill, equity, new_account, strategy_day_pnl
from trading.accounting.margin import MarginRates, margin_used
from trading.risk.exposure import Exposure
from trading.risk.figures import figures

percents = st.decimals("0.5", 100, places=2)


@given(
    found=fills(),
    now=marks,
    strategy=st.sampled_from([*STRATEGIES, "nobody"]),
    rates=st.tuples(percents, percents, percents),
)
def test_risk_sees_the_equity_loss_and_margin_of_the_books(
    found: list[OrderFilled], now: dict[str, Decimal], strategy: str, rates: tuple[Decimal, Decimal, Decimal]
) -> None:
    account = new_account(ACCOUNT, Decimal(1_000_000))
    for fill in found:
        apply_fill(account, fill, INSTRUMENTS[fill.order.instrument])
    intraday, futures, sold = rates
    margin = limits(equity_margin_percent=intraday, futures_margin_percent=futures, short_option_margin_percent=sold)
    seen = figures(Exposure(account=account), strategy, margin, now)
    assert seen.equity == equity(account, now)
    assert seen.day_loss == -account_day_pnl(account, now)
    assert seen.strategy_day_loss == -strategy_day_pnl(account, strategy, now)
    same = MarginRates(intraday=intraday / 100, futures=futures / 100, sold_options=sold / 100)
    assert seen.blocked == margin_used(account, now, same)
