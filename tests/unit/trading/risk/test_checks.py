"""Every check on both sides of its limit, with its own code, and with a limit that is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from models.messages.control import TradingState
from models.messages.orders import OrderType, Product, Side
from models.messages.signals import AcceptedSignal, DeniedSignal, Signal
from tests.factories import AT, exposure, instrument, limits, market, origin
from tests.unit.trading.risk.asking import KEY, answer, close, entry, future, holding, of, option, working
from trading.market.instruments import Instrument
from trading.market.sessions import Phase
from trading.risk.chain import CHAIN
from trading.risk.codes import ReasonCode
from trading.risk.exposure import Exposure, accepted_key
from trading.risk.limits import ACCOUNT_LIMITS, BOOK_LIMITS, NAMES, Limits

D = Decimal
MIS, CNC, NRML = Product.MIS, Product.CNC, Product.NRML


@dataclass(frozen=True)
class World:
    """An entry of 10 at 1,500 rupees by default, and what surrounds it."""

    wish: Signal = field(default_factory=entry)
    found: Exposure | None = None
    limits: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] | None = None
    market: dict[str, Any] = field(default_factory=dict)
    instrument: Instrument = field(default_factory=instrument)

    def decide(self) -> AcceptedSignal | DeniedSignal:
        own = None if self.own is None else limits(**self.own)
        return answer(self.wish, self.found, limits(**self.limits), market(**self.market), self.instrument, own)


def changed(change: Callable[[Exposure], object], found: Exposure | None = None) -> Exposure:
    found = found or exposure()
    change(found)
    return found


def with_working(count: int, strategy: str = "other") -> Exposure:
    found = exposure()
    for _ in range(count):
        working(found, Side.BUY, 1, strategy=strategy)
    return found


def poorer(rupees: str, strategy: str = "other") -> Exposure:
    """So much of today's equity is gone, lost by one strategy."""
    found = holding(1, strategy=strategy)
    book = found.account.books[strategy]
    paid = D(rupees) - found.account.charges
    found.account.cash -= paid
    book.cash -= paid
    return found


def limit_order(price: str, trigger: str | None = None, **values: Any) -> Signal:
    kind = OrderType.LIMIT if trigger is None else OrderType.SL
    prices = {"limit_price": D(price), "trigger_price": None if trigger is None else D(trigger)}
    return entry(order_type=kind, **prices, **values)


