"""The brokerage calculator: several orders, what is left of their profit, and where it breaks even."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import Side
from trading.charges.calculator import Leg, estimate
from trading.charges.charges import Charges, charges_for, on_contract_note
from trading.charges.rates import SegmentKind

D = Decimal
DAY = date(2026, 8, 20)
GOLDEN = (Leg(Side.BUY, 100, D(1500)), Leg(Side.SELL, 100, D(1510)))


def test_the_golden_case() -> None:
    found = estimate(SegmentKind.EQUITY_INTRADAY, "NSE", GOLDEN, DAY)
    assert found.charges == Charges(
        brokerage=D(40),
        stt=D("37.75"),
        transaction=D("9.2407"),
        sebi=D("0.301"),
        stamp=D("4.5"),
        gst=D("8.9175"),
    )
    assert round(found.charges.total, 2) == D("100.71")
    assert (found.gross, found.net, found.break_even_points) == (1000, D("899.29"), D("1.01"))
    assert (found.turnover, found.closed_quantity, found.open_quantity) == (301_000, 100, 0)
    assert [leg for leg, _ in found.legs] == list(GOLDEN)


def test_a_contract_note_rounds_the_sum_and_not_the_legs() -> None:
    plain = estimate(SegmentKind.EQUITY_INTRADAY, "NSE", GOLDEN, DAY)
    found = estimate(SegmentKind.EQUITY_INTRADAY, "NSE", GOLDEN, DAY, contract_note=True)
    assert found.legs == plain.legs
    assert found.charges == on_contract_note(plain.charges)
    assert found.net == D("898.54")


def test_profit_is_that_of_the_units_both_bought_and_sold() -> None:
    legs = (Leg(Side.BUY, 100, D(10)), Leg(Side.BUY, 300, D(12)), Leg(Side.SELL, 150, D(13)), Leg(Side.SELL, 50, D(15)))
    found = estimate(SegmentKind.EQUITY_DELIVERY, "NSE", legs, DAY)
    assert found.gross == 200 * D("13.5") - 200 * D("11.5")
    assert (found.closed_quantity, found.open_quantity, found.turnover) == (200, 200, 4600 + 2700)
    assert found.net == found.gross - round(found.charges.total, 2)
    short = estimate(SegmentKind.FUTURES, "NFO", (Leg(Side.SELL, 5, D(10)), Leg(Side.BUY, 3, D(9))), DAY)
    assert (short.closed_quantity, short.open_quantity, short.gross) == (3, -2, 3)


def test_half_a_paisa_goes_up() -> None:
    legs = (Leg(Side.BUY, 1, D(1)), Leg(Side.SELL, 1, D("1.005")))
    assert estimate(SegmentKind.EQUITY_DELIVERY, "NSE", legs, DAY).gross == D("0.01")


def test_nothing_closed_has_no_profit_and_no_break_even() -> None:
    for leg in GOLDEN:
        found = estimate(SegmentKind.EQUITY_INTRADAY, "NSE", (leg,), DAY)
        assert (found.gross, found.break_even_points, found.closed_quantity) == (0, None, 0)
        assert found.net == -round(found.charges.total, 2)
        assert abs(found.open_quantity) == 100


def test_the_break_even_is_rounded_away_from_a_loss() -> None:
    legs = (Leg(Side.BUY, 1000, D(100)), Leg(Side.SELL, 1000, D(100)))
    found = estimate(SegmentKind.EQUITY_DELIVERY, "NSE", legs, DAY)
    assert found.break_even_points == D("0.23")  # 100 + 100 STT, 15 stamp, 6.14 transaction, 0.2 SEBI, 1.14 GST: 222.48


def test_exchange_and_day_choose_the_rates() -> None:
    legs = (Leg(Side.SELL, 65, D(24_000)),)
    found = estimate(SegmentKind.FUTURES, "BFO", legs, date(2024, 9, 30))
    assert (found.charges.stt, found.charges.transaction) == (D("195"), 0)


legs_of = st.lists(
    st.builds(
        Leg, st.sampled_from(Side), st.integers(1, 10_000), st.integers(1, 10**7).map(lambda paise: D(paise) / 100)
    ),
    min_size=1,
    max_size=6,
)


@given(kind=st.sampled_from(SegmentKind), exchange=st.sampled_from(["NSE", "BSE"]), legs=legs_of)
def test_the_total_is_that_of_each_order(kind: SegmentKind, exchange: str, legs: list[Leg]) -> None:
    found = estimate(kind, exchange, legs, DAY)
    each = [charges_for(kind, exchange, leg.side, leg.turnover, DAY) for leg in legs]
    assert [charges for _, charges in found.legs] == each
    assert found.charges.total == sum(charges.total for charges in each)
    if found.break_even_points is not None:
        assert found.break_even_points * found.closed_quantity >= found.charges.total
        assert (found.break_even_points - D("0.01")) * found.closed_quantity < found.charges.total
