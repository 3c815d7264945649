"""The contract of a strategy.

A strategy sees ticks of its instruments, in order, and answers with wishes. It knows no position, no broker and no
clock but the ticks': the same ticks give the same wishes. It wishes nothing until it has seen enough. `dump_state` and
`load_state` let it go on after a restart exactly where it was.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel, ConfigDict

from models.messages.signals import Intent, Terms
from models.messages.ticks import Tick
from trading.market.instruments import Instrument


class Wish(Terms, frozen=True, kw_only=True):
    """What a strategy wants for one instrument. Prices in rupees. ValueError for terms that contradict each other."""

    instrument_token: int


class Parameters(BaseModel):
    """Base of a strategy's parameters: typed, frozen, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Strategy(ABC):
    """Base of all strategies. `state` holds everything that changes, per instrument token."""

    name: ClassVar[str]
    summary: ClassVar[str]
    parameters_type: ClassVar[type[Parameters]]
    state_type: ClassVar[type[msgspec.Struct]]

    def __init__(self, parameters: Any, instruments: Mapping[int, Instrument]) -> None:
        self.parameters = parameters
        self.instruments = instruments
        self.state: dict[int, Any] = {}

    @abstractmethod
    def on_tick(self, tick: Tick, clock: int) -> Sequence[Wish]:
        """Answer one tick of one of `instruments`. `clock` is the market's event second. Called in order."""

    def dump_state(self) -> bytes:
        """Everything needed to go on."""
        return msgspec.msgpack.encode((self.name, self.state))

    def load_state(self, raw: bytes) -> None:
        """Go on from `dump_state`'s bytes, made with the same parameters. Raises msgspec's error for others' bytes."""
        name, state = msgspec.msgpack.decode(raw, type=tuple[str, msgspec.Raw])
        if name != self.name:
            raise msgspec.ValidationError(f"This is the state of {name}, not of {self.name}")
        self.state = msgspec.msgpack.decode(state, type=dict[int, self.state_type])  # type: ignore[name-defined]

    def target(self, tick: Tick, quantity: int, reason: str) -> tuple[Wish]:
        """The wish to hold `quantity` units."""
        wish = Wish(
            instrument_token=tick.instrument_token, intent=Intent.TARGET, target_quantity=quantity, reason=reason
        )
        return (wish,)
