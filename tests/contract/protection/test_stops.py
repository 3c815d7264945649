"""Protective stops on the sandbox with the real client: in step with the position, fired once, never doubled."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from agents.live import protection
from faust_app.runtime.sections import Execution
from faust_app.runtime.topics import Topic
from models.messages.control import TradingState
from models.messages.orders import OrderStatus, OrderType, Product, Side
from models.messages.protection import TriggerGone
from tests import factories
from tests.chaos.crashes import new_namespace
from tests.chaos.live_world import live_settings
from tests.contract.protection.world import AT_1000, BOTH, STOP, STRATEGY, ProtectedWorld, quick_rounds
from tests.exchange import Exchange
from tests.unit.runtime.redis_server import RedisServer
from trading.accounting.account import apply_fill
from trading.orders.state import AlarmKind


async def test_a_stop_is_placed_after_the_fill_and_follows_the_position(world: ProtectedWorld) -> None:
    await world.trade(Side.BUY, 10)
    await world.stands(AT_1000)
    await world.trade(Side.BUY, 5)
    await world.stands((15, [980.05], [970.25]))
    await world.trade(Side.SELL, 9)
    await world.stands((6, [980.05], [970.25]))
    await world.trade(Side.SELL, 6)
    await world.stands()
    assert len(world.triggers()) == 0
    assert world.units == 0


async def test_a_halt_does_not_keep_a_stop_away(world: ProtectedWorld) -> None:
    await world.trade(Side.BUY, 10)
    world.trading_state = TradingState.HALTED
    await world.stands(AT_1000)


async def test_a_strategy_without_the_option_and_a_product_without_triggers_have_none(world: ProtectedWorld) -> None:
    await world.trade(Side.BUY, 10, strategy="other")
    await world.trade(Side.BUY, 10, product=Product.MIS)
    await world.trade(Side.BUY, 5)
    await world.stands((5, [980.05], [970.25]))
    world.asked = {}
    await world.stands()


async def test_one_leg_fires_and_its_fill_reaches_the_position_once(world: ProtectedWorld) -> None:
    world.asked = {STRATEGY: BOTH}
    await world.trade(Side.BUY, 10)
    await world.stands((10, [980.05, 1040.06], [970.25, 1029.66]))
    world.price("1041")
    await world.run_until(lambda: world.units == 0 and world.known() == 0, "the target's fill is booked")
    (row,) = world.fired()
    record = world.records_by_number()[row["order_id"]]
    assert (row["status"], row["transaction_type"], row["quantity"]) == ("COMPLETE", "SELL", 10)
    assert (record.status, record.filled_quantity, record.average_price) == (OrderStatus.FILLED, 10, Decimal("1040.95"))
    assert (record.order.strategy, record.order.reduces, record.order.side) == (STRATEGY, True, Side.SELL)
    fills = [one for one in world.events(Topic.ORDERS_FILLED) if one.order.side is Side.SELL]
    assert [(one.quantity, one.broker_order_id) for one in fills] == [(10, row["order_id"])]
    world.price("970")
    await world.stands()
    assert len(world.fired()) == 1
    assert len([one for one in world.book() if one["tag"]]) == 1, "The dispatcher has sent the adopted order"


async def test_a_resting_order_of_a_trigger_is_followed_and_can_be_cancelled(world: ProtectedWorld) -> None:
    await world.trade(Side.BUY, 10)
    await world.stands(AT_1000)
    world.price("960")  # beyond the limit of 970.25: the order rests
    await world.run_until(lambda: world.known() == 0 and len(world.fired()) == 1, "the trigger's order is adopted")
    number = world.fired()[0]["order_id"]
    await world.run_until(lambda: world.status(number) is OrderStatus.WORKING, "the order works")
    assert world.active() == [], "The order of the trigger sells these units already"
    world.cancel(world.records_by_number()[number].order)
    await world.run_until(lambda: world.status(number) is OrderStatus.CANCELLED, "the order is cancelled")
    await world.stands((10, [957.6], [948.03]))  # the stop of 980.05 is above the price: as near as it may be
    world.price("1000")
    await world.stands(AT_1000)
    assert world.units == 10


async def test_an_order_of_a_trigger_that_is_rejected_leaves_the_position_protected(world: ProtectedWorld) -> None:
    await world.trade(Side.BUY, 10)
    await world.stands(AT_1000)
    world.exchange.fault("reject", count=1)
    world.price("979")
    await world.run_until(lambda: len(world.fired()) == 1 and world.active() != [], "another trigger stands")
    number = world.fired()[0]["order_id"]
    await world.run_until(lambda: world.status(number) is OrderStatus.REJECTED, "the rejection is known")
    assert world.units == 10
    assert len(world.active()) == 1


async def test_triggers_of_others_are_never_touched(world: ProtectedWorld) -> None:
    theirs = [world.by_hand("980.05", 10), world.by_hand("985", 3)]
    await world.trade(Side.BUY, 10)
    await world.run_until(lambda: world.known() == 1, "ours stands beside the same one of somebody else")
    assert [one["id"] for one in world.triggers()][:2] == theirs
    world.asked = {}
    await world.run_until(lambda: world.known() == 0, "ours is removed")
    assert [one["id"] for one in world.triggers()] == theirs
    world.price("984")
    await world.run_until(lambda: len(world.fired()) == 1, "one of theirs fires")
    world.asked = {STRATEGY: STOP}
    await world.run_until(lambda: world.known() == 1, "ours stands again")
    assert world.fired()[0]["order_id"] not in world.records_by_number()
    assert world.units == 10


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_place_without_an_answer_makes_one_trigger(world: ProtectedWorld, accepted: bool) -> None:
    world.by_hand("980.05", 10)
    world.exchange.fault("no_answer", endpoints=["POST /gtt/triggers"], accepted=accepted, count=1, seconds=5)
    await world.trade(Side.BUY, 10)
    await world.run_until(lambda: world.known() == 1, "one trigger is known")
    assert len(world.active()) == 2
    await world.trade(Side.SELL, 10)
    await world.run_until(lambda: world.known() == 0, "it is removed")
    assert len(world.active()) == 1, "Only the one placed by hand is left"


@pytest.mark.parametrize("kind", ["reset", "server_error", "too_many_requests", "empty_object", "bad_gateway"])
async def test_whatever_the_broker_answers_one_trigger_stands_and_none_is_left(
    world: ProtectedWorld, kind: str
) -> None:
    endpoints = ["POST /gtt/*", "PUT /gtt/*", "DELETE /gtt/*", "GET /gtt/*"]
    world.exchange.fault(kind, endpoints=endpoints, period=2, count=6)
    await world.trade(Side.BUY, 10)
    await world.stands(AT_1000)
    await world.trade(Side.BUY, 10)
    await world.stands((20, [980.05], [970.25]))
    world.exchange.ask("DELETE", "/faults")
    await world.trade(Side.SELL, 20)
    await world.stands()


async def test_a_trigger_removed_by_hand_is_placed_again(world: ProtectedWorld) -> None:
    await world.trade(Side.BUY, 10)
    await world.stands(AT_1000)
    number = world.triggers()[0]["id"]
    gtts = world.exchange.sandbox.broker.gtts
    world.exchange.call(lambda: gtts.delete(gtts.find(str(number))))
    await world.stands(AT_1000)
    assert world.triggers()[0]["id"] != number


async def test_without_a_session_nothing_is_called(world: ProtectedWorld) -> None:
    world.asked = {}
    await world.trade(Side.BUY, 10)
    assert world.life is not None
    session = world.life.live._session
    session.refuse(session.token())
    world.asked = {STRATEGY: STOP}
    await world.rounds(3)
    assert world.triggers() == []


async def test_an_order_of_another_day_is_an_alarm_and_no_order_of_ours(world: ProtectedWorld) -> None:
    await world.trade(Side.BUY, 10)
    await world.stands(AT_1000)
    assert world.life is not None
    world.life.engine._clock.hear(world.opened_at + 86_400)
    world.exchange.tick(world.stock.key, 979, buy=[[978.95, 10_000]], sell=[[979.05, 10_000]])
    await world.run_until(lambda: world.alarms(AlarmKind.TRIGGER_UNSEEN) == 1, "the alarm is raised")
    assert world.fired()[0]["order_id"] not in world.records_by_number()


async def test_a_dry_run_tells_what_it_would_have_placed(
    exchange: Exchange, redis: RedisServer, tmp_path: Path
) -> None:
    settings = live_settings(exchange, tmp_path / "session", redis.port, new_namespace())
    dry = settings.brokers["zerodha"].model_copy(update={"execution": Execution.DRY_RUN})
    world = ProtectedWorld(exchange, settings.model_copy(update={"brokers": {**settings.brokers, "zerodha": dry}}))
    world.asked = {STRATEGY: STOP}
    bought = world.order(Side.BUY, 10)
    assert apply_fill(world.account, factories.filled(bought, 10, "1000", 10), world.stock)
    with quick_rounds():
        await world.run_until(lambda: bool(world.events_of(TriggerGone)), "it is told")
        await world.end()
    told = world.events_of(TriggerGone)[0].reason
    assert told.startswith('Dry run, not sent: place {"trigger_type":"single"')
    assert '"trigger_values":[980.0]' in told
    assert world.triggers() == []


async def test_an_exit_waits_until_its_trigger_is_gone(world: ProtectedWorld) -> None:
    await world.trade(Side.BUY, 10)
    await world.stands(AT_1000)
    world.steps.clear()
    await world.trade(Side.SELL, 10)
    calls = [one for one in world.steps if one in ("after the trigger's removal", "before the call")]
    assert calls == ["after the trigger's removal", "before the call"]
    assert world.alarms() == 0


async def test_a_part_exit_leaves_the_rest_protected_all_the_while(world: ProtectedWorld) -> None:
    await world.trade(Side.BUY, 10)
    await world.stands(AT_1000)
    number = world.triggers()[0]["id"]
    world.steps.clear()
    resting = world.order(Side.SELL, 4, order_type=OrderType.LIMIT, limit_price=Decimal(1050))
    world.accept(resting)
    await world.run_until(lambda: world.has_settled([resting]), "the exit rests")
    calls = [one for one in world.steps if one in ("after the trigger's change", "before the call")]
    assert calls == ["after the trigger's change", "before the call"]
    assert world.active() == [(6, [980.05], [970.25])]
    world.cancel(resting)
    await world.stands(AT_1000)
    assert world.triggers()[0]["id"] == number


async def test_an_exit_goes_out_with_an_alarm_when_its_trigger_stays(
    world: ProtectedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protection, "CLEAR_SECONDS", 0.3)
    await world.trade(Side.BUY, 10)
    await world.stands(AT_1000)
    fault = world.exchange.fault("server_error", endpoints=["DELETE /gtt/*"])
    await world.trade(Side.SELL, 10)
    assert len(world.active()) == 1
    assert world.alarms() == 1
    world.exchange.ask("DELETE", f"/faults/{fault}")
    await world.stands()


async def test_an_exit_is_not_sent_beside_the_order_of_a_trigger(world: ProtectedWorld) -> None:
    await world.trade(Side.BUY, 10)
    await world.stands(AT_1000)
    world.exchange.tick(world.stock.key, 960, buy=[[959.95, 10_000]], sell=[[960.05, 10_000]])  # fires, and rests
    late = world.order(Side.SELL, 10)
    world.accept(late)
    await world.run_until(lambda: world.has_ended(late), "the exit ends")
    record = world.records()[late.tag]
    assert record.status is OrderStatus.DENIED_LATE
    assert "The stop at the exchange has fired" in record.reason
    assert [row["order_id"] for row in world.book() if row["tag"] == late.tag] == []


async def test_exits_go_out_while_the_account_is_unknown(world: ProtectedWorld) -> None:
    await world.trade(Side.BUY, 10)
    await world.stands(AT_1000)
    world.is_published = False
    sold = world.order(Side.SELL, 4)
    world.accept(sold)
    await world.run_until(lambda: world.has_ended(sold), "the exit ends")
    assert world.active() == []
    world.is_published = True
    await world.stands((6, [980.05], [970.25]))


async def test_fills_the_account_has_not_heard_of_make_a_stop_smaller_only(world: ProtectedWorld) -> None:
    await world.trade(Side.BUY, 10)
    await world.stands(AT_1000)
    world.lags = True
    await world.trade(Side.BUY, 10)
    await world.rounds(3)
    await world.stands(AT_1000)
    await world.trade(Side.SELL, 20)
    await world.rounds(3)
    assert world.triggers() == []
    world.lags = False
    await world.stands()


async def test_an_exit_waits_for_a_trigger_that_is_being_placed(world: ProtectedWorld) -> None:
    world.exchange.fault("no_answer", endpoints=["POST /gtt/triggers"], count=1, seconds=5)
    await world.trade(Side.BUY, 10)
    await world.run_until(lambda: world.known() == 100 and len(world.active()) == 1, "it is asked for")
    world.steps.clear()
    await world.trade(Side.SELL, 10)
    calls = [one for one in world.steps if one in ("after the trigger's removal", "before the call")]
    assert calls == ["after the trigger's removal", "before the call"]
    await world.stands()


async def test_a_restart_knows_its_triggers(world: ProtectedWorld) -> None:
    await world.trade(Side.BUY, 10)
    await world.stands(AT_1000)
    number = world.triggers()[0]["id"]
    await world.restart()
    await world.trade(Side.BUY, 1)
    await world.stands((11, [980.05], [970.25]))
    assert [one["id"] for one in world.triggers()] == [number]
    assert world.by_hand("985", 1) == number + 1, "Another one was placed in between"


async def test_a_trigger_that_fires_while_nobody_looks_is_adopted_at_the_start(world: ProtectedWorld) -> None:
    await world.trade(Side.BUY, 10)
    await world.stands(AT_1000)
    await world.end()
    world.price("979")
    await world.run_until(lambda: world.life is not None and world.units == 0, "the fill is booked")
    await world.stands()
    assert [one.quantity for one in world.events(Topic.ORDERS_FILLED)] == [10, 10]


async def test_a_round_that_fails_is_told_and_the_next_is_made(
    world: ProtectedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise LookupError("a mistake")

    with monkeypatch.context() as patched:
        patched.setattr(protection, "plan", broken)
        await world.trade(Side.BUY, 10)
        assert world.life is not None
        state = world.life.live._worker.state
        await world.run_until(lambda: "a mistake" in state.reasons.get(protection.CONDITION, ""), "it is told")
    await world.stands(AT_1000)
    await world.run_until(lambda: protection.CONDITION not in state.reasons, "it is over")
