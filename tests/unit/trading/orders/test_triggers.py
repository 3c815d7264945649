"""What the broker's list of triggers says of ours."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from models.messages.orders import Product, Side
from models.messages.protection import ProtectedPosition, TriggerAsked, TriggerGone, TriggerStands, TriggerTerms
from trading.orders.triggers import (
    NEVER_TAKEN,
    PATIENCE_SECONDS,
    BrokerTrigger,
    Fired,
    Listing,
    News,
    Outcome,
    TriggerRecord,
    fold_trigger,
    is_of_trigger,
    key_of,
    news_of,
    order_of,
)

AT = 1_787_200_000
LATE = AT + PATIENCE_SECONDS
POSITION = ProtectedPosition(
    account="zerodha:main", strategy="momentum", instrument="NSE:INFY", instrument_token=408_065, product=Product.CNC
)
TERMS = TriggerTerms(side=Side.SELL, quantity=10, triggers=(Decimal(980),), limits=(Decimal(970),))
ASKED = TriggerAsked(position=POSITION, terms=TERMS, at=AT, others=("1",))
STANDS = TriggerStands(position=POSITION, trigger_id="7", at=AT)


def trigger(number: str = "7", **values: Any) -> BrokerTrigger:
    defaults: dict[str, Any] = {
        "trigger_id": number,
        "status": "active",
        "instrument": "NSE:INFY",
        "product": "CNC",
        "terms": TERMS,
        "updated_at": AT,
    }
    return BrokerTrigger(**{**defaults, **values})


def listing(*found: BrokerTrigger, at: int = AT, is_whole: bool = True) -> Listing:
    return Listing(triggers={one.trigger_id: one for one in found}, asked_at=at, is_whole=is_whole)


def record(*messages: TriggerAsked | TriggerStands | TriggerGone) -> TriggerRecord:
    found = None
    for one in messages:
        found = fold_trigger(found, one)
    assert found is not None
    return found


def news(of: TriggerRecord, *found: BrokerTrigger, **values: Any) -> list[News]:
    return news_of({key_of(POSITION): of}, listing(*found, **values))


def gone(number: str, reason: str, at: int = AT) -> TriggerGone:
    return TriggerGone(position=POSITION, trigger_id=number, reason=reason, at=at)


def test_an_answer_ends_the_mark_and_a_repeat_changes_nothing() -> None:
    once = record(ASKED, STANDS)
    assert (once.asked, once.standing) == (None, {"7": AT})
    assert record(ASKED, STANDS, replace(STANDS, at=AT + 9)) == once
    assert record(ASKED, gone("", "no")).is_empty
    assert record(ASKED, STANDS, gone("7", "over"), gone("7", "over")).is_empty
    assert not record(ASKED, STANDS, gone("8", "another")).is_empty
    assert not record(ASKED).is_empty


def test_folding_does_not_change_the_record_before() -> None:
    before = record(STANDS)
    fold_trigger(before, gone("7", "over"))
    assert before.standing == {"7": AT}


def test_one_that_stands_is_no_news() -> None:
    assert news(record(STANDS), trigger(), at=LATE) == []


@pytest.mark.parametrize(
    ("at", "is_whole", "expected"),
    [(LATE - 1, True, []), (LATE, False, []), (LATE, True, [gone("7", NEVER_TAKEN, LATE)])],
)
def test_one_that_is_not_in_the_list_is_gone_after_the_patience(at: int, is_whole: bool, expected: list[News]) -> None:
    assert news(record(STANDS), trigger("1"), at=at, is_whole=is_whole) == expected


@pytest.mark.parametrize(
    ("at", "is_whole", "expected"),
    [(LATE - 1, True, []), (LATE, False, []), (LATE, True, [gone("", NEVER_TAKEN, LATE)])],
)
def test_one_without_an_answer_was_never_taken_after_the_patience(
    at: int, is_whole: bool, expected: list[News]
) -> None:
    assert news(record(ASKED), at=at, is_whole=is_whole) == expected


def test_one_without_an_answer_is_found_by_its_terms() -> None:
    found = [trigger("1"), trigger("7"), trigger("8")]
    assert news(record(ASKED), *found) == [STANDS]


@pytest.mark.parametrize(
    "other",
    [
        trigger("1"),
        trigger(terms=replace(TERMS, quantity=11)),
        trigger(terms=replace(TERMS, triggers=(Decimal(981),))),
        trigger(terms=replace(TERMS, limits=(Decimal(971),))),
        trigger(terms=replace(TERMS, side=Side.BUY)),
        trigger(terms=None),
        trigger(instrument="BSE:INFY"),
        trigger(product="NRML"),
    ],
)
def test_another_one_is_not_taken_for_it(other: BrokerTrigger) -> None:
    assert news(record(ASKED), other) == []


def test_one_that_belongs_to_another_position_is_not_taken_for_it() -> None:
    other = replace(POSITION, strategy="pairs")
    records = {"a": record(replace(STANDS, position=other)), "b": record(ASKED)}
    assert news_of(records, listing(trigger())) == []
    both = {"a": record(replace(ASKED, position=other)), "b": record(ASKED)}
    found = news_of(both, listing(trigger("7"), trigger("8")))
    assert [one.trigger_id for one in found] == ["7", "8"]


def test_a_fired_one_names_its_order() -> None:
    outcome = Outcome(leg=0, order_id="B7", reason="", at=AT + 5)
    (found,) = news(record(STANDS), trigger(status="triggered", outcomes=(outcome,)))
    assert found == Fired(position=POSITION, trigger_id="7", terms=TERMS, outcome=outcome)
    order = order_of(found)
    assert (order.side, order.quantity, order.limit_price) == (Side.SELL, 10, Decimal(970))
    assert (order.strategy, order.product, order.reduces, order.event_time) == ("momentum", Product.CNC, True, AT + 5)
    assert order == order_of(found)
    assert is_of_trigger(order)
    assert order.order_id != order_of(other_leg(found)).order_id


def other_leg(fired: Fired) -> Fired:
    two = TriggerTerms(
        side=Side.SELL,
        quantity=10,
        triggers=(Decimal(980), Decimal(1040)),
        limits=(Decimal(970), Decimal(1030)),
    )
    return replace(fired, terms=two, outcome=replace(fired.outcome, leg=1))


def test_a_fired_one_without_a_result_is_waited_for() -> None:
    assert news(record(STANDS), trigger(status="triggered"), at=LATE - 1) == []
    (found,) = news(record(STANDS), trigger(status="triggered"), at=LATE)
    assert isinstance(found, TriggerGone)


@pytest.mark.parametrize("status", ["deleted", "cancelled", "expired", "rejected", "disabled", "something new"])
def test_one_that_is_no_longer_active_is_gone(status: str) -> None:
    assert news(record(STANDS), trigger(status=status)) == [gone("7", f"The trigger is {status}: -")]


def test_one_whose_order_was_not_taken_is_gone_with_the_reason() -> None:
    outcome = Outcome(leg=0, order_id="", reason="Holdings are missing", at=AT)
    found = news(record(STANDS), trigger(status="triggered", outcomes=(outcome,)))
    assert found == [gone("7", "The trigger is triggered: Holdings are missing")]
