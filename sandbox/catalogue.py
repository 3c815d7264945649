"""What is listed, by key and by token, and the changes a night can bring to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from random import Random

import msgspec

from trading.market.instruments import Instrument, InstrumentRegistry

NEW_TOKEN_OFFSET = 500_000  # exchange tokens of instruments that moved or are new
MOVED_SUFFIX = "-BE"


class Catalogue:
    """The instruments of the exchange. `change` and `restore` swap the list while the market goes on."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self._original = list(instruments)
        self._use(self._original)

    def _use(self, instruments: list[Instrument]) -> None:
        self._instruments = instruments
        self._registry = InstrumentRegistry(instruments)

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._instruments)

    def __len__(self) -> int:
        return len(self._instruments)

    def by_key(self, key: str) -> Instrument | None:
        """The instrument called `EXCHANGE:TRADINGSYMBOL`."""
        return self._registry.by_key(key)

    def by_token(self, token: int) -> Instrument | None:
        """The instrument with this token."""
        return self._registry.by_token(token)

    def change(self, seed: int) -> None:
        """Another day's list: of the tradable ones, one gone, one moved, one with another tick size, one new."""
        rng = Random(seed)
        tradable = [one for one in self._original if one.is_tradable]
        chosen = rng.sample(tradable, k=min(3, len(tradable)))
        changed = {one.key: one for one in self._original}
        for one, work in zip(chosen, (_vanish, _move, _another_tick), strict=False):
            work(changed, one)
        if tradable:
            new = _moved(tradable[0], "NEWLISTING", NEW_TOKEN_OFFSET + 1)
            changed[new.key] = new
        self._use(list(changed.values()))

    def restore(self) -> None:
        """The list it began with."""
        self._use(self._original)


def _vanish(instruments: dict[str, Instrument], one: Instrument) -> None:
    del instruments[one.key]


def _move(instruments: dict[str, Instrument], one: Instrument) -> None:
    """To another series: symbol and token change."""
    del instruments[one.key]
    moved = _moved(one, one.tradingsymbol + MOVED_SUFFIX, NEW_TOKEN_OFFSET)
    instruments[moved.key] = moved


def _another_tick(instruments: dict[str, Instrument], one: Instrument) -> None:
    tick = Decimal("0.05") if one.tick_size != Decimal("0.05") else Decimal("0.10")
    instruments[one.key] = msgspec.structs.replace(one, tick_size=tick)


def _moved(one: Instrument, tradingsymbol: str, offset: int) -> Instrument:
    return msgspec.structs.replace(
        one,
        tradingsymbol=tradingsymbol,
        name=tradingsymbol,
        exchange_token=one.exchange_token + offset,
        instrument_token=one.instrument_token + offset * 256,
    )