NIFTY, CALL = future(), option()
BE = instrument(tradingsymbol="INFY-BE")
LAST = {accepted_key("momentum", KEY, Side.BUY): AT - 1}
NOW = {accepted_key("momentum", KEY, Side.BUY): AT}
CASES: list[tuple[str, World, World]] = [
    # code, what passes, what is refused
    ("trading_halted", World(), World(market={"trading_state": TradingState.HALTED})),
    ("reducing_only", World(), World(market={"trading_state": TradingState.REDUCING})),
    ("market_closed", World(), World(market={"phase": Phase.PRE_OPEN})),
    ("market_closed", World(), World(market={"phase": Phase.CLOSING_AUCTION})),
    ("square_off", World(market={"square_off": AT + 1}), World(market={"square_off": AT})),
    ("square_off", World(entry(product=CNC), market={"square_off": AT}), World(market={"square_off": AT - 1})),
    ("stale_feed", World(entry(origin=origin(clock=AT + 10))), World(entry(origin=origin(clock=AT + 11)))),
    (
        "instrument_not_tradable",
        World(entry(**of(NIFTY), quantity=65), instrument=future(expiry=date(2026, 8, 20))),
        World(entry(**of(NIFTY), quantity=65), instrument=future(expiry=date(2026, 8, 19))),
    ),
    ("instrument_not_tradable", World(), World(instrument=instrument(tick_size=D(0)))),
    ("instrument_not_tradable", World(), World(instrument=instrument(lot_size=0))),
    ("instrument_not_tradable", World(), World(instrument=instrument(segment="INDICES"))),
    ("product_not_allowed", World(entry(product=CNC)), World(entry(product=NRML))),
    (
        "product_not_allowed",
        World(entry(product=NRML, **of(NIFTY), quantity=65), instrument=NIFTY),
        World(entry(product=CNC, **of(NIFTY), quantity=65), instrument=NIFTY),
    ),
    (
        "product_not_allowed",
        World(entry(product=CNC, **of(BE)), instrument=BE),
        World(entry(product=MIS, **of(BE)), instrument=BE),
    ),
    ("short_selling", World(entry(side=Side.SELL)), World(entry(side=Side.SELL, product=CNC))),
    (
        "short_selling",
        World(entry(side=Side.SELL, product=CNC), holding(10, CNC)),
        World(entry(side=Side.SELL, product=CNC), holding(10, MIS)),
    ),
    (
        "short_selling",
        World(entry(side=Side.SELL, product=NRML, **of(NIFTY), quantity=65), instrument=NIFTY),
        World(entry(side=Side.SELL, product=CNC), holding(-10, MIS)),
    ),
    ("quantity_limit", World(limits={"max_order_quantity": 10}), World(limits={"max_order_quantity": 9})),
    (
        "too_many_slices",
        World(entry(quantity=100), instrument=instrument(freeze_quantity=10)),
        World(entry(quantity=101), instrument=instrument(freeze_quantity=10)),
    ),
    (
        "too_many_slices",
        World(entry(quantity=25), instrument=instrument(lot_size=25, freeze_quantity=25)),
        World(entry(quantity=25), instrument=instrument(lot_size=25, freeze_quantity=24)),
    ),
    (
        "lot_multiple",
        World(instrument=instrument(lot_size=10)),
        World(instrument=instrument(lot_size=11)),
    ),
    (
        "tick_size",
        World(limit_order("0.05", origin=origin(price=D("0.05")))),
        World(limit_order("0.04", origin=origin(price=D("0.04")))),
    ),
    (
        "price_band",
        World(limit_order("1520"), market={"price_band": (D(1480), D(1520))}),
        World(limit_order("1520.05"), market={"price_band": (D(1480), D(1520))}),
    ),
    (
        "price_band",
        World(limit_order("1480"), market={"price_band": (D(1480), D(1520))}),
        World(limit_order("1479.95"), market={"price_band": (D(1480), D(1520))}),
    ),
    (
        "price_band",
        World(limit_order("1515", "1490"), market={"price_band": (D(1490), D(1520))}),
        World(limit_order("1515", "1489.95"), market={"price_band": (D(1490), D(1520))}),
    ),
    (
        "price_band",
        World(limit_order("1515"), limits={"price_band_percent": D(1)}),
        World(limit_order("1515.05"), limits={"price_band_percent": D(1)}),
    ),
    (
        "price_band",
        World(market={"previous_close": D(1250)}),
        World(market={"previous_close": D("1249.95")}),
    ),
    ("price_collar", World(limit_order("1530")), World(limit_order("1530.05"))),
    ("price_collar", World(limit_order("1470")), World(limit_order("1469.95"))),
    ("price_collar", World(limit_order("1632", "1600")), World(limit_order("1632.05", "1600"))),
    (
        "order_notional",
        World(limits={"max_order_notional": D(15_000)}),
        World(limits={"max_order_notional": D("14999.9999")}),
    ),
    ("order_notional", World(), World(entry(origin=origin(price=D(0))))),
    ("position_limit", World(limits={"max_position_quantity": 10}), World(limits={"max_position_quantity": 9})),
    (
        "position_limit",
        World(entry(side=Side.SELL), limits={"max_position_quantity": 10}),
        World(entry(side=Side.SELL), limits={"max_position_quantity": 9}),
    ),
    (
        "gross_exposure",
        World(limits={"max_gross_exposure": D(15_000)}),
        World(limits={"max_gross_exposure": D("14999.9999")}),
    ),
    (
        "gross_exposure",
        World(found=holding(10, strategy="other"), own={"max_gross_exposure": D(15_000)}),
        World(found=holding(10, strategy="other"), own={"max_gross_exposure": D("14999.99")}),
    ),
    (
        "gross_exposure",
        World(found=holding(10, strategy="other"), limits={"max_gross_exposure": D(30_000)}, own={}),
        World(found=holding(10, strategy="other"), limits={"max_gross_exposure": D("29999.99")}, own={}),
    ),
    (
        "buying_power",  # 1,000,000 rupees at 20 % carry 5,000,000
        World(entry(quantity=3333), limits={"max_order_quantity": 9999, "max_position_quantity": 9999}),
        World(entry(quantity=3334), limits={"max_order_quantity": 9999, "max_position_quantity": 9999}),
    ),
    (
        "buying_power",
        World(entry(quantity=666, product=CNC)),
        World(entry(quantity=667, product=CNC)),
    ),
    (
        "buying_power",  # the strikes of 2 lots at 15 %: 487,500; of 5 lots: 1,218,750
        World(entry(**of(CALL), product=NRML, side=Side.SELL, quantity=260), instrument=CALL),
        World(entry(**of(CALL), product=NRML, side=Side.SELL, quantity=325), instrument=CALL),
    ),
    ("open_orders", World(limits={"max_open_orders": 1}), World(found=with_working(1), limits={"max_open_orders": 1})),
    (
        "open_orders",
        World(found=with_working(5), own={"max_open_orders": 1}),
        World(found=with_working(1, "momentum"), own={"max_open_orders": 1}),
    ),
    (
        "duplicate_signal",
        World(found=changed(lambda one: one.last_accepted.update(LAST))),
        World(found=changed(lambda one: one.last_accepted.update(NOW))),
    ),
    ("signal_age", World(market={"clock": AT + 30}), World(market={"clock": AT + 31})),
    (
        "daily_trades",
        World(found=changed(lambda one: one.accepted_today.update(other=4)), limits={"max_daily_trades": 5}),
        World(found=changed(lambda one: one.accepted_today.update(other=5)), limits={"max_daily_trades": 5}),
    ),
    (
        "daily_trades",
        World(found=changed(lambda one: one.accepted_today.update(other=9)), own={"max_daily_trades": 1}),
        World(found=changed(lambda one: one.accepted_today.update(momentum=1)), own={"max_daily_trades": 1}),
    ),
    ("daily_loss", World(found=poorer("49999.9999")), World(found=poorer("50000"))),
    (
        "daily_loss",
        World(found=poorer("100"), own={"max_daily_loss": D(100)}),
        World(found=poorer("100", "momentum"), own={"max_daily_loss": D(100)}),
    ),
    (
        "max_drawdown",
        World(found=poorer("49999.9999"), limits={"max_drawdown_percent": D(5), "max_daily_loss": D(10**6)}),
        World(found=poorer("50000"), limits={"max_drawdown_percent": D(5), "max_daily_loss": D(10**6)}),
    ),
    (
        "order_rate",
        World(found=changed(lambda one: one.accepted_at.update({AT: {"other": 2}})), limits={"max_order_rate": 3}),
        World(found=changed(lambda one: one.accepted_at.update({AT: {"other": 3}})), limits={"max_order_rate": 3}),
    ),
    (
        "order_rate",
        World(found=changed(lambda one: one.accepted_at.update({AT - 5: {"other": 3}})), limits={"max_order_rate": 3}),
        World(
            found=changed(lambda one: one.accepted_at.update({AT - 4: {"other": 3}})),
            limits={"max_order_rate": 3, "order_rate_seconds": 5},
        ),
    ),
    (
        "order_rate",
        World(found=changed(lambda one: one.accepted_at.update({AT: {"other": 3}})), own={"max_order_rate": 3}),
        World(found=changed(lambda one: one.accepted_at.update({AT: {"momentum": 3}})), own={"max_order_rate": 3}),
    ),
    ("reconciliation_difference", World(), World(market={"open_differences": 1})),
]
IDS = [f"{number}-{code}" for number, (code, _, _) in enumerate(CASES)]


