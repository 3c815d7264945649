"""Every JSON body refuses what is missing, not a number, or absurd."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from models.messages import CATALOGUE
from models.messages.control import (
    LimitsChanged,
    StrategiesChanged,
    TradingState,
    TradingStateChanged,
)
from models.messages.market import Mark, Marks
from models.messages.orders import (
    CallAttempted,
    CancelSubmitted,
    ClockMoved,
    OrderAcknowledged,
    OrderFailed,
    OrderPushed,
    OrderStatus,
    OrderSubmitted,
    OrderType,
    Product,
    Side,
    UpdatesResumed,
)
from models.messages.portfolio import PortfolioSnapshot, PositionSnapshot, SnapshotCause
from models.messages.protection import ProtectedPosition, TriggerAsked, TriggerGone, TriggerStands, TriggerTerms
from models.messages.reconciliation import (
    AcceptedDifference,
    DifferencesAccepted,
    DifferenceState,
    OpenDifference,
    ReconciliationAsked,
    ReconciliationDifference,
    ReconciliationRound,
)
from models.messages.signals import AcceptedSignal, DeniedSignal, ExitsDue, SquareOffDue
from models.messages.validation import LATEST_SECOND, MAX_MONEY, MAX_QUANTITY
from tests import factories as build

LIMIT_SIGNAL = build.signal(order_type=OrderType.LIMIT, limit_price=Decimal("1499.95"))
POSITION = PositionSnapshot(
    strategy="momentum",
    instrument="NSE:INFY",
    product=Product.MIS,
    quantity=-5,
    average_price=Decimal("1500.05"),
    mark=Decimal(1499),
    realised=Decimal(-1),
    unrealised=Decimal("5.25"),
)
PORTFOLIO = PortfolioSnapshot(
    account=build.ACCOUNT,
    cause=SnapshotCause.FILL,
    event_time=build.AT,
    start_cash=Decimal(1000),
    cash=Decimal(1000),
    position_value=Decimal(0),
    realised=Decimal(0),
    unrealised=Decimal(0),
    charges=Decimal(0),
    equity=Decimal(1000),
    fills=0,
    positions=(POSITION,),
)
FAILED = OrderFailed(
    order=build.order(),
    broker_order_id="b",
    outcome=OrderStatus.CANCELLED,
    filled_quantity=0,
    reason="",
    event_time=build.AT,
)
ACKNOWLEDGED = OrderAcknowledged(
    order_id="order-1", signal_id="signal-1", account=build.ACCOUNT, broker_order_id="b", event_time=build.AT
)
CANCEL = CancelSubmitted(
    order_id="order-1",
    account=build.ACCOUNT,
    strategy="momentum",
    instrument="NSE:INFY",
    instrument_token=build.TOKEN,
    reason="The target was reached",
    event_time=build.AT,
)
DENIED = DeniedSignal(
    signal_id="signal-1",
    account=build.ACCOUNT,
    strategy="momentum",
    instrument="NSE:INFY",
    code="market_closed",
    message="NSE is closed at the signal's time",
    signal=LIMIT_SIGNAL,
)
DIFFERENCE = OpenDifference(
    key="position_quantity|NSE:INFY MIS",
    kind="position_quantity",
    subject="NSE:INFY MIS",
    severity="blocks_account",
    instrument="NSE:INFY",
    ours="1",
    theirs="2",
    value="1",
    since=build.AT,
)
POSITION = ProtectedPosition(
    account=build.ACCOUNT,
    strategy="momentum",
    instrument="NSE:INFY",
    instrument_token=build.TOKEN,
    product=Product.CNC,
)
TERMS = TriggerTerms(
    side=Side.SELL,
    quantity=10,
    triggers=(Decimal("1470.05"), Decimal("1560.05")),
    limits=(Decimal("1455.05"), Decimal("1545.05")),
)
BODIES: list[msgspec.Struct] = [
    LIMIT_SIGNAL,
    CANCEL,
    AcceptedSignal(
        signal_id="signal-1",
        account=build.ACCOUNT,
        strategy="momentum",
        orders=(build.order(),),
        origin=build.origin(),
    ),
    DENIED,
    OrderSubmitted(order=build.limit_order("1499.95")),
    build.update(OrderStatus.WORKING, fill_price=Decimal("1.05")),
    ACKNOWLEDGED,
    build.filled(build.order(), 10, "1500.05", 10),
    FAILED,
    PORTFOLIO,
    Marks(run_id="run", clock=build.AT, marks=(Mark(build.TOKEN, 15_000_000, build.AT, "continuous"),)),
    TradingStateChanged(scope="all", state=TradingState.HALTED, revision=3, actor="me", reason="test"),
    LimitsChanged(scope="paper:main", actor="me", reason="test"),
    StrategiesChanged(strategies=("momentum",), actor="me", reason="test"),
    CallAttempted(order_id="order-1", at=build.AT),
    OrderPushed(raw="{}", received_at=build.AT),
    TriggerAsked(position=POSITION, terms=TERMS, at=build.AT, others=("T100",)),
    TriggerStands(position=POSITION, trigger_id="T100000", at=build.AT),
    TriggerGone(position=POSITION, trigger_id="T100000", reason="test", at=build.AT),
    SquareOffDue(account="paper:main", run_id="r", partition=0, clock=build.AT, received_ns=1),
    ExitsDue(account="paper:main", run_id="r", clock=build.AT, revision=1, strategies=("rsi",)),
    ClockMoved(run_id="r", at=build.AT),
    UpdatesResumed(at=build.AT),
    ReconciliationDifference(account=build.ACCOUNT, state=DifferenceState.APPEARED, difference=DIFFERENCE, at=build.AT),
    ReconciliationRound(
        account=build.ACCOUNT,
        at=build.AT,
        number=1,
        open=(DIFFERENCE,),
        blocked_instruments=("NSE:INFY",),
        unread=("funds",),
    ),
    ReconciliationAsked(account=build.ACCOUNT, number="one", actor="me"),
    DifferencesAccepted(
        account=build.ACCOUNT, accepted=(AcceptedDifference(key="k", value="1"),), actor="me", reason="test"
    ),
]
encode = msgspec.json.Encoder(decimal_format="string").encode

Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> list[tuple[Path, Any]]:
    """Every scalar of a JSON document with its path."""
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))]
    if isinstance(value, list):
        return [leaf for number, inner in enumerate(value) for leaf in leaves(inner, (*path, number))]
    return [(path, value)]


def put(document: Any, path: Path, value: Any) -> bytes:
    """The document as JSON with one value replaced."""
    changed = json.loads(json.dumps(document))
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return json.dumps(changed).encode()


def is_decimal(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip("-").replace(".", "", 1).isdigit()


def each_leaf(wanted: type | None) -> list[Any]:
    """(body type, document, path) of the leaves that are integers, or decimals for None."""
    found = []
    for body in BODIES:
        document = json.loads(encode(body))
        for path, value in leaves(document):
            hit = is_decimal(value) if wanted is None else type(value) is wanted
            if hit and path[-1] not in ("ours", "theirs", "value"):  # those are text that may be anything
                found.append(pytest.param(type(body), document, path, id=f"{type(body).__name__}-{path}"))
    return found


def test_every_body_of_the_catalogue_is_tried_here() -> None:
    assert {type(body) for body in BODIES} == set(CATALOGUE)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_a_body_comes_back_as_it_was_sent(body: msgspec.Struct) -> None:
    assert msgspec.json.decode(encode(body), type=type(body)) == body


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_each_required_field_must_be_there(body: msgspec.Struct) -> None:
    document = json.loads(encode(body))
    required = [field.encode_name for field in msgspec.structs.fields(body) if field.required]
    assert required
    for name in required:
        less = {key: value for key, value in document.items() if key != name}
        with pytest.raises(msgspec.ValidationError, match=name):
            msgspec.json.decode(json.dumps(less), type=type(body))


@pytest.mark.parametrize(("kind", "document", "path"), each_leaf(None))
@pytest.mark.parametrize("bad", ["NaN", "sNaN", "-NaN", "Infinity", "-Infinity", "1e999999", "1e16", "1e-13", "x", ""])
def test_no_money_is_nan_infinite_or_absurd(kind: type, document: Any, path: Path, bad: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(put(document, path, bad), type=kind)


@pytest.mark.parametrize(("kind", "document", "path"), each_leaf(int))
@pytest.mark.parametrize("bad", [10**400, 2**63, -(2**63) - 1, 1.5, "1", None, True], ids=lambda bad: str(bad)[:20])
def test_no_integer_is_absurd_or_of_another_type(kind: type, document: Any, path: Path, bad: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(put(document, path, bad), type=kind)


@pytest.mark.parametrize(("value", "fits"), [(MAX_MONEY, True), (MAX_MONEY + 1, False), (-MAX_MONEY, True)])
def test_money_has_a_largest_amount(value: Decimal, fits: bool) -> None:
    document = json.loads(encode(build.update(OrderStatus.WORKING)))
    raw = put(document, ("average_price",), str(value))
    kind = type(build.update(OrderStatus.WORKING))
    if fits:
        assert msgspec.json.decode(raw, type=kind).average_price == value
    else:
        with pytest.raises(msgspec.ValidationError, match="average_price"):
            msgspec.json.decode(raw, type=kind)


@pytest.mark.parametrize(("places", "fits"), [(12, True), (13, False)])
def test_money_has_a_finest_fraction(places: int, fits: bool) -> None:
    raw = put(json.loads(encode(build.update(OrderStatus.WORKING))), ("average_price",), f"1.{'1' * places}")
    kind = type(build.update(OrderStatus.WORKING))
    if fits:
        msgspec.json.decode(raw, type=kind)
    else:
        with pytest.raises(msgspec.ValidationError, match="outside the accepted range"):
            msgspec.json.decode(raw, type=kind)


@pytest.mark.parametrize(
    ("path", "value", "fits"),
    [
        (("event_time",), LATEST_SECOND, True),
        (("event_time",), LATEST_SECOND + 1, False),
        (("event_time",), -1, False),
        (("cumulative_quantity",), MAX_QUANTITY, True),
        (("cumulative_quantity",), MAX_QUANTITY + 1, False),
        (("cumulative_quantity",), -1, False),
        (("order_id",), "x" * 256, True),
        (("order_id",), "x" * 257, False),
        (("order_id",), "", False),
        (("reason",), "x" * 2000, True),
        (("reason",), "x" * 2001, False),
        (("status",), "no such status", False),
    ],
)
def test_bounds_of_a_report(path: Path, value: Any, fits: bool) -> None:
    report = build.update(OrderStatus.WORKING)
    raw = put(json.loads(encode(report)), path, value)
    if fits:
        msgspec.json.decode(raw, type=type(report))
    else:
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(raw, type=type(report))


def test_text_that_is_not_unicode_is_refused() -> None:
    raw = encode(ACKNOWLEDGED).replace(b"order-1", b"\xff\xfe")
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        msgspec.json.decode(raw, type=OrderAcknowledged)
