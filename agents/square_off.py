"""Square-off: which frames of ticks begin a minute in which intraday positions have to be left.

The runner says so ahead of what the strategies wish in that frame, and the risk manager, which knows the positions,
raises their exits: signals like any other. Both follow from messages in their order and from no process's own clock, so
a replay squares off where the recorded day did, at any speed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date

from models.messages.ticks import TickFrame
from trading.market.instruments import Instrument
from trading.market.sessions import square_off, trading_day
from trading.risk.square_off import MINUTE


class SquareOffClock:
    """Asks once in each minute of a partition's market. `partition_of` tells the partition of a co-location group."""

    def __init__(self, partition_of: Callable[[str], int]) -> None:
        self._partition_of = partition_of
        self._instruments: tuple[Instrument, ...] = ()
        self._first: dict[date, dict[int, int]] = {}
        self._minutes: dict[int, tuple[str, int]] = {}

    def watch(self, instruments: Iterable[Instrument]) -> None:
        """These are the instruments there are."""
        self._instruments = tuple(one for one in instruments if one.is_tradable)
        self._first.clear()

    def is_due(self, partition: int, frame: TickFrame) -> bool:
        """True when the frame is the first of its minute, and an instrument of the partition is to be left by then."""
        minute = frame.run_id, frame.event_time // MINUTE
        if self._minutes.get(partition) == minute:
            return False
        self._minutes[partition] = minute
        first = self._first_of(trading_day(frame.event_time)).get(partition)
        return first is not None and frame.event_time >= first

    def _first_of(self, day: date) -> dict[int, int]:
        """By partition, the second of that day from which some instrument is to be left."""
        if day not in self._first:
            seconds: defaultdict[int, list[int]] = defaultdict(list)
            for one in self._instruments:
                due = square_off(one, day)
                if due is not None:
                    seconds[self._partition_of(one.co_location_group)].append(due)
            self._first = {day: {partition: min(found) for partition, found in seconds.items()}}
        return self._first[day]