@pytest.mark.parametrize(("code", "passes", "refused"), CASES, ids=IDS)
def test_check_on_both_sides_of_its_boundary(code: str, passes: World, refused: World) -> None:
    accepted, denied = passes.decide(), refused.decide()
    assert isinstance(accepted, AcceptedSignal), accepted
    assert isinstance(denied, DeniedSignal)
    assert denied.code == code
    assert denied.message
    assert denied.values


def test_every_check_has_a_case() -> None:
    assert {code for code, _, _ in CASES} == {check.code.value for check in CHAIN}


LIMIT_ORDER = limit_order("1500")
NOT_AMOUNTS: list[Any] = [None, D("NaN"), D("sNaN"), D("Infinity"), "many", D(-1), -1, 0, float("nan"), True, 10**400]


@pytest.mark.parametrize("bad", NOT_AMOUNTS, ids=repr)
@pytest.mark.parametrize("name", NAMES)
def test_a_limit_that_is_no_amount_refuses_by_name(name: str, bad: Any) -> None:
    denied = World(LIMIT_ORDER, limits={name: bad}, market={"previous_close": D(1500)}).decide()
    assert isinstance(denied, DeniedSignal)
    assert (denied.code, denied.values) == ("limit_unusable", {"limit": name})
    assert name in denied.message


@pytest.mark.parametrize("name", [*BOOK_LIMITS, *ACCOUNT_LIMITS])
def test_a_limit_of_the_strategy_does_not_stand_in_for_one_of_the_account(name: str) -> None:
    denied = World(LIMIT_ORDER, limits={name: None}, own={}).decide()
    assert isinstance(denied, DeniedSignal)
    assert (denied.code, denied.values) == ("limit_unusable", {"limit": name})


@pytest.mark.parametrize("bad", NOT_AMOUNTS, ids=repr)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ACCOUNT_LIMITS])
def test_a_strategys_limit_that_is_no_amount_refuses_too(name: str, bad: Any) -> None:
    denied = World(LIMIT_ORDER, own={name: bad}, market={"previous_close": D(1500)}).decide()
    assert isinstance(denied, DeniedSignal)
    assert (denied.code, denied.values) == ("limit_unusable", {"limit": name})


def test_every_limit_is_needed_by_a_check() -> None:
    assert sorted(name for check in CHAIN for name in check.limits) == sorted(NAMES)


