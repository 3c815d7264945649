"""Snapshots: every figure of the account, at the marks given."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from models.messages.orders import Product, Side
from models.messages.portfolio import AlarmKind, PortfolioSnapshot, PositionSnapshot, SnapshotCause
from tests.factories import ACCOUNT, AT
from tests.unit.trading.accounting.books import FRIDAY, START, TCS, Books, contract
from trading.accounting.margin import MarginRates
from trading.accounting.snapshot import snapshot
from trading.charges.charges import charges_for
from trading.charges.rates import SegmentKind

D = Decimal


def a_second_day() -> Books:
    """40 INFY bought for 100 yesterday, 10 sold today for 120; a future sold; TCS opened and closed."""
    books = Books()
    books.trade(40, "100", product=Product.CNC)
    books.roll(FRIDAY, NSE_INFY=110)
    books.trade(-10, "120", product=Product.CNC)
    books.trade(-65, "24000", contract("FUT", name="RELIANCE"), product=Product.NRML, strategy="rsi")
    books.trade(5, "10", TCS)
    books.trade(-5, "12", TCS)
    return books


def test_a_snapshot_has_every_figure() -> None:
    books = a_second_day()
    account = books.account
    marks = {"NSE:INFY": D(105), "NFO:RELIANCEFUT": D(24_010)}
    body = snapshot(account, marks, SnapshotCause.MARK, AT)
    charges = account.charges
    assert (body.account, body.cause, body.event_time) == (ACCOUNT, SnapshotCause.MARK, AT)
    assert (body.start_cash, body.cash, body.charges, body.fills) == (START, account.cash, charges, 5)
    assert body.realised == 200 + 10
    assert body.unrealised == 30 * 5 - 650
    assert body.position_value == 30 * 105 - 650
    assert body.equity == START + 210 + 150 - 650 - charges
    yesterday = START + 400 - charges + charges_today()
    assert account.day_start_equity == yesterday
    assert body.day_pnl == body.equity - yesterday
    assert (body.high_water_mark, body.drawdown) == (yesterday, yesterday - body.equity)
    assert body.margin_used == 30 * 105 + D("0.2") * 65 * 24_010
    assert [alarm.kind for alarm in body.alarms] == [AlarmKind.DELIVERY_NEAR]


def charges_today() -> Decimal:
    """Those of the four fills of the second day."""
    orders = [
        (SegmentKind.EQUITY_DELIVERY, Side.SELL, "1200"),
        (SegmentKind.FUTURES, Side.SELL, "1560000"),
        (SegmentKind.EQUITY_INTRADAY, Side.BUY, "50"),
        (SegmentKind.EQUITY_INTRADAY, Side.SELL, "60"),
    ]
    return sum((charges_for(kind, "NSE", side, D(turnover), FRIDAY).total for kind, side, turnover in orders), D(0))


def test_a_position_has_its_day_too() -> None:
    body = snapshot(a_second_day().account, {"NSE:INFY": D(105)}, SnapshotCause.FILL, AT)
    assert body.positions == (
        PositionSnapshot(
            strategy="momentum",
            instrument="NSE:INFY",
            product=Product.CNC,
            quantity=30,
            average_price=D(100),
            mark=D(105),
            realised=D(200),
            unrealised=D(150),
            overnight_quantity=40,
            day_buy_quantity=0,
            day_sell_quantity=10,
            day_pnl=D(30 * 105 + 1200 - 4400),
        ),
        PositionSnapshot(
            strategy="rsi",
            instrument="NFO:RELIANCEFUT",
            product=Product.NRML,
            quantity=-65,
            average_price=D(24_000),
            mark=D(24_000),
            realised=D(0),
            unrealised=D(0),
            day_sell_quantity=65,
        ),
    )


def test_what_was_bought_today_is_told_apart_from_what_was_sold() -> None:
    books = Books()
    books.trade(10, "100")
    books.trade(-4, "100")
    one = snapshot(books.account, {}, SnapshotCause.FILL, AT).positions[0]
    assert (one.overnight_quantity, one.day_buy_quantity, one.day_sell_quantity) == (0, 10, 4)


def test_money_of_an_empty_account_is_money_too() -> None:
    body = snapshot(Books().account, {}, SnapshotCause.MARK, AT)
    money = {field.name for field in msgspec.structs.fields(PortfolioSnapshot) if field.type is Decimal}
    assert {type(getattr(body, name)) for name in money} == {Decimal}
    assert msgspec.json.decode(msgspec.json.encode(body), type=PortfolioSnapshot) == body


def test_a_snapshot_at_a_new_high_has_no_drawdown_and_changes_nothing() -> None:
    books = a_second_day()
    before = msgspec.msgpack.encode(books.account)
    body = snapshot(books.account, {"NSE:INFY": D(500)}, SnapshotCause.MARK, AT)
    assert (body.drawdown, body.high_water_mark) == (0, body.equity)
    assert msgspec.msgpack.encode(books.account) == before


def test_without_marks_the_last_known_count_then_the_average() -> None:
    books = Books()
    one = books.trade(10, "100")
    assert snapshot(books.account, {}, SnapshotCause.MARK, AT).positions[0].mark == 100
    one.mark = D(103)
    body = snapshot(books.account, {}, SnapshotCause.MARK, AT)
    assert (body.positions[0].mark, body.positions[0].unrealised) == (103, 30)


def test_how_long_before_deliveries_alarm_is_chosen() -> None:
    account = a_second_day().account
    assert len(snapshot(account, {}, SnapshotCause.MARK, AT, alarm_days=4).alarms) == 1
    assert snapshot(account, {}, SnapshotCause.MARK, AT, alarm_days=3).alarms == ()


def test_margin_is_by_the_rates_given() -> None:
    books = Books()
    books.trade(10, "100")
    assert snapshot(books.account, {}, SnapshotCause.MARK, AT).margin_used == 200
    rates = MarginRates(intraday=D("0.5"))
    assert snapshot(books.account, {}, SnapshotCause.MARK, AT, rates=rates).margin_used == 500


def test_a_snapshot_written_before_these_figures_is_read() -> None:
    body = snapshot(a_second_day().account, {}, SnapshotCause.MARK, AT)
    new = ("day_pnl", "high_water_mark", "drawdown", "margin_used", "alarms")
    before = {name: value for name, value in msgspec.to_builtins(body).items() if name not in new}
    found = msgspec.json.decode(msgspec.json.encode(before), type=PortfolioSnapshot)
    assert found.equity == body.equity
    assert (found.day_pnl, found.high_water_mark, found.drawdown, found.margin_used, found.alarms) == (0, 0, 0, 0, ())
