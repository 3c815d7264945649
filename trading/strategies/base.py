"""The contract of a strategy.

A strategy sees ticks of its instruments, in order, and the market's clock, and answers with wishes. It knows no
position, no broker and no clock but the market's: the same ticks give the same wishes. It wishes nothing until it has
seen enough, and nothing on a repeated tick. `dump_state` and `load_state` let it go on after a restart exactly where
it was.

Whoever runs a strategy calls `on_clock` each time the market's clock has moved, before the ticks of that second, and
`on_tick` for each tick. Most strategies are written on `PriceStrategy` or `BarStrategy` instead.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import msgspec
from pydantic import BaseModel, ConfigDict

from models.messages.orders import Product
from models.messages.signals import Intent, Terms
from models.messages.ticks import Tick
from trading.market.instruments import Instrument


class Wish(Terms, frozen=True, kw_only=True):
    """What a strategy wants for one instrument. Prices in rupees. ValueError for terms that contradict each other."""

    instrument_token: int


class Seen(NamedTuple):
    """An instrument as a strategy last saw it: number of the tick, price in 1/10,000 rupee."""

    sequence: int
    price_units: int


class Parameters(BaseModel):
    """Base of a strategy's parameters: typed, frozen, unknown names refused.

    `product` is what its orders are for: MIS for the day, CNC and NRML beyond it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    product: Product = Product.MIS


class Strategy(ABC):
    """Base of all strategies. `state` holds everything that changes, per instrument token.

    One that cannot be built (its file is missing) raises ValueError, in one sentence, and is left out.
    Instruments of a strategy that is `joint` share a co-location group, so that it sees all of them in one place.
    """

    joint: ClassVar[bool] = False
    name: ClassVar[str]
    summary: ClassVar[str]
    parameters_type: ClassVar[type[Parameters]]
    state_type: ClassVar[type[msgspec.Struct]]

    def __init__(self, parameters: Any, instruments: Mapping[int, Instrument]) -> None:
        self.parameters = parameters
        self.instruments = instruments
        self.state: dict[int, Any] = {}

    @classmethod  # noqa: B027 - by default any will do
    def check_instruments(cls, instruments: Sequence[Instrument]) -> None:
        """Raise ValueError, in one sentence, when the strategy cannot trade these. Called before one is built."""

    @abstractmethod
    def on_tick(self, tick: Tick, clock: int) -> Sequence[Wish]:
        """Answer one tick of one of `instruments`. `clock` is the market's event second. Called in order."""

    def on_clock(self, clock: int) -> Sequence[Wish]:
        """Answer the market's clock, which may come again. Wishes need what `last_seen` says of their instrument."""
        return ()

    def last_seen(self, instrument_token: int) -> Seen | None:
        """Where a wish comes from that no tick of its own instrument brought about."""
        return None

    def own(self, instrument_token: int) -> Any:
        """The state of one instrument, new when it is first asked for."""
        found = self.state.get(instrument_token)
        if found is None:
            found = self.state[instrument_token] = self.new_state()
        return found

    def new_state(self) -> Any:
        """State of an instrument before its first tick."""
        return self.state_type()

    def dump_state(self) -> bytes:
        """Everything needed to go on."""
        return msgspec.msgpack.encode((self.name, self.state))

    def load_state(self, raw: bytes) -> None:
        """Go on from `dump_state`'s bytes, made with the same parameters. Raises msgspec's error for others' bytes."""
        self.state = msgspec.msgpack.decode(self.unpack(raw), type=dict[int, self.state_type])  # type: ignore[name-defined]

    def unpack(self, raw: bytes) -> msgspec.Raw:
        """What `dump_state` put beside the name, checked to be this strategy's."""
        name, state = msgspec.msgpack.decode(raw, type=tuple[str, msgspec.Raw])
        if name != self.name:
            raise msgspec.ValidationError(f"This is the state of {name}, not of {self.name}")
        return state

    def target(self, instrument_token: int, quantity: int, reason: str) -> tuple[Wish]:
        """The wish to hold `quantity` units, negative for short."""
        wish = Wish(
            instrument_token=instrument_token,
            intent=Intent.TARGET,
            target_quantity=quantity,
            product=self.parameters.product,
            reason=reason,
        )
        return (wish,)
