"""Charges by the published table, part by part, with its dates."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import Product, Side
from trading.charges.charges import Charges, charges_for, on_contract_note, segment_kind, venue
from trading.charges.rates import GST, TABLE, SegmentKind, rates_for

DAY = date(2026, 8, 20)
K = SegmentKind
CRORE = Decimal(10_000_000)
BUY, SELL = Side.BUY, Side.SELL


def charge(kind: SegmentKind, turnover: Decimal | int, side: Side = BUY, exchange: str = "NSE") -> Charges:
    return charges_for(kind, exchange, side, Decimal(turnover), DAY)


def test_the_golden_case() -> None:
    """Intraday on NSE: 100 bought at 1,500 and sold at 1,510. Brokerage is capped: 0.03 % would be 45 and 45.30."""
    buy, sell = charge(K.EQUITY_INTRADAY, 150_000), charge(K.EQUITY_INTRADAY, 151_000, SELL)
    assert (buy.brokerage, sell.brokerage) == (Decimal(20), Decimal(20))
    assert buy.stt + sell.stt == Decimal("37.75")
    assert buy.transaction + sell.transaction == Decimal("9.2407")
    assert buy.sebi + sell.sebi == Decimal("0.301")
    assert buy.stamp + sell.stamp == Decimal("4.5")
    assert buy.gst + sell.gst == Decimal("8.9175")
    assert round(buy.total + sell.total, 2) == Decimal("100.71")


def test_the_brokers_published_example() -> None:
    """Zerodha's own calculator, intraday on NSE: 400 bought at 1,000 and sold at 1,100 (docs/adr/0007)."""
    buy, sell = charge(K.EQUITY_INTRADAY, 400_000), charge(K.EQUITY_INTRADAY, 440_000, SELL)
    assert (buy.brokerage, sell.brokerage, sell.stt, buy.stamp) == (20, 20, 110, 12)
    assert buy.transaction + sell.transaction == Decimal("25.788")
    assert buy.sebi + sell.sebi == Decimal("0.84")


# Rupees a crore of turnover costs: (kind, exchange, brokerage, STT buying, STT selling, transaction, stamp buying).
CRORES = [
    (K.EQUITY_INTRADAY, "NSE", 20, 0, 2_500, 307, 300),
    (K.EQUITY_INTRADAY, "BSE", 20, 0, 2_500, 375, 300),
    (K.EQUITY_DELIVERY, "NSE", 0, 10_000, 10_000, 307, 1_500),
    (K.EQUITY_DELIVERY, "BSE", 0, 10_000, 10_000, 375, 1_500),
    (K.FUTURES, "NFO", 20, 0, 5_000, 183, 200),
    (K.FUTURES, "BFO", 20, 0, 5_000, 0, 200),
    (K.OPTIONS, "NFO", 20, 0, 15_000, 3_553, 300),
    (K.OPTIONS, "BFO", 20, 0, 15_000, 3_250, 300),
]


@pytest.mark.parametrize(("kind", "exchange", "brokerage", "stt_buy", "stt_sell", "transaction", "stamp"), CRORES)
def test_a_crore_costs_what_the_table_says(
    kind: SegmentKind, exchange: str, brokerage: int, stt_buy: int, stt_sell: int, transaction: int, stamp: int
) -> None:
    gst = (brokerage + transaction + 10) * Decimal("0.18")
    buy, sell = charge(kind, CRORE, BUY, exchange), charge(kind, CRORE, SELL, exchange)
    assert buy == Charges(
        brokerage=Decimal(brokerage),
        stt=Decimal(stt_buy),
        transaction=Decimal(transaction),
        sebi=Decimal(10),
        stamp=Decimal(stamp),
        gst=gst,
    )
    assert sell == Charges(
        brokerage=Decimal(brokerage),
        stt=Decimal(stt_sell),
        transaction=Decimal(transaction),
        sebi=Decimal(10),
        stamp=Decimal(0),
        gst=gst,
    )
    assert buy.total == brokerage + stt_buy + transaction + 10 + stamp + gst


@pytest.mark.parametrize("kind", [K.EQUITY_INTRADAY, K.FUTURES])
@pytest.mark.parametrize(
    ("turnover", "brokerage"), [("66666.66", "20"), ("66666", "19.9998"), ("66667", "20"), ("1", "0.0003")]
)
def test_brokerage_is_a_rate_up_to_twenty_rupees(kind: SegmentKind, turnover: str, brokerage: str) -> None:
    assert charge(kind, Decimal(turnover)).brokerage == Decimal(brokerage)


def test_halves_of_a_ten_thousandth_go_up() -> None:
    assert charge(K.EQUITY_INTRADAY, Decimal("1.5")).brokerage == Decimal("0.0005")  # 0.00045


def test_an_option_order_costs_twenty_rupees_however_small() -> None:
    assert charge(K.OPTIONS, 1).brokerage == Decimal(20)