@pytest.mark.parametrize("bad", NOT_AMOUNTS[:4], ids=repr)
def test_no_limit_at_all_stops_an_exit_at_the_market(bad: Any) -> None:
    nothing = Limits(**dict.fromkeys(NAMES, bad))
    assert isinstance(answer(close(), holding(10), nothing, market()), AcceptedSignal)
    denied = answer(entry(), None, nothing, market())
    assert isinstance(denied, DeniedSignal)
    assert denied.code == "limit_unusable"


BAD_INPUTS: list[tuple[str, World]] = [
    ("price band", World(market={"price_band": (D("NaN"), D("NaN"))})),
    ("last close", World(market={"previous_close": D("NaN")})),
    ("negative close", World(market={"previous_close": D(-1500)})),
    ("mark", World(found=holding(10), market={"marks": {KEY: D("NaN")}})),
    ("signalling mark", World(found=holding(10), market={"marks": {KEY: D("sNaN")}})),
    ("infinite mark", World(found=holding(10), market={"marks": {KEY: D("Infinity")}})),
    ("cash", World(found=changed(lambda one: setattr(one.account, "cash", D("NaN"))))),
    ("high-water mark", World(found=changed(lambda one: setattr(one.account, "high_water_mark", D("NaN"))))),
    ("day's equity", World(found=changed(lambda one: setattr(one.account, "day_start_equity", D("NaN"))))),
    ("tick size", World(LIMIT_ORDER, instrument=instrument(tick_size=D("NaN")))),
    ("negative tick", World(LIMIT_ORDER, instrument=instrument(tick_size=D("-0.05")))),
    ("negative lot", World(instrument=instrument(lot_size=-1))),
    ("negative freeze", World(instrument=instrument(freeze_quantity=-1))),
    ("negative price", World(entry(origin=origin(price=D(-1500))))),
    ("phase", World(market={"phase": None})),
    ("differences", World(market={"open_differences": -1})),
    ("no differences", World(market={"open_differences": None})),
    ("clock", World(market={"clock": None})),
    ("reserved price", World(found=changed(lambda one: working(one, Side.BUY, 1, reserve_price=D("NaN"))))),
]


@pytest.mark.parametrize(("what", "world"), BAD_INPUTS, ids=[what for what, _ in BAD_INPUTS])
def test_what_is_no_number_refuses_an_entry(what: str, world: World) -> None:
    denied = world.decide()
    assert isinstance(denied, DeniedSignal), what
    assert denied.code in set(ReasonCode)


def test_an_unknown_trading_state_is_no_permission() -> None:
    denied = World(market={"trading_state": None}).decide()
    assert isinstance(denied, DeniedSignal)


def test_a_denial_carries_a_sentence_and_the_values_compared() -> None:
    denied = World(limits={"max_order_quantity": 9}).decide()
    assert isinstance(denied, DeniedSignal)
    assert denied.message == "Quantity 10 exceeds the limit of 9 for NSE:INFY"
    assert denied.values == {"quantity": "10", "limit": "9"}
    assert denied.signal == entry()


def test_the_first_refusal_of_the_chain_counts() -> None:
    everything = {"trading_state": TradingState.HALTED, "phase": Phase.CLOSED, "open_differences": 1}
    codes = []
    for gone in (None, "trading_state", "phase", "open_differences"):
        everything.pop(gone or "", None)
        result = World(entry(quantity=5000), market=dict(everything)).decide()
        codes.append(result.code if isinstance(result, DeniedSignal) else None)
    assert codes == ["trading_halted", "market_closed", "quantity_limit", "quantity_limit"]


DECLARED = """trading_halted reducing_only market_closed square_off stale_feed
instrument_not_tradable product_not_allowed short_selling
quantity_limit too_many_slices lot_multiple tick_size price_band price_collar order_notional
position_limit gross_exposure buying_power open_orders duplicate_signal signal_age
daily_trades daily_loss max_drawdown order_rate reconciliation_difference"""


def test_the_declared_order() -> None:
    assert [check.code.value for check in CHAIN] == DECLARED.split()


EXIT_TOO = """market_closed square_off instrument_not_tradable too_many_slices lot_multiple tick_size price_band
price_collar"""


def test_which_checks_an_exit_has_to_pass() -> None:
    assert {check.code.value for check in CHAIN if not check.passes_exits} == set(EXIT_TOO.split())


@pytest.mark.parametrize("wish", [entry(instrument="NSE:TCS"), close(instrument="NSE:TCS")])
def test_a_token_of_another_instrument_is_refused(wish: Signal) -> None:
    found = answer(wish)
    assert isinstance(found, DeniedSignal)
    assert (found.code, found.message) == ("instrument_unknown", "Token 408065 is NSE:INFY, not NSE:TCS")
