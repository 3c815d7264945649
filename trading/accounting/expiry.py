"""The end of contracts, and what else an account's owner must hear of in time.

Index contracts settle in cash at the index's final price. Stock contracts end in delivery, which is never booked
here: days before, an alarm says so.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from models.messages.orders import Product
from models.messages.portfolio import AccountAlarm, AlarmKind
from trading.accounting.account import Account, post
from trading.accounting.position import ZERO, Position, trade
from trading.charges.fees import exercise_charges


def settle_expired(account: Account, instrument: str, final: Decimal) -> int:
    """Settle all positions in a contract at its underlying's final price, rupees; returns how many were open.

    A bought option with value is exercised and taxed for it.
    """
    settled = 0
    for position in account.positions.values():
        contract = position.contract
        if position.instrument != instrument or contract is None or not position.quantity:
            continue
        price, units = contract.worth_at(final), position.quantity
        cash, realised = trade(position, -units, price)
        charges = ZERO
        if not contract.is_future and units > 0 and contract.expiry is not None:
            charges = exercise_charges(units * price, contract.expiry)
        post(account, position.strategy, cash=cash, realised=realised, charges=charges)
        settled += 1
    return settled


def alarms(account: Account, days_before: int) -> tuple[AccountAlarm, ...]:
    """What needs a person, as of the account's day; deliveries from `days_before` calendar days before expiry on."""
    if not account.day:
        return ()
    day = date.fromisoformat(account.day)
    found = ((one, _alarm(one, day, days_before)) for one in account.positions.values() if one.quantity)
    return tuple(
        AccountAlarm(
            kind=kind,
            strategy=one.strategy,
            instrument=one.instrument,
            product=one.product,
            quantity=one.quantity,
            expiry=one.contract.expiry if one.contract else None,
        )
        for one, kind in found
        if kind is not None
    )


def _alarm(position: Position, day: date, days_before: int) -> AlarmKind | None:
    contract = position.contract
    if contract is not None and contract.expiry is not None:
        if contract.expiry < day:
            return AlarmKind.EXPIRED
        if not contract.index and (contract.expiry - day).days <= days_before:
            return AlarmKind.DELIVERY_NEAR
    if position.product is Product.CNC and position.quantity < 0:
        return AlarmKind.SHORT_DELIVERY
    if position.product is Product.MIS and position.overnight_quantity:
        return AlarmKind.INTRADAY_CARRIED
    return None
