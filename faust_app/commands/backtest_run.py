"""One backtest from a recording: everything it needs is in its plan, which another process can be given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from pydantic import ValidationError

from faust_app.runtime.errors import ConfigurationError, one_sentence
from recordings.errors import BadRecording
from recordings.markets import RecordedMarket, open_market
from trading.backtest.engine import Backtest, Setup
from trading.market.instruments import Instrument
from trading.matching.rules import MatchingRules
from trading.risk.limits import Limits
from trading.strategies.registry import StrategyNotFound, find

if TYPE_CHECKING:
    from trading.backtest.result import Result
    from trading.strategies.base import Strategy

OnDay = Callable[[int, int], None]  # days done, days in all


@dataclass(frozen=True)
class Plan:
    """What to run. `limits` are rupees, units and percents by name; `since` and `until` are the first and last day."""

    strategy: str
    data: Path
    limits: Mapping[str, Any]
    rules: MatchingRules
    cash: Decimal
    parameters: Mapping[str, Any] = field(default_factory=dict)
    since: date | None = None
    until: date | None = None
    symbols: int | None = None
    instruments: tuple[str, ...] = ()


def run_plan(plan: Plan, on_day: OnDay = lambda _done, _all: None) -> Result:
    """Run it. Raises ConfigurationError for a recording, a strategy or parameters that cannot be used."""
    try:
        return _run(plan, open_market(plan.data, plan.symbols), on_day)
    except BadRecording as error:
        raise ConfigurationError(str(error)) from error


def _run(plan: Plan, market: RecordedMarket, on_day: OnDay) -> Result:
    days = [day for day in market.days if (plan.since or day) <= day <= (plan.until or day)]
    if not days:
        first, last = market.days[0], market.days[-1]
        raise ConfigurationError(f"{plan.data} holds no day in that range; its days are {first} to {last}")
    backtest = Backtest(
        Setup(
            strategies={plan.strategy: _strategy(plan, market)},
            instruments={one.instrument_token: one for one in market.instruments},
            limits=Limits.from_layers(plan.limits),
            start_cash=plan.cash,
            rules=plan.rules,
        )
    )
    for number, day in enumerate(days):
        on_day(number, len(days))
        for second, ticks in market.seconds(day):
            backtest.on_second(second, ticks)
    on_day(len(days), len(days))
    return backtest.finish()


def _strategy(plan: Plan, market: RecordedMarket) -> Strategy:
    try:
        kind = find(plan.strategy)
        parameters = kind.parameters_type(**plan.parameters)
        chosen = _chosen(plan, market)
        if kind.joint:  # one process sees them all: as if an operator had put them into one group
            chosen = {token: replace(one, group=plan.strategy) for token, one in chosen.items()}
        kind.check_instruments(list(chosen.values()))
        return kind(parameters, chosen)
    except StrategyNotFound as error:
        raise ConfigurationError(str(error)) from error
    except (ValidationError, ValueError) as error:
        raise ConfigurationError(f"{plan.strategy}: {one_sentence(error)}") from error


def _chosen(plan: Plan, market: RecordedMarket) -> dict[int, Instrument]:
    tradable = {one.key: one for one in market.instruments if one.is_tradable}
    unknown = [key for key in plan.instruments if key not in tradable]
    if unknown:
        some = ", ".join(sorted(tradable)[:5])
        raise ConfigurationError(f"{unknown[0]} is not in the recording; among its instruments are {some or 'none'}")
    if not tradable:
        raise ConfigurationError(f"{plan.data} holds nothing that can be traded")
    keys = plan.instruments or tuple(tradable)
    return {tradable[key].instrument_token: tradable[key] for key in keys}
