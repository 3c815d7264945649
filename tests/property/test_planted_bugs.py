"""Every invariant notices the bug it is there for: one line of the code is changed, and its property has to fail."""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple

import pytest

from faust_app.runtime.settings import PROJECT

RUN = """
import sys
from pathlib import Path
import pytest
from tools.mutation import Loader
name, file, source, test = sys.argv[1:]
sys.meta_path.insert(0, Loader(name, Path(file), source))
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--hypothesis-profile=mutation", test]))
"""


class Bug(NamedTuple):
    """`was` becomes `now` in a module, and a property, `file::test` of this folder, has to fail."""

    module: str
    was: str
    now: str
    noticed_by: str


BUGS = {
    "charges are paid twice": Bug(
        "trading.accounting.account",
        "    account.cash += cash - charges\n",
        "    account.cash += cash - 2 * charges\n",
        "test_accounting.py::test_the_identity_holds_after_every_fill_and_repeats_change_nothing",
    ),
    "a repeated fill is booked again": Bug(
        "trading.accounting.account",
        "    if not units:\n",
        "    units = filled.quantity\n    if not units:\n",
        "test_accounting.py::test_the_identity_holds_after_every_fill_and_repeats_change_nothing",
    ),
    "a flip keeps the old average": Bug(
        "trading.accounting.position",
        "    opening = signed - closing\n",
        "    opening = signed\n",
        "test_accounting.py::test_the_average_cost_is_that_of_exact_fractions",
    ),
    "a late report takes filled units back": Bug(
        "trading.orders.state",
        "    if increment <= 0:\n",
        "    if increment == 0:\n",
        "test_order_fold.py::test_any_order_of_any_of_the_reports_gives_the_same_end",
    ),
    "an order that has ended works again": Bug(
        "trading.orders.state",
        "    S.CANCELLED: {},\n",
        "    S.CANCELLED: _FIRST_WORD,\n",
        "test_order_fold.py::test_any_order_of_any_of_the_reports_gives_the_same_end",
    ),
    "exposure is released for each report of an end": Bug(
        "trading.risk.exposure",
        "    if order is None or order.has_ended:\n",
        "    if order is None:\n",
        "test_risk_stories.py::test_exposure_is_what_may_still_fill_and_is_released_once",
    ),
    "exposure is released in full by a part of it": Bug(
        "trading.risk.exposure",
        "    order.remaining -= units\n",
        "    order.remaining = 0\n",
        "test_risk_stories.py::test_exposure_is_what_may_still_fill_and_is_released_once",
    ),
    "exposure goes below zero": Bug(
        "trading.risk.exposure",
        "    if order.remaining <= 0:\n",
        "    if order.remaining < 0:\n",
        "test_risk_stories.py::test_exposure_is_what_may_still_fill_and_is_released_once",
    ),
    "a level gives more than it holds": Bug(
        "trading.matching.liquidity",
        "        taken = min(offered, quantity)\n",
        "        taken = quantity\n",
        "test_matching.py::test_there_is_no_fill_without_somebody_to_trade_with",
    ),
    "a buyer pays more than the limit": Bug(
        "trading.matching.liquidity",
        "    return price <= limit if side is Side.BUY else price >= limit\n",
        "    return price >= limit\n",
        "test_matching.py::test_no_fill_is_worse_than_the_limit_or_the_protection",
    ),
    "a resting order fills when its limit is only touched": Bug(
        "trading.matching.exchange",
        "    return 0 < price < limit if resting.order.side is Side.BUY else price > limit\n",
        "    return 0 < price <= limit if resting.order.side is Side.BUY else price >= limit\n",
        "test_matching.py::test_a_resting_limit_is_filled_by_the_first_trade_beyond_it",
    ),
    "a buy is rounded up": Bug(
        "trading.orders.rounding",
        "ROUND_FLOOR if side is Side.BUY else ROUND_CEILING",
        "ROUND_CEILING if side is Side.BUY else ROUND_FLOOR",
        "test_rounding.py::test_a_price_moves_to_the_nearest_tick_that_is_not_worse",
    ),
    "a difference in motion counts at once": Bug(
        "trading.reconciliation.reconciler",
        "is_steady = now - before.steady_since >= self._tolerances.grace_seconds",
        "is_steady = now - before.steady_since >= 0",
        "test_reconciliation.py::test_two_views_of_one_day_that_lag_for_a_moment_are_no_difference",
    ),
    "orders that work are not in motion": Bug(
        "trading.reconciliation.motion",
        "if is_open or now - at <= grace_seconds",
        "if is_open and now - at <= grace_seconds",
        "test_reconciliation.py::test_two_views_of_one_day_that_lag_for_a_moment_are_no_difference",
    ),
    "deliveries held over night are positions, too": Bug(
        "trading.accounting.views",
        "lambda one: one.product is not Product.CNC",
        "lambda one: True",
        "test_reconciliation.py::test_two_views_of_one_day_that_lag_for_a_moment_are_no_difference",
    ),
    "sides are not compared": Bug(
        "trading.reconciliation.orders",
        "(K.ORDER_SIDE, asked.side.value, order.side)",
        "(K.ORDER_SIDE, asked.side.value, asked.side.value)",
        "test_reconciliation.py::test_any_one_row_that_is_changed_is_a_difference",
    ),
    "what is left over explains a position": Bug(
        "trading.reconciliation.portfolio",
        "if gap.units == own[gap.place] + foreign[gap.place]:",
        "if gap.units >= own[gap.place] + foreign[gap.place]:",
        "test_reconciliation.py::test_any_one_row_that_is_changed_is_a_difference",
    ),
    "the last slice is forgotten": Bug(
        "trading.orders.rounding",
        "([rest] if rest else [])",
        "([rest] if rest > lot_size else [])",
        "test_rounding.py::test_slices_are_whole_lots_below_the_freeze_quantity_and_as_few_as_can_be",
    ),
}


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_the_bug_is_noticed(bug: Bug) -> None:
    file = PROJECT / f"{bug.module.replace('.', '/')}.py"
    source = file.read_text()
    assert source.count(bug.was) == 1
    arguments = [bug.module, str(file), source.replace(bug.was, bug.now), f"tests/property/{bug.noticed_by}"]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "1 failed" in done.stdout
