"""Accounting: the identity holds exactly, charges are those of each order's turnover."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import Product, Side
from models.messages.portfolio import SnapshotCause
from tests.factories import ACCOUNT, AT, filled, instrument, order
from trading.accounting.account import Account, apply_fill, new_account, position_quantity, prune_orders, snapshot
from trading.charges.charges import charges_for, segment_kind
from trading.charges.rates import SegmentKind, rates_for

MARKS = {"NSE:INFY": Decimal("1512.35"), "NSE:TCS": Decimal("3333.3")}


def assert_identity(account: Account) -> None:
    """cash + position value = start cash + realised + unrealised - charges, to the last decimal."""
    body = snapshot(account, MARKS, SnapshotCause.FILL, AT)
    assert body.cash + body.position_value == body.start_cash + body.realised + body.unrealised - body.charges
    assert body.equity == body.cash + body.position_value
    assert body.realised == sum(one.realised for one in account.positions.values())


fills = st.lists(
    st.tuples(
        st.sampled_from(["momentum", "rsi"]),
        st.sampled_from(["NSE:INFY", "NSE:TCS"]),
        st.sampled_from(Side),
        st.lists(st.tuples(st.integers(1, 60), st.integers(100, 400_000)), min_size=1, max_size=3),
        st.booleans(),
    ),
    max_size=12,
)


@given(fills)
def test_identity_holds_after_every_fill_and_repeats_change_nothing(rows: list[tuple[object, ...]]) -> None:
    account = new_account(ACCOUNT, Decimal(1_000_000))
    expected: dict[tuple[str, str], int] = {}
    charges = Decimal(0)
    for number, (strategy, key, side, parts, left_open) in enumerate(rows):
        total = sum(quantity for quantity, _ in parts) + int(left_open)  # type: ignore[union-attr]
        one = order(order_id=f"o{number}", strategy=strategy, instrument=key, side=side, quantity=total)
        cumulative, turnover = 0, Decimal(0)
        for quantity, paise in parts:  # type: ignore[union-attr]
            cumulative += quantity
            price = Decimal(paise) / 100
            turnover += quantity * price
            fill = filled(one, quantity, str(price), cumulative)
            assert apply_fill(account, fill, instrument())
            assert_identity(account)
            if not fill.complete:
                assert not apply_fill(account, fill, instrument())
        expected[strategy, key] = expected.get((strategy, key), 0) + side.sign * cumulative  # type: ignore[index,union-attr]
        charges += charges_for(SegmentKind.EQUITY_INTRADAY, "NSE", side, turnover, date(2026, 8, 20)).total  # type: ignore[arg-type]
    assert account.charges == charges
    for (strategy, key), quantity in expected.items():
        assert position_quantity(account, strategy, key) == quantity


def test_partial_close_realises_the_share_of_the_cost() -> None:
    account = new_account(ACCOUNT, Decimal(1_000_000))
    apply_fill(account, filled(order(order_id="a", quantity=10), 10, "100", 10), instrument())
    apply_fill(account, filled(order(order_id="b", quantity=4, side=Side.SELL), 4, "110", 4), instrument())
    position = account.positions["momentum|NSE:INFY|MIS"]
    assert (account.realised, position.quantity, position.average_price) == (40, 6, 100)


def test_flip_realises_the_whole_and_opens_the_rest() -> None:
    account = new_account(ACCOUNT, Decimal(1_000_000))
    apply_fill(account, filled(order(order_id="a", quantity=10), 10, "100", 10), instrument())
    apply_fill(account, filled(order(order_id="b", quantity=15, side=Side.SELL), 15, "110", 15), instrument())
    position = account.positions["momentum|NSE:INFY|MIS"]
    assert (account.realised, position.quantity, position.average_price) == (100, -5, 110)


def test_position_without_a_mark_is_valued_at_its_cost() -> None:
    account = new_account(ACCOUNT, Decimal(1_000_000))
    apply_fill(account, filled(order(instrument="NSE:ABC"), 10, "100", 10), instrument())
    assert snapshot(account, MARKS, SnapshotCause.FILL, AT).unrealised == 0


def test_day_roll_forgets_old_orders_and_flat_positions() -> None:
    account = new_account(ACCOUNT, Decimal(1_000_000))
    apply_fill(account, filled(order(order_id="a", quantity=20), 10, "100", 10), instrument())
    apply_fill(account, filled(order(order_id="b", side=Side.SELL), 10, "100", 10), instrument())
    prune_orders(account, date(2026, 8, 21))
    assert not account.orders
    assert not account.positions


# Zerodha's brokerage calculator for intraday equity on NSE, 400 bought at 1000 and sold at 1100 (docs/adr/0007).
def test_charges_of_the_published_example() -> None:
    day = date(2026, 8, 20)
    buy = charges_for(SegmentKind.EQUITY_INTRADAY, "NSE", Side.BUY, Decimal(400_000), day)
    sell = charges_for(SegmentKind.EQUITY_INTRADAY, "NSE", Side.SELL, Decimal(440_000), day)
    assert (buy.brokerage, sell.brokerage) == (20, 20)
    assert sell.stt == Decimal(110)
    assert buy.stamp == Decimal(12)
    assert buy.transaction + sell.transaction == Decimal("25.788")
    assert buy.sebi + sell.sebi == Decimal("0.84")


@pytest.mark.parametrize(("turnover", "brokerage"), [("66666", "19.9998"), ("66667", "20"), ("0", "0")])
def test_brokerage_is_a_rate_up_to_twenty_rupees(turnover: str, brokerage: str) -> None:
    found = charges_for(SegmentKind.EQUITY_INTRADAY, "NSE", Side.BUY, Decimal(turnover), date(2026, 8, 20))
    assert found.brokerage == Decimal(brokerage)


@pytest.mark.parametrize(("day", "rate"), [("2026-03-31", "0.0002"), ("2026-04-01", "0.0005")])
def test_rates_change_with_their_date(day: str, rate: str) -> None:
    assert rates_for(SegmentKind.FUTURES, date.fromisoformat(day)).stt_sell == Decimal(rate)


@pytest.mark.parametrize(
    ("kind", "product", "expected"),
    [
        ("EQ", Product.CNC, SegmentKind.EQUITY_DELIVERY),
        ("EQ", Product.MIS, SegmentKind.EQUITY_INTRADAY),
        ("FUT", Product.NRML, SegmentKind.FUTURES),
        ("PE", Product.NRML, SegmentKind.OPTIONS),
    ],
)
def test_kind_of_charges(kind: str, product: Product, expected: SegmentKind) -> None:
    assert segment_kind(kind, product) is expected
