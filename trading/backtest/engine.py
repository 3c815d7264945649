"""Runs strategies over recorded ticks with the pipeline's own risk chain, paper exchange and accounting.

A market is given second by second (`on_second`), as the feed sees it: first the clock moves, then the second's ticks
come in order. Ticks are numbered from 1 each day, so each day is a run of its own: without that, ids would come again.
Nothing here looks at a file, a clock or a random number: the same ticks give the same result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from models.messages.control import TradingState
from models.messages.orders import OrderFailed, OrderFilled
from models.messages.signals import DeniedSignal, Signal
from models.messages.ticks import Tick, to_rupees
from trading.accounting.account import equity, mark_to_market, new_account
from trading.accounting.day import DayEnd
from trading.backtest.result import Recorder, Result
from trading.market.instruments import Instrument
from trading.market.sessions import next_trading_day, phase, square_off, stage, trading_day
from trading.matching.broker import Event, SimulatedBroker
from trading.matching.phases import Moment
from trading.matching.rules import MatchingRules
from trading.risk.exposure import Exposure, apply_failed, apply_fill, reserve, roll_day
from trading.risk.groups import Leg, collect, decide_together
from trading.risk.groups import Result as Decided
from trading.risk.limits import Limits
from trading.risk.market import MarketPicture
from trading.risk.square_off import square_offs
from trading.strategies.base import Strategy, Wish
from trading.strategies.signals import Cause, signal_of, sourced

BROKER = "backtest"
MINUTE = 60
MOST_ERRORS = 100  # different ones; what comes after is counted by its kind alone
ZERO = Decimal(0)


class Marks(Mapping[str, Decimal]):
    """Last prices by instrument key, kept as integers and made decimals when somebody asks."""

    def __init__(self) -> None:
        self.units: dict[str, int] = {}

    def __getitem__(self, key: str) -> Decimal:
        return to_rupees(self.units[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self.units)

    def __len__(self) -> int:
        return len(self.units)


@dataclass(frozen=True)
class Setup:
    """What is run: strategies by instance name, the instruments by token, and the account they trade."""

    strategies: Mapping[str, Strategy]
    instruments: Mapping[int, Instrument]
    limits: Limits
    start_cash: Decimal
    own_limits: Mapping[str, Limits] = field(default_factory=dict)  # of a strategy instance
    rules: MatchingRules = field(default_factory=MatchingRules)
    account: str = f"{BROKER}:main"
    run_id: str = BROKER


class Backtest:
    """One run. Call `on_second` for each second with ticks, in order, then `finish`."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._exposure = Exposure(account=new_account(setup.account, setup.start_cash))
        self._broker = SimulatedBroker(setup.rules, self._moment, setup.instruments.get)
        self._marks = Marks()
        self._clock = 0
        self._run_id = setup.run_id
        self._next_minute = 0
        self._keys = {token: one.key for token, one in setup.instruments.items()}
        self._watchers: dict[int, list[tuple[str, Strategy]]] = {}
        for name, strategy in setup.strategies.items():
            for token in strategy.instruments:
                self._watchers.setdefault(token, []).append((name, strategy))
        self._recorder = Recorder(setup.start_cash)
        self.errors: Counter[str] = Counter()
        self.ticks = 0

    def on_second(self, clock: int, ticks: Sequence[Tick]) -> None:
        """Move the market's clock to event second `clock`, then show the ticks it brought."""
        if clock != self._clock:
            self._move_clock(clock)
        self.ticks += len(ticks)
        units, keys, broker, watchers, run_id = (
            self._marks.units, self._keys, self._broker, self._watchers, self._run_id,
        )  # fmt: skip
        for tick in ticks:
            token = tick.instrument_token
            units[keys[token]] = tick.last_price_units
            events = broker.on_tick(tick, run_id)
            if events:
                self._take(events)
            for name, strategy in watchers.get(token, ()):
                try:
                    wishes = strategy.on_tick(tick, clock)
                except Exception as error:
                    self._note_error(name, error)
                    continue
                if wishes:
                    self._raise(name, strategy, wishes, tick)

    def _move_clock(self, clock: int) -> None:
        if trading_day(clock) != trading_day(self._clock):
            self._roll_day(trading_day(clock))
        is_new_minute = clock >= self._next_minute
        if is_new_minute:
            self._note_equity(self._clock or clock)
            self._next_minute = clock - clock % MINUTE + MINUTE
        self._clock = clock
        self._take(self._broker.on_clock(clock))
        if is_new_minute:
            self._square_off()
        for name, strategy in self._setup.strategies.items():
            try:
                wishes = strategy.on_clock(clock)
            except Exception as error:
                self._note_error(name, error)
                continue
            if wishes:
                self._raise(name, strategy, wishes, None)

    def _square_off(self) -> None:
        due = square_offs(
            self._exposure.account,
            self._clock,
            self._square_off_second,
            self._marks,
            run_id=self._run_id,
            broker=BROKER,
        )
        for signal in list(due):
            self._decide(signal)

    def _square_off_second(self, token: int, clock: int) -> int | None:
        return square_off(self._setup.instruments.get(token), trading_day(clock))

    def _roll_day(self, day: date) -> None:
        ended = DayEnd(trading_day(self._clock), dict(self._marks)) if self._clock else None
        roll_day(self._exposure, day, ended)
        self._run_id = f"{self._setup.run_id} {day}"

    def _moment(self, token: int, clock: int) -> Moment:
        instrument = self._setup.instruments.get(token)
        return Moment(clock, phase(instrument, clock), stage(instrument, clock), self._square_off_second(token, clock))

    def _raise(self, name: str, strategy: Strategy, wishes: Sequence[Wish], tick: Tick | None) -> None:
        """Wishes become signals, and each is decided before the next."""
        cause = Cause(run_id=self._run_id, frame_id=BROKER, clock=self._clock, received_ns=0, tick=tick)
        try:
            found = list(sourced(strategy, wishes, cause))
        except Exception as error:
            self._note_error(name, error)
            return
        for one in found:
            if isinstance(one, LookupError):
                self._note_error(name, one)
            else:
                self._decide(signal_of(one, cause, instance=name, broker=BROKER, account=self._setup.account))

    def _decide(self, signal: Signal) -> None:
        """Decide a signal; one of a group waits until all of the group are there."""
        self._recorder.signals += 1
        legs = [self._leg(one) for one in collect(self._exposure, signal)]
        if not legs:
            return
        self._mark()
        results = decide_together(legs, self._exposure, self._setup.limits)
        for leg, result in zip(legs, results, strict=True):
            if not isinstance(result, DeniedSignal) and leg.instrument is not None:
                reserve(self._exposure, result, leg.instrument)
        for result in results:
            self._carry_out(result)

    def _leg(self, signal: Signal) -> Leg:
        instrument = self._setup.instruments.get(signal.instrument_token)
        return Leg(signal, self._picture(signal, instrument), instrument, self._setup.own_limits.get(signal.strategy))

    def _carry_out(self, result: Decided) -> None:
        denied = result if isinstance(result, DeniedSignal) else result.rest
        if denied is not None:
            self._recorder.denials[denied.code] += 1
        if not isinstance(result, DeniedSignal):
            self._recorder.orders += len(result.orders)
            for order in result.orders:
                self._take(self._broker.submit(order))

    def _picture(self, signal: Signal, instrument: Instrument | None) -> MarketPicture:
        at = signal.origin.event_time
        return MarketPicture(
            clock=self._clock,
            phase=phase(instrument, at),
            trading_state=TradingState.ACTIVE,
            square_off=square_off(instrument, trading_day(at)),
        )

    def _mark(self) -> None:
        mark_to_market(self._exposure.account, self._marks)

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, OrderFilled):
                instrument = self._setup.instruments[event.order.instrument_token]
                self._mark()
                charged = self._exposure.account.charges
                apply_fill(self._exposure, event, instrument)
                self._recorder.fill(event, self._exposure.account.charges - charged)
            elif isinstance(event, OrderFailed):
                apply_failed(self._exposure, event)
                self._recorder.failures[event.outcome.value] += 1

    def _note_equity(self, at: int) -> None:
        account = self._exposure.account
        held = (one for one in account.positions.values() if one.quantity)
        gross = sum((abs(one.quantity) * self._marks[one.instrument] for one in held), ZERO)
        self._recorder.equity(at, equity(account, self._marks), gross)

    def _note_error(self, name: str, error: Exception) -> None:
        kind = f"{name}: {type(error).__name__}"
        what = f"{kind}: {error}"
        self.errors[what if what in self.errors or len(self.errors) < MOST_ERRORS else kind] += 1

    def finish(self) -> Result:
        """End the run: roll into the next day, for what its end still charges and settles; what happened."""
        if self._clock:
            self._roll_day(next_trading_day(trading_day(self._clock)))
            self._note_equity(self._clock)
        return self._recorder.result(self._exposure.account, ticks=self.ticks, errors=self.errors)
