"""Low frequency: a small position now and then, by limit order, closed after a while. For demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

import msgspec
from pydantic import Field

from models.messages.orders import OrderType, Side, Validity
from models.messages.signals import Intent
from models.messages.ticks import Tick, to_rupees
from trading.strategies.base import Parameters, Strategy, Wish


class LowFrequencyParameters(Parameters):
    """Times in event seconds, quantity in units, offset in hundredths of a percent below the last price."""

    every_seconds: int = Field(20, ge=2, le=86_400)
    hold_seconds: int = Field(15, ge=1, le=86_400)
    offset_bps: int = Field(2, ge=0, le=500)
    quantity: int = Field(5, ge=1)


class LowFrequencyState(msgspec.Struct, array_like=True):
    """When the next step is due, and whether it closes."""

    due: int
    holding: bool = False


class LowFrequency(Strategy):
    """Opens a long position every `every_seconds` and closes it `hold_seconds` later."""

    name: ClassVar[str] = "low_frequency"
    summary: ClassVar[str] = "Opens a small position on a schedule and closes it again"
    parameters_type = LowFrequencyParameters
    state_type = LowFrequencyState

    def on_tick(self, tick: Tick, clock: int) -> Sequence[Wish]:
        """Open or close when it is time."""
        own = self.state.get(tick.instrument_token)
        at = tick.exchange_time or clock
        if own is None:
            first = at + 1 + tick.instrument_token % self.parameters.every_seconds
            self.state[tick.instrument_token] = LowFrequencyState(first)
            return ()
        if at < own.due:
            return ()
        own.holding = not own.holding
        if own.holding:
            own.due = at + self.parameters.hold_seconds
            return (self._open(tick),)
        own.due = at + self.parameters.every_seconds
        token, product = tick.instrument_token, self.parameters.product
        return (Wish(instrument_token=token, intent=Intent.CLOSE, product=product, reason="held long enough"),)

    def _open(self, tick: Tick) -> Wish:
        price = to_rupees(tick.last_price_units)
        limit = price - price * self.parameters.offset_bps / Decimal(10_000)
        return Wish(
            instrument_token=tick.instrument_token,
            intent=Intent.OPEN,
            side=Side.BUY,
            quantity=self.parameters.quantity,
            order_type=OrderType.LIMIT,
            limit_price=limit.quantize(Decimal("0.0001")),
            validity=Validity.TTL,
            validity_minutes=1,
            product=self.parameters.product,
            reason="on schedule",
        )
