"""What the checks look at: one order's worth of a signal, already sized."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from models.messages.orders import Side
from models.messages.signals import Signal
from trading.accounting.contracts import Contract, contract_of
from trading.market.instruments import EQUITY, Instrument
from trading.risk.codes import ReasonCode
from trading.risk.exposure import Exposure, Standing
from trading.risk.figures import Figures, figures
from trading.risk.limits import Limits
from trading.risk.market import MarketPicture

LONGEST_MESSAGE = 500


class Denied(msgspec.Struct, frozen=True, gc=False):
    """A refusal: the code, one sentence, and the values compared."""

    code: ReasonCode
    message: str
    values: dict[str, str] = {}


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`quantity` units on `side`, to be sent in `slices`. `before` is what of the same signal is sent ahead of it.

    `notional` is what they are worth at `price`, rupees: at the limit, the trigger, or the price the signal saw.

    When it `reduces`, the strategy's position only comes nearer to zero, whatever fills or fails. `standing` is of the
    signal's product, `everywhere` of all. `limits` are the strategy's, `account_limits` those of the whole account.
    """

    signal: Signal
    instrument: Instrument
    side: Side
    quantity: int
    slices: tuple[int, ...]
    before: Request | None
    limit_price: Decimal | None
    trigger_price: Decimal | None
    price: Decimal
    notional: Decimal
    reduces: bool
    standing: Standing
    everywhere: Standing
    exposure: Exposure
    limits: Limits
    account_limits: Limits
    market: MarketPicture
    summed_up: Figures | None = None

    @property
    def orders(self) -> int:
        """Orders the signal makes so far."""
        return len(self.slices) + (0 if self.before is None else len(self.before.slices))

    @property
    def quantity_before(self) -> int:
        """Units sent ahead, on the same side."""
        return 0 if self.before is None else self.before.quantity

    @property
    def contract(self) -> Contract | None:
        """The terms of a future or option, None for shares."""
        return None if self.instrument.instrument_type == EQUITY else contract_of(self.instrument)

    @property
    def figures(self) -> Figures:
        """What the account and the strategy have at stake before this order; summed up when first asked for."""
        found = self.summed_up
        if found is None:
            found = figures(self.exposure, self.signal.strategy, self.account_limits, self.market.marks)
            msgspec.structs.force_setattr(self, "summed_up", found)
        return found


def denied(code: ReasonCode, message: str, **values: object) -> Denied:
    """A refusal with its values as text."""
    return Denied(code, message[:LONGEST_MESSAGE], {name: str(value) for name, value in values.items()})
