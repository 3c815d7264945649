"""What positions tie up, as information: an estimate from fixed rates, with no benefit for hedges.

The exchange's margin (SPAN and exposure) is not in any feed; a broker's own figure decides at a live broker. Rates:
intraday shares by SEBI's least of 20 % (circular of 2020-07-20, in full since 2021-09-01); derivatives an assumption
on the safe side of index contracts. The settings' `risk` section has them; risk's buying power is by the same ones.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from models.messages.orders import Product
from trading.accounting.account import Account
from trading.accounting.position import ZERO, Marks, Position, worth


class MarginRates(msgspec.Struct, frozen=True, kw_only=True):
    """Fractions of worth; of a sold option, of its strike's worth."""

    intraday: Decimal = Decimal("0.2")
    futures: Decimal = Decimal("0.2")
    sold_options: Decimal = Decimal("0.15")


RATES = MarginRates()


def margin_used(account: Account, marks: Marks, rates: MarginRates = RATES) -> Decimal:
    """Rupees all positions tie up."""
    return sum((position_margin(one, marks, rates) for one in account.positions.values() if one.quantity), ZERO)


def position_margin(position: Position, marks: Marks, rates: MarginRates = RATES) -> Decimal:
    """Rupees one position ties up: what is paid in full its worth, the rest a share of it, or of its strike's."""
    worth_now = abs(worth(position, marks))
    contract = position.contract
    if contract is None:
        return worth_now * rates.intraday if position.product is Product.MIS else worth_now
    if contract.is_future:
        return worth_now * rates.futures
    return worth_now if position.quantity > 0 else -position.quantity * contract.strike * rates.sold_options
