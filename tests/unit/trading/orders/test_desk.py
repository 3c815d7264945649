"""The order desk: what is sent, held, denied, and remembered."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from models.messages.orders import CancelSubmitted, OrderFailed, OrderStatus, PlannedOrder, Product, Side
from tests.factories import AT, TOKEN, order, update
from trading.orders.brackets import Glance
from trading.orders.desk import Change, OrderDesk, Release, Send
from trading.orders.state import Alarm, AlarmKind, OrderRecord, fold

S = OrderStatus
DAY = 86_400


class Desk:
    """A desk with a place for its records."""

    def __init__(self) -> None:
        self.records: dict[str, OrderRecord] = {}
        self.desk = OrderDesk()
        self.second = AT

    def store(self, change: Change) -> Change:
        self.records[change.record.order.order_id] = change.record
        self.desk.note(change.record)
        return change

    def admit(self, one: PlannedOrder, refusal: str = "") -> Change:
        return self.store(self.desk.admit(one, refusal))

    def hear(self, order_id: str, status: OrderStatus, filled: int = 0) -> None:
        record = self.records[order_id]
        told = update(status, filled, "100" if filled else "0", of=record.order)
        self.store(Change(fold(record, told).record))

    def look(self, price: str = "100", after: int = 1) -> list[Any]:
        """Effects in order; orders that are sent are admitted."""
        self.second += after
        glance = Glance(second=self.second, is_continuous=True, price=Decimal(price), sequence=7, run_id="run")
        changes = [self.store(change) for change in self.desk.look(TOKEN, glance, self.records.get)]
        effects = [effect for change in changes for effect in change.effects]
        for effect in effects:
            if isinstance(effect, Send):
                self.admit(effect.order)
        return effects


def entry(name: str = "entry", quantity: int = 10, **values: Any) -> PlannedOrder:
    return order(order_id=name, quantity=quantity, stop_loss=Decimal(95), **values)


def own(name: str = "own", quantity: int = 10, **values: Any) -> PlannedOrder:
    return order(order_id=name, side=Side.SELL, quantity=quantity, reduces=True, **values)


def filled_entry() -> Desk:
    """An entry that has filled, its stop working."""
    desk = Desk()
    desk.admit(entry())
    desk.hear("entry", S.FILLED, 10)
    (stop,) = desk.look()
    desk.hear(stop.order.order_id, S.WORKING)
    return desk


def stop_of(desk: Desk) -> str:
    bracket = desk.records["entry"].bracket
    assert bracket is not None
    return list(bracket.exits)[-1]


def test_a_plain_order_is_sent_at_once() -> None:
    desk = Desk()
    assert desk.admit(order()).effects == []
    assert not desk.records[order().order_id].held
    assert desk.desk.watched() == []


def test_a_refusal_is_a_failure_told_once() -> None:
    change = Desk().admit(entry(), "Trading is halted")
    (failed,) = change.effects
    assert isinstance(failed, OrderFailed)
    assert (failed.outcome, failed.reason) == (S.DENIED_LATE, "Trading is halted")
    assert change.record.bracket is None


def test_an_exit_from_a_position_without_brackets_is_not_held() -> None:
    desk = filled_entry()
    for other in (own(strategy="other"), own(product=Product.NRML), own(instrument="NSE:TCS"), own(account="b:main")):
        assert not desk.desk.admit(other).record.held
    assert not desk.desk.admit(order(side=Side.SELL)).record.held, "it does not reduce"


def test_an_own_exit_waits_for_the_stop_to_end_and_goes_then() -> None:
    desk = filled_entry()
    stop = stop_of(desk)
    assert desk.admit(own()).record.held
    (cancel,) = desk.look()
    assert isinstance(cancel, CancelSubmitted)
    assert (cancel.order_id, cancel.event_time, cancel.instrument_token) == (stop, AT + 2, TOKEN)
    assert desk.look() == []
    desk.hear(stop, S.CANCELLED)
    (release,) = desk.look()
    assert release == Release(own(), AT + 4, 7)
    record = desk.records["own"]
    assert (record.held, record.not_before, record.after_sequence) == (False, AT + 4, 7)
    assert desk.look() == []


def test_an_own_exit_is_denied_when_the_stop_was_faster() -> None:
    desk = filled_entry()
    desk.admit(own())
    desk.look()
    desk.hear(stop_of(desk), S.FILLED, 10)
    (failed,) = desk.look()
    assert isinstance(failed, OrderFailed)
    assert failed.reason == "The entry's own exits have taken 10 units meanwhile"
    assert not desk.records["own"].held
    assert desk.look() == []


def test_an_own_exit_that_knew_of_the_stop_is_not_denied_for_it() -> None:
    desk = filled_entry()
    desk.hear(stop_of(desk), S.FILLED, 10)
    desk.admit(own(quantity=5, exits_seen=10))
    (release,) = desk.look()
    assert isinstance(release, Release)


def test_an_own_exit_of_a_part_leaves_the_rest_protected() -> None:
    desk = filled_entry()
    stop = stop_of(desk)
    desk.admit(own(quantity=6))
    desk.look()
    desk.hear(stop, S.CANCELLED)
    release, send = desk.look()
    assert isinstance(release, Release)
    assert send.order.quantity == 4


def test_own_exits_take_from_the_oldest_bracket_first() -> None:
    desk = Desk()
    desk.admit(entry("later", event_time=AT + 1))
    desk.admit(entry("older"))
    for name in ("older", "later"):
        desk.hear(name, S.FILLED, 10)
    desk.admit(own(quantity=14))
    desk.look()
    claims = {name: desk.records[name].bracket.claims["own"] for name in ("older", "later")}  # type: ignore[union-attr]
    assert {name: (claim.units, claim.skipped) for name, claim in claims.items()} == {
        "older": (10, 0),
        "later": (4, 10),
    }


def test_an_exit_does_not_claim_units_of_the_other_side() -> None:
    desk = filled_entry()
    desk.admit(order(order_id="cover", side=Side.BUY, reduces=True))
    assert [type(effect) for effect in desk.look()] == [Release]
    assert desk.records["entry"].bracket.claims == {}  # type: ignore[union-attr]


def test_positions_that_failing_exits_leave_bare_are_an_alarm() -> None:
    desk = Desk()
    desk.admit(entry())
    desk.hear("entry", S.FILLED, 10)
    alarms = []
    for _ in range(40):
        alarms += [effect for effect in desk.look(after=10) if isinstance(effect, Alarm)]
        desk.hear(stop_of(desk), S.REJECTED)
    assert [alarm.kind for alarm in alarms] == [AlarmKind.UNPROTECTED]


def test_a_desk_rebuilt_from_its_records_goes_on() -> None:
    desk = filled_entry()
    stop = stop_of(desk)
    desk.admit(own())
    desk.desk = OrderDesk(reversed(list(desk.records.values())))
    assert desk.desk.watched() == [TOKEN]
    desk.look()
    desk.desk = OrderDesk(desk.records.values())
    desk.hear(stop, S.CANCELLED)
    desk.desk = OrderDesk(desk.records.values())
    assert [type(effect) for effect in desk.look()] == [Release]


def test_what_has_ended_is_looked_at_no_more_until_it_is_heard_of() -> None:
    desk = filled_entry()
    stop = stop_of(desk)
    desk.hear(stop, S.FILLED, 10)
    assert desk.look() == []
    assert desk.desk.watched() == []
    desk.hear(stop, S.FILLED, 10)
    assert desk.desk.watched() == [TOKEN]
    assert desk.desk.order_ids(TOKEN) == ["entry"]


def test_order_ids_are_those_of_entries_and_own_exits() -> None:
    desk = filled_entry()
    desk.admit(own())
    assert set(desk.desk.order_ids(TOKEN)) == {"entry", "own"}
    assert desk.desk.order_ids(1) == []


def test_a_bracket_that_goes_on_needs_its_records_whatever_their_age() -> None:
    desk = Desk()
    desk.admit(entry(product=Product.NRML))
    desk.hear("entry", S.FILLED, 10)
    desk.look()
    desk.admit(own(quantity=2, product=Product.NRML))
    desk.look()
    assert desk.desk.needed(AT + DAY, desk.records.get) == {"entry", stop_of(desk), "own"}
    desk.hear(stop_of(desk), S.FILLED, 10)
    desk.hear("own", S.CANCELLED)
    assert desk.desk.needed(AT + DAY, desk.records.get) == set()


def test_an_intraday_bracket_needs_nothing_the_next_day() -> None:
    assert filled_entry().desk.needed(AT + DAY, filled_entry().records.get) == set()


def test_a_forgotten_position_is_gone() -> None:
    desk = filled_entry()
    desk.desk.forget(own())
    assert list(desk.desk.tokens) == [TOKEN]
    desk.desk.forget(entry())
    assert list(desk.desk.tokens) == []
    desk.desk.forget(entry())
    assert not desk.desk.admit(own()).record.held


def test_an_exit_that_is_at_the_broker_already_is_never_held_and_takes_its_units_from_the_bracket() -> None:
    desk = filled_entry()
    stop = stop_of(desk)
    adopted, entry_change = desk.desk.adopt(own("adopted", 6), "B7", AT + 2, desk.records.get)
    assert (adopted.record.held, adopted.record.broker_order_id, adopted.record.attempted_at) == (False, "B7", AT + 2)
    for one in (adopted, entry_change):
        desk.store(one)
    desk.hear("adopted", S.FILLED, 6)
    (cancel,) = desk.look()
    assert isinstance(cancel, CancelSubmitted)
    desk.hear(stop, S.CANCELLED)
    (send,) = desk.look()
    assert send.order.quantity == 4


def test_an_exit_that_is_at_the_broker_already_changes_nothing_where_there_is_no_bracket() -> None:
    desk = Desk()
    (only,) = desk.desk.adopt(own("adopted"), "B7", AT, desk.records.get)
    assert (only.record.is_open, only.effects) == (True, [])
