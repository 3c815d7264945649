"""Whatever the positions, prices and triggers: one round of actions brings everything in step."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import Product, Side
from models.messages.protection import ProtectedPosition, TriggerGone, TriggerStands, TriggerTerms
from tests.factories import instrument
from trading.market.instruments import Instrument
from trading.orders.protection import (
    NEAREST,
    Action,
    DeleteTrigger,
    Held,
    ModifyTrigger,
    PlaceTrigger,
    Protection,
    is_protectable,
    plan,
)
from trading.orders.triggers import BrokerTrigger, Listing, TriggerRecord, fold_trigger, key_of

NOW = 1_787_200_000
PERCENT = Decimal(1)
NAMES = ("momentum", "pairs")
INFY = instrument(freeze_quantity=500)
FUTURE = instrument(
    exchange="NFO", tradingsymbol="INFY26AUGFUT", instrument_type="FUT", tick_size=Decimal("0.1"), lot_size=5
)
LISTED = {one.key: one for one in (INFY, FUTURE)}


class Broker:
    """The broker's list. Refuses what Zerodha refuses; `foreign` triggers are somebody else's."""

    def __init__(self) -> None:
        self.list: dict[str, BrokerTrigger] = {}
        self.records: dict[str, TriggerRecord] = {}
        self.numbers = 100

    @property
    def listing(self) -> Listing:
        return Listing(triggers=dict(self.list), asked_at=NOW)

    def add(self, position: ProtectedPosition, terms: TriggerTerms) -> str:
        self.numbers += 1
        number = str(self.numbers)
        self.list[number] = BrokerTrigger(
            trigger_id=number,
            status="active",
            instrument=position.instrument,
            product=position.product.value,
            terms=terms,
            updated_at=NOW,
        )
        return number

    def own(self, position: ProtectedPosition, number: str) -> None:
        key = key_of(position)
        self.records[key] = fold_trigger(
            self.records.get(key), TriggerStands(position=position, trigger_id=number, at=NOW)
        )

    def apply(self, action: Action) -> None:
        match action:
            case PlaceTrigger(position, terms, last):
                check(terms, last)
                self.own(position, self.add(position, terms))
            case ModifyTrigger(position, number, terms, last):
                check(terms, last)
                assert number in self.records[key_of(position)].standing
                before = self.list[number].terms
                assert before is None or before.is_two_leg is terms.is_two_leg
                del self.list[number]
                self.own(position, self.add(position, terms))
                self.gone(position, number)
            case DeleteTrigger(position, number):
                assert number in self.records[key_of(position)].standing, "It is not ours"
                del self.list[number]
                self.gone(position, number)

    def gone(self, position: ProtectedPosition, number: str) -> None:
        key = key_of(position)
        message = TriggerGone(position=position, trigger_id=number, reason="", at=NOW)
        self.records[key] = fold_trigger(self.records[key], message)


def check(terms: TriggerTerms, last: Decimal) -> None:
    """Zerodha's rules for a trigger."""
    assert all(abs(price - last) >= last * NEAREST for price in terms.triggers)
    if terms.is_two_leg:
        assert terms.triggers[0] < last < terms.triggers[1]


def is_on_tick(price: Decimal, of: Instrument) -> bool:
    return price % of.tick_size == 0


prices = st.integers(20_000, 4_000_000).map(lambda paise: Decimal(paise) / 100)
options = st.none() | st.builds(
    Protection,
    stop_percent=st.integers(1, 400).map(lambda tenths: Decimal(tenths) / 10),
    target_percent=st.none() | st.integers(1, 400).map(lambda tenths: Decimal(tenths) / 10),
)


@st.composite
def helds(draw: st.DrawFn) -> list[Held]:
    found = []
    for name in NAMES:
        for listed in LISTED.values():
            product = draw(st.sampled_from(Product))
            found.append(
                Held(
                    position=ProtectedPosition(
                        account="zerodha:main",
                        strategy=name,
                        instrument=listed.key,
                        instrument_token=listed.instrument_token,
                        product=product,
                    ),
                    quantity=draw(st.sampled_from([0, 0, *range(-20, 21), 200])) * listed.lot_size,
                    average_price=draw(prices),
                    exits=draw(st.sampled_from([0, 0, 0, 5, 15])),
                    is_settling=draw(st.booleans()),
                    protection=draw(options),
                    instrument=draw(st.sampled_from([listed, listed, listed, None])),
                    last_price=draw(st.none() | prices),
                )
            )
    return found


@st.composite
def terms_of(draw: st.DrawFn) -> TriggerTerms:
    legs = sorted(draw(st.lists(prices, min_size=1, max_size=2, unique=True)))
    return TriggerTerms(
        side=draw(st.sampled_from(Side)),
        quantity=draw(st.integers(1, 60)),
        triggers=tuple(legs),
        limits=tuple(draw(prices) for _ in legs),
    )


@st.composite
def brokers(draw: st.DrawFn, held: list[Held]) -> tuple[Broker, set[str]]:
    """Triggers of ours and of others, whatever they are for."""
    broker, foreign = Broker(), set()
    for one in held:
        for _ in range(draw(st.integers(0, 2))):
            number = broker.add(one.position, draw(terms_of()))
            if draw(st.booleans()):
                broker.own(one.position, number)
            else:
                foreign.add(number)
    return broker, foreign


@given(st.data())
def test_one_round_brings_every_position_in_step(data: st.DataObject) -> None:
    held = data.draw(helds())
    broker, foreign = data.draw(brokers(held))
    before = {number: broker.list[number] for number in foreign}
    by_key = {key_of(one.position): one for one in held}
    for action in plan(by_key, broker.records, broker.listing, PERCENT):
        broker.apply(action)
    assert plan(by_key, broker.records, broker.listing, PERCENT) == []
    assert {number: broker.list[number] for number in foreign} == before, "A foreign trigger was touched"
    for key, one in by_key.items():
        record = broker.records.get(key)
        ours = [broker.list[number] for number in record.standing] if record else []
        if one.left == 0:
            assert ours == [], "A trigger without a position"
            continue
        assert len(ours) <= 1
        assert all(found.terms is not None and found.terms.quantity <= one.left for found in ours)
        if not one.is_settling and one.instrument is not None and one.last_price is not None:
            assert one.protection is not None
            assert is_protectable(one)
            check_found(ours, one, one.instrument)


def check_found(ours: list[BrokerTrigger], held: Held, listed: Instrument) -> None:
    (found,) = ours
    assert found.terms is not None
    assert held.protection is not None
    closes_long = held.quantity > 0
    assert found.terms.side is (Side.SELL if closes_long else Side.BUY)
    assert found.terms.quantity == min(held.left, listed.freeze_quantity or held.left)
    assert found.terms.is_two_leg is (held.protection.target_percent is not None)
    assert all(is_on_tick(price, listed) for price in (*found.terms.triggers, *found.terms.limits))
    stop = found.terms.triggers[0 if closes_long else -1]
    limit = found.terms.limits[0 if closes_long else -1]
    assert (limit < stop) if closes_long else (limit > stop)
    moved = held.average_price * held.protection.stop_percent / 100
    wished = held.average_price - moved if closes_long else held.average_price + moved
    slack = listed.tick_size
    assert (stop <= wished + slack) if closes_long else (stop >= wished - slack)


@given(helds())
def test_nothing_is_asked_for_without_the_option(held: list[Held]) -> None:
    bare = {key_of(one.position): one for one in held if one.protection is None}
    assert plan(bare, {}, Listing(triggers={}, asked_at=NOW), PERCENT) == []
