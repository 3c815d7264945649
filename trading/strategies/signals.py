"""From wishes to signals: the same in the pipeline and in a backtest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from models.messages import ids
from models.messages.signals import Origin, Signal, Terms
from models.messages.ticks import Tick, to_rupees
from trading.market.instruments import Instrument
from trading.strategies.base import Seen, Strategy, Wish


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy answered: a tick, or the market's clock alone (`tick` is None), within one frame."""

    run_id: str
    frame_id: str
    clock: int
    received_ns: int
    tick: Tick | None = None


class Sourced(msgspec.Struct, frozen=True):
    """One wish with its instrument as the strategy saw it.

    `label` tells it from all others of its run and instance, `group` its group with the number of legs: `NAME/2`.
    """

    wish: Wish
    instrument: Instrument
    seen: Seen
    label: int | str
    group: str


def sourced(strategy: Strategy, wishes: Sequence[Wish], cause: Cause) -> Iterator[Sourced | LookupError]:
    """Each wish with where it comes from.

    A LookupError, not raised, stands for one that cannot come from anywhere; the other legs of its group are left out.
    """
    found = [_source(strategy, wish, number, cause) for number, wish in enumerate(wishes)]
    legs = Counter(wish.group for wish in wishes if wish.group)
    broken = {wish.group for wish, one in zip(wishes, found, strict=True) if isinstance(one, LookupError)}
    for wish, one in zip(wishes, found, strict=True):
        if isinstance(one, LookupError) or not wish.group:
            yield one
        elif wish.group not in broken:
            yield replace(one, group=f"{wish.group}/{legs[wish.group]}")


def _source(strategy: Strategy, wish: Wish, number: int, cause: Cause) -> Sourced | LookupError:
    tick, token = cause.tick, wish.instrument_token
    instrument = strategy.instruments.get(token)
    if instrument is None:
        return LookupError(f"{token} is not one of its instruments")
    if tick is not None and tick.instrument_token == token:
        seen: Seen | None = Seen(tick.sequence, tick.last_price_units)
        label: int | str = tick.sequence
    else:
        seen = strategy.last_seen(token)
        label = f"clock {cause.clock}" if tick is None else f"{tick.instrument_token} {tick.sequence}"
    if seen is None:
        return LookupError(f"It has not seen {instrument.key} yet")
    return Sourced(wish, instrument, seen, f"{label} {number}" if number else label, "")


def signal_of(one: Sourced, cause: Cause, *, instance: str, broker: str, account: str) -> Signal:
    """The signal for one broker. Its origin is the wish's own instrument at the moment of the cause."""
    wish, token = one.wish, one.wish.instrument_token
    terms = {name: getattr(wish, name) for name in Terms.__struct_fields__}
    event_time = cause.clock if cause.tick is None else cause.tick.exchange_time or cause.clock
    return Signal(
        signal_id=ids.signal_id(cause.run_id, instance, broker, token, one.label, wish.leg),
        account=account,
        strategy=instance,
        instrument=one.instrument.key,
        instrument_token=token,
        origin=Origin(
            run_id=cause.run_id,
            frame_id=cause.frame_id,
            instrument_token=token,
            tick_sequence=one.seen.sequence,
            event_time=event_time,
            clock=cause.clock,
            price=to_rupees(one.seen.price_units),
            received_ns=cause.received_ns,
        ),
        **(terms | {"group": one.group}),
    )