@pytest.mark.parametrize("turnover", [0, -1])
@pytest.mark.parametrize("kind", SegmentKind)
def test_what_has_not_traded_costs_nothing(kind: SegmentKind, turnover: int) -> None:
    assert charge(kind, turnover).total == 0


@pytest.mark.parametrize(
    ("kind", "day", "rate"),
    [
        (K.FUTURES, "2024-09-30", "0.000125"),
        (K.FUTURES, "2024-10-01", "0.0002"),
        (K.FUTURES, "2026-03-31", "0.0002"),
        (K.FUTURES, "2026-04-01", "0.0005"),
        (K.OPTIONS, "2024-09-30", "0.000625"),
        (K.OPTIONS, "2024-10-01", "0.001"),
        (K.OPTIONS, "2026-03-31", "0.001"),
        (K.OPTIONS, "2026-04-01", "0.0015"),
    ],
)
def test_the_transaction_tax_changes_with_its_date(kind: SegmentKind, day: str, rate: str) -> None:
    assert rates_for(kind, date.fromisoformat(day)).stt_sell == Decimal(rate)


@pytest.mark.parametrize("kind", SegmentKind)
def test_every_day_has_rates_and_rows_are_in_order(kind: SegmentKind) -> None:
    since = [rates.since for rates in TABLE[kind]]
    assert since == sorted(set(since))
    assert rates_for(kind, date.min) is TABLE[kind][0]  # the epoch, or earlier, is no error
    assert rates_for(kind, date.max) is TABLE[kind][-1]


@pytest.mark.parametrize(
    ("instrument_type", "product", "kind"),
    [
        ("EQ", Product.CNC, K.EQUITY_DELIVERY),
        ("EQ", Product.MIS, K.EQUITY_INTRADAY),
        ("EQ", Product.NRML, K.EQUITY_INTRADAY),
        ("FUT", Product.MIS, K.FUTURES),
        ("FUT", Product.NRML, K.FUTURES),
        ("CE", Product.NRML, K.OPTIONS),
        ("PE", Product.MIS, K.OPTIONS),
    ],
)
def test_what_is_traded_and_how_decides_the_kind(instrument_type: str, product: Product, kind: SegmentKind) -> None:
    assert segment_kind(instrument_type, product) is kind


turnovers = st.decimals(0, 10**9, places=4)


@given(
    kind=st.sampled_from(SegmentKind),
    side=st.sampled_from(Side),
    exchange=st.sampled_from(["NSE", "BSE", "NFO", "BFO"]),
    small=turnovers,
    more=turnovers,
)
def test_charges_never_fall_as_an_order_fills_on(
    kind: SegmentKind, side: Side, exchange: str, small: Decimal, more: Decimal
) -> None:
    before, after = charge(kind, small, side, exchange), charge(kind, small + more, side, exchange)
    for name in before.__struct_fields__:
        assert 0 <= getattr(before, name) <= getattr(after, name)
    assert before.total == sum(getattr(before, name) for name in before.__struct_fields__)
    taxed = before.brokerage + before.transaction + before.sebi
    assert abs(before.gst - taxed * GST) <= Decimal("0.0002")


def test_nothing_is_rounded_to_the_rupee_but_on_the_contract_note() -> None:
    """STT 37.75 and stamp duty 4.50 of the golden case become 38 and 5; halves go up."""
    total = charge(K.EQUITY_INTRADAY, 150_000) + charge(K.EQUITY_INTRADAY, 151_000, SELL)
    note = on_contract_note(total)
    assert (note.stt, note.stamp) == (Decimal(38), Decimal(5))
    assert (note.brokerage, note.transaction, note.sebi, note.gst) == (
        total.brokerage,
        total.transaction,
        total.sebi,
        total.gst,
    )
    assert note.total == total.total + Decimal("0.75")
    assert on_contract_note(Charges(stt=Decimal("36.5"))).stt == 37
    less = on_contract_note(Charges(stt=Decimal("37.4999"), stamp=Decimal("0.4999")))
    assert (less.stt, less.stamp) == (Decimal(37), Decimal(0))


def test_charges_add_up_part_by_part() -> None:
    parts = Charges.__struct_fields__
    one = Charges(**{part: Decimal(number) for number, part in enumerate(parts, start=1)})
    assert one + one == Charges(**{part: Decimal(2 * number) for number, part in enumerate(parts, start=1)})
    assert (one + Charges()).total == one.total == 21


@pytest.mark.parametrize(
    ("exchange", "rates"), [("NSE", "NSE"), ("NFO", "NSE"), ("BSE", "BSE"), ("BFO", "BSE"), ("MCX", "NSE")]
)
def test_derivatives_are_charged_by_their_exchange(exchange: str, rates: str) -> None:
    assert venue(exchange) == rates
