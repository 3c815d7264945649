"""Books of an account against an independent count of the same fills, exact to the last decimal."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import OrderFilled, Product, Side
from models.messages.portfolio import SnapshotCause
from tests.factories import ACCOUNT, AT, filled, instrument, order
from trading.accounting.account import (
    Account,
    apply_fill,
    equity,
    new_account,
    position_key,
    position_quantity,
    prune_orders,
    snapshot,
    unrealised,
)
from trading.charges.charges import charges_for, segment_kind
from trading.market.instruments import Instrument
from trading.market.sessions import trading_day

START = Decimal("1000000.00")
ZERO = Decimal(0)
INSTRUMENTS = {
    one.key: one
    for one in (
        instrument(),
        instrument(instrument_token=2, exchange="BSE", tradingsymbol="TCS"),
        instrument(instrument_token=3, exchange="NFO", tradingsymbol="NIFTY26NOVFUT", instrument_type="FUT"),
        instrument(instrument_token=4, exchange="BFO", tradingsymbol="SENSEX26NOV80000CE", instrument_type="CE"),
    )
}
prices = st.one_of(
    st.integers(1, 10**7).map(lambda paise: Decimal(paise) / 100),
    st.decimals("0.0001", "99999", places=6),  # derived from a broker's averages
)
marks = st.fixed_dictionaries({}, optional=dict.fromkeys(INSTRUMENTS, prices))
Trade = tuple[OrderFilled, Instrument]


@st.composite
def trades(draw: st.DrawFn) -> list[Trade]:
    """Fills of several orders, interleaved, in order within each."""
    queues = []
    for number in range(draw(st.integers(1, 8))):
        of = INSTRUMENTS[draw(st.sampled_from(sorted(INSTRUMENTS)))]
        parts = draw(st.lists(st.integers(1, 120), min_size=1, max_size=4))
        planned = order(
            order_id=f"order-{number}",
            strategy=draw(st.sampled_from(["momentum", "rsi"])),
            instrument=of.key,
            instrument_token=of.instrument_token,
            side=draw(st.sampled_from(Side)),
            product=draw(st.sampled_from([Product.MIS, Product.CNC])),
            quantity=sum(parts) + draw(st.integers(0, 5)),
        )
        done, queue = 0, []
        for quantity in parts:
            done += quantity
            queue.append((filled(planned, quantity, str(draw(prices)), done), of))
        queues.append(queue)
    turns = draw(st.permutations([number for number, queue in enumerate(queues) for _ in queue]))
    iterators = [iter(queue) for queue in queues]
    return [next(iterators[number]) for number in turns]


def assert_identity(account: Account, prices_now: dict[str, Decimal]) -> None:
    body = snapshot(account, prices_now, SnapshotCause.MARK, AT)
    assert body.cash + body.position_value == body.start_cash + body.realised + body.unrealised - body.charges
    assert body.equity == body.cash + body.position_value == equity(account, prices_now)
    assert body.unrealised == sum((one.unrealised for one in body.positions), ZERO)
    for one in body.positions:
        assert one.quantity != 0
        if one.instrument in prices_now:
            assert one.mark == prices_now[one.instrument]


@given(found=trades(), now=marks, repeats=st.integers(0, 3))
def test_books_agree_with_an_independent_count(found: list[Trade], now: dict[str, Decimal], repeats: int) -> None:
    account = new_account(ACCOUNT, START)
    held: dict[tuple[str, str, Product], int] = defaultdict(int)
    turnover: dict[str, Decimal] = defaultdict(Decimal)
    costs: dict[str, Decimal] = {}
    paid = ZERO
    for fill, of in found:
        assert apply_fill(account, fill, of)
        if not fill.complete:
            for _ in range(repeats):
                assert not apply_fill(account, fill, of)
        one = fill.order
        held[one.strategy, one.instrument, one.product] += one.side.sign * fill.quantity
        paid += one.side.sign * fill.quantity * fill.price
        turnover[one.order_id] += fill.quantity * fill.price
        kind = segment_kind(of.instrument_type, one.product)
        day = trading_day(fill.event_time)
        costs[one.order_id] = charges_for(kind, of.exchange, one.side, turnover[one.order_id], day).total
        assert account.charges == sum(costs.values(), ZERO)
        assert account.cash == START - paid - account.charges
        assert_identity(account, now)
        account = msgspec.msgpack.decode(msgspec.msgpack.encode(account), type=Account)
    assert account.fills == len(found)
    for (strategy, key, product), quantity in held.items():
        assert account.positions[position_key(strategy, key, product)].quantity == quantity
        assert position_quantity(account, strategy, key, product) == quantity
    assert account.realised == sum((one.realised for one in account.positions.values()), ZERO)


@given(found=trades(), last=prices)
def test_what_is_flat_has_no_cost_and_all_its_profit_realised(found: list[Trade], last: Decimal) -> None:
    account = new_account(ACCOUNT, START)
    for fill, of in found:
        apply_fill(account, fill, of)
    for number, position in enumerate(list(account.positions.values())):
        if not position.quantity:
            assert (position.cost, position.average_price) == (ZERO, ZERO)
            continue
        out = order(
            order_id=f"out-{number}",
            strategy=position.strategy,
            instrument=position.instrument,
            product=position.product,
            side=Side.SELL if position.quantity > 0 else Side.BUY,
            quantity=abs(position.quantity),
        )
        apply_fill(account, filled(out, out.quantity, str(last), out.quantity), INSTRUMENTS[position.instrument])
        assert (position.quantity, position.cost) == (0, ZERO)
    assert unrealised(account, {}) == ZERO
    assert account.cash == START + account.realised - account.charges


@given(found=trades(), now=marks)
def test_a_position_keeps_the_sign_of_its_cost(found: list[Trade], now: dict[str, Decimal]) -> None:
    account = new_account(ACCOUNT, START)
    for fill, of in found:
        apply_fill(account, fill, of)
    for position in account.positions.values():
        assert position.cost * position.quantity >= 0
        assert position.average_price >= 0
    assert unrealised(account, {}) == ZERO  # without a mark a position is worth what it cost


@given(found=trades(), now=marks)
def test_a_new_day_forgets_orders_and_not_money(found: list[Trade], now: dict[str, Decimal]) -> None:
    account = new_account(ACCOUNT, START)
    for fill, of in found:
        apply_fill(account, fill, of)
    before = snapshot(account, now, SnapshotCause.MARK, AT)
    prune_orders(account, date(2026, 8, 20))
    assert snapshot(account, now, SnapshotCause.MARK, AT) == before
    unfinished = {fill.order.order_id for fill, _ in found} - {
        fill.order.order_id for fill, _ in found if fill.complete
    }
    assert set(account.orders) == unfinished
    prune_orders(account, date(2026, 8, 21))
    assert account.orders == {}
    assert snapshot(account, now, SnapshotCause.MARK, AT) == before
