"""Intraday positions are left when their broker would square them off: each minute from then on, until flat."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from models.messages import ids
from models.messages.orders import Product
from models.messages.signals import Intent, Origin, Signal
from trading.accounting.account import Account
from trading.accounting.position import Marks

MINUTE = 60
CAUSE = "square-off"
SquareOff = Callable[[int, int], int | None]  # token, event second -> the second to be flat by on that day


def square_offs(
    account: Account, clock: int, square_off: SquareOff, marks: Marks, *, run_id: str, broker: str, received_ns: int = 0
) -> Iterator[Signal]:
    """The exits due at event second `clock`. Asked for again within the minute, they are the same, ids included."""
    for position in account.positions.values():
        if position.product is not Product.MIS or not position.quantity:
            continue
        due = square_off(position.instrument_token, clock)
        if due is None or clock < due:
            continue
        at = clock - (clock - due) % MINUTE
        token = position.instrument_token
        yield Signal(
            signal_id=ids.signal_id(run_id, position.strategy, broker, token, f"{CAUSE} {at}", 0),
            account=account.account,
            strategy=position.strategy,
            instrument=position.instrument,
            instrument_token=token,
            intent=Intent.CLOSE,
            product=Product.MIS,
            reason="intraday positions are squared off",
            origin=Origin(
                run_id=run_id,
                frame_id=CAUSE,
                instrument_token=token,
                tick_sequence=0,
                event_time=at,
                clock=at,
                price=marks.get(position.instrument, position.average_price),
                received_ns=received_ns,
            ),
        )
