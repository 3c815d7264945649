"""The desk: events reach their watches, only enabled kinds are told, nothing is told again, nothing stops it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from agents.notices.alarms import EXITS_GIVEN_UP, AlarmsWatch
from agents.notices.desk import NoticeDesk, is_wanted
from agents.notices.probes import PagesProbe, ReportProbe, figures
from agents.notices.told import Told
from agents.notices.workers import WorkersWatch
from faust_app.runtime.codec import encode, root
from faust_app.runtime.day_report import AccountDay, DayReport
from faust_app.runtime.exchange_clock import ExchangeClock
from faust_app.runtime.metrics import OWN
from faust_app.runtime.notices import Notice, NoticeKind
from faust_app.runtime.pages import PAGES_FILE
from faust_app.runtime.settings import Settings
from faust_app.runtime.trading_state import redis_client
from models.messages.control import TradingState
from models.messages.orders import OrderFailed, OrderStatus
from models.messages.reconciliation import DifferenceState
from tests.factories import AT, filled, order, update
from tests.unit.agents.notices.watching import SOME, became, changed, denied, snapshot
from tests.unit.runtime.configurations import configured, with_live
from tests.unit.runtime.ports import free_port
from tests.unit.runtime.redis_server import RedisServer


def ist(text: str) -> float:
    """Epoch seconds of a moment in India."""
    return datetime.fromisoformat(f"{text}+05:30").timestamp()


CLOCK = ExchangeClock(is_simulated=False, is_sandbox=False)


class Person:
    """In place of the notifier."""

    def __init__(self) -> None:
        self.told: list[Notice] = []

    def tell(self, notice: Notice) -> None:
        self.told.append(notice)

    @property
    def kinds(self) -> list[str]:
        return sorted(one.kind.value for one in self.told)


class Time:
    def __init__(self) -> None:
        self.now = float(AT)

    def __call__(self) -> float:
        return self.now


def settings_for(tmp_path: Path, port: int = 1, **notices: Any) -> Settings:
    values = {"enabled": True, "addresses_file": str(tmp_path / "addresses"), **notices}
    return with_live(configured(notices=values, redis={"port": port}, stack={"state_directory": str(tmp_path)}))


def desk_with(config: Settings, time: Time) -> tuple[NoticeDesk, Person]:
    found, person = NoticeDesk(config, CLOCK, lambda: True, time), Person()
    found.notifier = person  # type: ignore[assignment]
    return found, person


def event(body: msgspec.Struct, broker: str = "zerodha") -> Any:
    return root(body, message_id="id", broker=broker, key="k", source="s", at=datetime(2026, 1, 1, tzinfo=UTC))


FAILED = OrderFailed(
    order=order(), broker_order_id="B", outcome=OrderStatus.CANCELLED, filled_quantity=0, reason="", event_time=AT
)
EVERYTHING = (
    filled(order(), 10, "1500", 10),
    denied(),
    denied(),
    changed(TradingState.HALTED, 1),
    update(OrderStatus.UNKNOWN, of=order(order_id="o2")),
    became(DifferenceState.APPEARED),
    snapshot("-45000"),
)


async def test_every_kind_of_event_reaches_its_watch(tmp_path: Path) -> None:
    time = Time()
    found, person = desk_with(settings_for(tmp_path, denials_per_minute=1), time)
    found._loss.limits["paper:main"] = Decimal(50_000)
    for body in EVERYTHING:
        found.hear(event(body), float(AT))
    found.hear_marks(SOME)
    await found.tick()
    time.now += 40
    await found.tick()
    assert person.kinds == ["denials", "differences", "feed", "fills", "halts", "loss", "unknown"]
    found.hear(event(FAILED), time.now)
    await found.tick()
    assert len(person.told) == 7  # that order was not unknown


async def test_a_kind_that_is_off_is_not_told(tmp_path: Path) -> None:
    time = Time()
    found, person = desk_with(settings_for(tmp_path, kinds=["fills", "feed"], denials_per_minute=1), time)
    for body in EVERYTHING:
        found.hear(event(body), float(AT))
    time.now += 60
    await found.tick()
    assert person.kinds == ["feed", "fills"]


def test_a_replay_tells_nobody(tmp_path: Path) -> None:
    config = settings_for(tmp_path)
    assert is_wanted(config)
    assert not is_wanted(config.model_copy(update={"namespace": "replay-1."}))
    assert not is_wanted(configured())


@pytest.mark.parametrize(
    ("kinds", "topics"),
    [
        (["fills"], {"paper.orders.filled", "zerodha.orders.filled"}),
        (["halts", "workers", "report", "feed"], set()),
        (["differences"], {"zerodha.reconciliation"}),
        (["unknown"], {"zerodha.orders.updates", "zerodha.orders.filled", "zerodha.orders.failed"}),
        (["loss", "alarms"], {"paper.pnl.snapshots", "zerodha.pnl.snapshots"}),
    ],
)
def test_only_topics_that_are_needed_are_read(kinds: list[str], topics: set[str], tmp_path: Path) -> None:
    found, _ = desk_with(settings_for(tmp_path, kinds=kinds), Time())
    assert {reader._topic for reader in found.readers()} == topics


async def test_garbage_and_a_failing_watch_do_not_stop_the_monitor(tmp_path: Path) -> None:
    found, person = desk_with(settings_for(tmp_path), Time())
    found._on_message(SimpleNamespace(value=b"garbage", timestamp=0))
    unheard_of = encode(event(filled(order(), 10, "1500", 10), broker="nobody"))
    found._on_message(SimpleNamespace(value=unheard_of, timestamp=AT * 1000))
    found._on_message(SimpleNamespace(value=encode(event(changed(TradingState.HALTED, 1))), timestamp=AT * 1000))
    await found.tick()
    assert "halts" in person.kinds


async def test_the_last_tick_tells_what_was_gathered(tmp_path: Path) -> None:
    found, person = desk_with(settings_for(tmp_path), Time())
    found.hear(event(filled(order(), 10, "1500", 10)), float(AT))
    await found.tick()
    assert person.kinds == []
    await found.tick(is_last=True)
    assert person.kinds == ["fills"]


async def test_the_monitor_stops_whatever_the_last_look_meets(tmp_path: Path) -> None:
    found, person = desk_with(settings_for(tmp_path), Time())
    drained = []

    async def drain(seconds: float) -> None:
        drained.append(seconds)

    person.drain = drain  # type: ignore[attr-defined]
    found._feed._is_open = lambda: 1 / 0  # type: ignore[assignment, return-value]
    await found.stop()
    assert drained


async def test_what_is_told_once_is_not_told_after_a_restart(tmp_path: Path, redis: RedisServer) -> None:
    for expected in (["loss"], []):
        found, person = desk_with(settings_for(tmp_path, redis.port, kinds=["loss"]), Time())
        found._loss.limits["paper:main"] = Decimal(50_000)
        for _ in range(2):
            found.hear(event(snapshot("-45000")), float(AT))
            await found.tick()
        assert person.kinds == expected
        await found._redis.aclose()


async def test_without_redis_it_is_told_rather_twice_than_never(tmp_path: Path) -> None:
    client = redis_client(settings_for(tmp_path))
    told = Told(settings_for(tmp_path), client)
    assert await told.is_first("x")
    assert not await told.is_first("x")
    await client.aclose()


# Pages of workers


def test_figures_of_a_page_are_found_among_all_others() -> None:
    page = [
        "# HELP alpha_panda_order_alarms_total x",
        "alpha_panda_ticks_received_total 5.0",
        'alpha_panda_order_alarms_total{broker="zerodha",kind="overfill"} 2.0',
        'alpha_panda_exits_given_up_total{broker="zerodha"} 1.0',
        'alpha_panda_exits_given_up_created{broker="zerodha"} 1.7e+09',
        "process_start_time_seconds 1.7871957e+09",
    ]
    started, values = figures(page)
    assert started == 1_787_195_700.0
    assert values == {("zerodha", "overfill"): 2.0, ("zerodha", EXITS_GIVEN_UP): 1.0}


def test_the_counters_it_looks_for_are_declared() -> None:
    served = {f"{family.name}_total" for family in OWN.collect()}
    assert {"alpha_panda_exits_given_up_total", "alpha_panda_order_alarms_total"} <= served


async def test_pages_are_read_where_the_stack_has_noted_them(tmp_path: Path) -> None:
    from aiohttp import web

    port = free_port()
    text = 'process_start_time_seconds 1\nalpha_panda_exits_given_up_total{broker="paper"} 0.0\n'
    pages = [text, text.replace(" 0.0", " 2.0")]
    application = web.Application()

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=pages.pop(0))

    application.router.add_get("/metrics", page)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    workers, alarms = WorkersWatch(), AlarmsWatch(0, 0)
    probe = PagesProbe(settings_for(tmp_path), workers, alarms, Time())
    try:
        await probe.look()  # no pages yet
        (tmp_path / PAGES_FILE).write_text(json.dumps({"risk_manager.paper": port, "ledger": 1}))
        await probe.look()
        await probe.look()
    finally:
        await runner.cleanup()
    assert set(workers._workers) == {"risk_manager.paper"}
    (notice,) = alarms.due(float(AT))
    assert notice.lines == (f"{EXITS_GIVEN_UP}: 2",)


# The day's report


async def test_the_report_is_told_once_after_the_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, told = [], list[Notice]()

    async def read(_: Settings, day: Any) -> DayReport:
        asked.append(str(day))
        return DayReport(day=day, accounts=(AccountDay(account="paper:main", broker="paper"),))

    monkeypatch.setattr("agents.notices.probes.read_report", read)
    second = ist("2026-11-20 15:00")
    clock = ExchangeClock(is_simulated=False, is_sandbox=False, now=lambda: second)
    probe = ReportProbe(settings_for(tmp_path), clock, told.append, lambda: second)
    await probe.look()
    assert not asked
    second = ist("2026-11-20 16:30")
    await probe.look()
    await probe.look()
    assert asked == ["2026-11-20"]
    assert [one.once for one in told] == ["report:2026-11-20"]
    second = ist("2026-11-21 16:30")  # a Saturday
    await probe.look()
    second = ist("2026-11-23 16:30")
    await probe.look()
    assert [one.once for one in told] == ["report:2026-11-20", "report:2026-11-23"]
    assert all(one.kind is NoticeKind.REPORT for one in told)
