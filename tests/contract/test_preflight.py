"""`alpha-panda preflight` with the real client on the sandbox exchange and a real Redis: what it says, and hides."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from agents.live.preflight.account import Compared
from brokers.zerodha.session import SessionStore, login, new_session_key
from faust_app.commands import preflight as command
from faust_app.commands.cli import _run
from faust_app.runtime.errors import TransientError
from faust_app.runtime.lease import Lease
from faust_app.runtime.reference_data import ReferenceData
from faust_app.runtime.sections import Execution
from faust_app.runtime.settings import Settings
from faust_app.runtime.trading_state import TradingStateStore, redis_client
from models.messages.control import TradingState
from sandbox.scenario import Scenario
from tests.chaos.crashes import new_namespace
from tests.exchange import Exchange, synthetic
from tests.unit.runtime.configurations import configured
from tests.unit.runtime.redis_server import RedisServer
from trading.market.instruments import InstrumentRegistry
from trading.market.sessions import trading_day

ACCOUNT = "zerodha:main"
TODAY = trading_day(int(time.time()))
CHECKS = [
    *("session", "egress_address", "instruments", "funds", "limits", "calendar"),
    *("reconciliation", "kill_switch", "clock", "lease"),
]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    found = RedisServer(tmp_path_factory.mktemp("redis"))
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    unlimited = Scenario.model_validate({"rules": {"limits": {"enabled": False}}})
    running = Exchange(synthetic(), scenario=unlimited)
    yield running
    running.stop()


class World:
    """An account that may trade live, with PostgreSQL replaced."""

    def __init__(self, exchange: Exchange, redis: RedisServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.exchange = exchange
        self.instruments = list(exchange.sandbox.broker.catalogue)
        self.days = dict.fromkeys({one.exchange for one in self.instruments}, TODAY)
        self.limits: dict[str, dict[str, Any]] = {"": {"max_daily_loss": "20000"}}
        self.round: Compared | None = Compared(time.time(), (), 0)
        self.is_away = False
        watchlist = folder / "instruments.yaml"
        watchlist.write_text("all: true\n")
        self._store_key = new_session_key()
        self.store = SessionStore(folder / "session", self._store_key)
        sessions = exchange.sandbox.sessions
        self.config: Settings = configured(
            namespace=new_namespace(),
            redis={"port": redis.port},
            feed={"instruments_file": watchlist},
            kite={
                "root": exchange.root,
                "api_key": sessions.api_key,
                "api_secret": sessions.api_secret,
                "session_file": folder / "session",
                "session_key": self._store_key,
                "timeout_seconds": 2,
            },
            brokers={"zerodha": {"enabled": True, "execution": "live"}, "paper": {"enabled": True}},
        )
        self.log_in()
        self._replace(monkeypatch)

    def _replace(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def stored(read: Callable[[], Any]) -> Callable[..., Awaitable[Any]]:
            async def answer(*_: object) -> Any:
                if self.is_away:
                    raise TransientError("PostgreSQL is away (ConnectionRefusedError)")
                return read()

            return answer

        async def latest(*_: object) -> Compared | None:
            return self.round

        monkeypatch.setattr(command, "settings", lambda: self.config)
        monkeypatch.setattr(command, "_last_comparison", latest)
        monkeypatch.setattr(
            ReferenceData, "load_registry", stored(lambda: InstrumentRegistry(self.instruments, self.days))
        )
        monkeypatch.setattr(ReferenceData, "load_days", stored(lambda: self.days))
        monkeypatch.setattr(ReferenceData, "load_limits", stored(lambda: {**self.limits}))

    def log_in(self) -> None:
        sessions = self.exchange.sandbox.sessions
        found = login(
            self.exchange.root, sessions.api_key, sessions.api_secret, sessions.new_request_token(), time.time()
        )
        self.token = found.access_token
        self.store.write(found)

    @property
    def secrets(self) -> list[str]:
        sessions = self.exchange.sandbox.sessions
        return [self.token, sessions.api_secret, sessions.api_key, self._store_key]

    async def control(self, work: Callable[[Any], Awaitable[Any]]) -> None:
        """Something in Redis."""
        client = redis_client(self.config)
        try:
            await work(client)
        finally:
            await client.aclose()

    async def set_state(self, state: TradingState, scope: str = "all") -> None:
        await self.control(lambda client: TradingStateStore(self.config, client).write(scope, state, "me", "lunch"))

    def change(self, section: str, **values: Any) -> None:
        """Other settings."""
        before = getattr(self.config, section)
        self.config = self.config.model_copy(update={section: before.model_copy(update=values)})


@pytest.fixture
async def world(exchange: Exchange, redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(exchange, redis, tmp_path, monkeypatch)
    await found.set_state(TradingState.ACTIVE)
    return found


class Told:
    """What one run has said."""

    def __init__(self, code: int, out: str) -> None:
        self.code = code
        self.rows = {row["check"]: row for row in json.loads(out)}

    @property
    def failures(self) -> dict[str, str]:
        return {name: row["why"] for name, row in self.rows.items() if row["outcome"] == "failed"}


Ask = Callable[[], Awaitable[Told]]


@pytest.fixture
def ask(world: World, capsys: pytest.CaptureFixture[str]) -> Ask:
    async def asked() -> Told:
        capsys.readouterr()
        code = await asyncio.to_thread(_run, ["preflight", "--json"])
        captured = capsys.readouterr()
        assert not [secret for secret in world.secrets if secret in captured.out + captured.err]
        return Told(code, captured.out)

    return asked


async def test_an_account_that_may_trade_live_passes_every_check(world: World, ask: Ask) -> None:
    found = await ask()
    assert (found.code, found.failures) == (0, {})
    assert list(found.rows) == CHECKS
    assert {row["outcome"] for row in found.rows.values()} == {"passed"}
    assert found.rows["session"]["why"].startswith("AP0001 until ")
    assert "127.0.0.1 is this machine" in found.rows["egress_address"]["why"]
    assert found.rows["instruments"]["why"].startswith(f"The dump of {TODAY} is loaded for ")
    assert "daily loss 20000" in found.rows["limits"]["why"]
    assert found.rows["kill_switch"]["why"] == "all is active since revision 1, by me"
    assert found.rows["lease"]["why"] == "Nobody runs the account"


async def test_the_table_ends_with_a_verdict(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(_run, ["preflight"]) == 0
    out = capsys.readouterr().out
    assert all(name.replace("_", " ") in out for name in CHECKS)
    assert out.endswith("Nothing keeps zerodha from trading live; brokers.zerodha.execution is live\n")
    world.round = None
    assert await asyncio.to_thread(_run, ["preflight"]) == 1
    assert capsys.readouterr().out.endswith("zerodha must not trade live: reconciliation failed\n")


async def test_a_second_login_elsewhere_fails_the_session(world: World, ask: Ask) -> None:
    world.exchange.sandbox.sessions.expire()
    found = await ask()
    assert found.code == 1
    assert set(found.failures) == {"session", "funds"}
    assert "does not accept the session" in found.failures["session"]


async def test_without_a_login_the_broker_is_not_asked(world: World, ask: Ask) -> None:
    world.store.file.unlink()
    found = await ask()
    assert set(found.failures) == {"session", "funds"}
    assert found.failures["session"] == "Nobody has logged in: run `alpha-panda login`"
    assert found.rows["clock"]["outcome"] == "skipped"


async def test_a_broker_that_is_away_fails_what_it_is_asked(world: World, ask: Ask) -> None:
    world.change("kite", root="http://127.0.0.1:1")
    found = await ask()
    assert found.failures == {
        "session": "The broker does not answer who we are: ConnectionError",
        "funds": "ConnectionError",
    }
    assert found.rows["clock"]["outcome"] == "skipped"


@pytest.mark.parametrize("kind", ["server_error", "bad_gateway", "empty_object", "no_content_type", "empty_body"])
async def test_funds_that_do_not_come_fail_alone(kind: str, world: World, ask: Ask) -> None:
    number = world.exchange.fault(kind, endpoints=["GET /user/margins/*"])
    try:
        found = await ask()
    finally:
        world.exchange.ask("DELETE", f"/faults/{number}")
    assert set(found.failures) == {"funds"}
    assert not (await ask()).failures


async def test_less_than_the_least_funds_fail(world: World, ask: Ask) -> None:
    broker = world.config.brokers["zerodha"].model_copy(update={"least_funds": 10**12})
    world.config = world.config.model_copy(update={"brokers": {**world.config.brokers, "zerodha": broker}})
    found = await ask()
    assert list(found.failures) == ["funds"]
    assert found.failures["funds"].endswith("entries need more than 1000000000000")


async def test_an_old_dump_fails(world: World, ask: Ask) -> None:
    world.days["NSE"] = date(2026, 8, 19)
    found = await ask()
    assert list(found.failures) == ["instruments"]
    assert "NSE of 2026-08-19" in found.failures["instruments"]


async def test_a_list_that_names_unknown_instruments_fails_and_says_which(world: World, ask: Ask) -> None:
    world.config.feed.instruments_file.write_text("instruments:\n  - NSE:GONE\n")
    found = await ask()
    assert set(found.failures) == {"instruments", "calendar"}
    assert "NSE:GONE is not in the instrument dump" in found.failures["instruments"]


async def test_a_postgres_that_is_away_fails_what_it_is_asked(world: World, ask: Ask) -> None:
    world.is_away = True
    found = await ask()
    assert set(found.failures) == {"instruments", "limits", "calendar"}
    assert set(found.failures.values()) == {"PostgreSQL is away (ConnectionRefusedError)"}


async def test_a_limit_that_is_no_amount_fails(world: World, ask: Ask) -> None:
    world.limits["rsi"] = {"max_open_orders": "NaN"}
    assert list((await ask()).failures) == ["limits"]


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.REDUCING])
async def test_a_halt_fails_with_who_and_why(state: TradingState, world: World, ask: Ask) -> None:
    await world.set_state(state, "broker:zerodha")
    found = await ask()
    assert found.failures == {"kill_switch": f"broker:zerodha is {state.value} since revision 2, by me, for lunch"}


async def test_a_redis_that_is_away_fails_what_it_is_asked(world: World, ask: Ask) -> None:
    world.change("redis", port=1)
    assert set((await ask()).failures.values()) == {"Redis does not answer (ConnectionError)"}


async def test_another_machine_that_runs_the_account_fails(world: World, ask: Ask) -> None:
    async def take(client: Any) -> None:
        lease = Lease(world.config, client, ACCOUNT)
        lease._owner = "laptop/0"
        await lease.step()

    await world.control(take)
    found = await ask()
    assert list(found.failures) == ["lease"]
    assert found.failures["lease"].startswith("laptop/0 runs the account, fence 1: stop it there first")


async def test_this_machine_may_run_the_account(world: World, ask: Ask) -> None:
    await world.control(lambda client: Lease(world.config, client, ACCOUNT).step())
    assert (await ask()).rows["lease"]["why"].endswith("fence 1: this machine")


async def test_an_address_to_leave_from_that_is_not_here_fails(world: World, ask: Ask) -> None:
    world.change("kite", bind_address="192.0.2.1")
    found = await ask()
    assert found.failures["egress_address"] == "There is no way to 127.0.0.1 from 192.0.2.1"
    assert set(found.failures) == {"egress_address", "session", "funds"}
    world.change("kite", bind_address="127.0.0.2")
    assert not (await ask()).failures


async def test_a_dry_run_needs_no_address(world: World, ask: Ask) -> None:
    dry = world.config.brokers["zerodha"].model_copy(update={"execution": Execution.DRY_RUN})
    world.config = world.config.model_copy(update={"brokers": {**world.config.brokers, "zerodha": dry}})
    assert (await ask()).rows["egress_address"]["outcome"] == "skipped"


@pytest.mark.parametrize(
    ("broker", "words"),
    [("paper", "paper never trades live; only zerodha can"), ("other", "There is no broker 'other'")],
)
async def test_only_a_live_broker_is_looked_at(
    broker: str, words: str, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(["preflight", "--broker", broker]) == 2
    assert words in capsys.readouterr().err
