"""Garbage at every door of the Zerodha path: nothing raises, and what is refused is counted or says so by its type."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import pytest

from agents.feed.framing import Framing
from agents.feed.order_updates import OrderUpdates, order_in
from agents.live.dispatcher import Dispatcher
from agents.live.poller import compare
from brokers.answers import Refused, Taken, Unknown
from brokers.errors import BrokerFailure, SessionRefused
from brokers.zerodha import client as client_module
from brokers.zerodha.client import Endpoint, ZerodhaClient
from brokers.zerodha.frames import FrameDecoder
from brokers.zerodha.portfolio import read_book
from faust_app.runtime import metrics
from faust_app.runtime.codec import decode, decode_frame, encode, encode_frame, event_time, root
from faust_app.runtime.topics import Topics
from models.messages.orders import OrderPushed, OrderUpdate, PlannedOrder
from models.messages.ticks import Mode
from sandbox.bodies import update_body
from sandbox.frames import frames, packet
from sandbox.rules import CallLimits, Rules
from sandbox.scenario import Scenario
from tests.chaos.incarnation import Incarnation
from tests.chaos.live_world import LiveWorld, live_settings
from tests.contract.fuzzing import Canned, Garbage, Wire, client_of, on_the_wire, packets
from tests.contract.test_sandbox_orders import KEY
from tests.contract.test_sandbox_shapes import Raw
from tests.exchange import Exchange, synthetic
from tests.factories import order, tick
from tests.shared_data import ROOT
from tests.unit.runtime.configurations import configured
from tests.unit.runtime.redis_server import RedisServer
from trading.orders.state import OrderRecord, fold, submitted

SEED = int(os.environ.get("ALPHA_PANDA_FUZZ_SEED", "20260820"))
SAMPLE, ALL = 1_000, 34_000
COUNTS = [SAMPLE, pytest.param(ALL, marks=pytest.mark.prove)]
WIRE_SAMPLE, WIRE_ALL = 200, 5_000
OURS = "ourtag"
READS = ("/orders", "/trades", "/portfolio/holdings", "/portfolio/positions", "/user/margins/equity", "/user/profile")
MOCKS = ("orders", "trades", "holdings", "positions", "margins_equity", "profile", "order_response", "order_info")
NOT_TAKEN = (400, 403, 429)
WRITTEN = {"status": "success", "data": {"order_id": "151220000000000"}}


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    rules = Rules(limits=CallLimits(enabled=False), freeze_quantities={"NSE:ADANIPORTS": 50})
    running = Exchange(synthetic(), scenario=Scenario(rules=rules))
    for key in (KEY, "NSE:AXISBANK", "NSE:ADANIPORTS"):
        running.tick(key, 1000)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def bodies(exchange: Exchange) -> dict[str, Any]:
    """Real answers by path: of a sandbox in which everything has happened once, and Kite's own samples."""
    raw = Raw(exchange)
    raw.live()
    raw.place(price=1001.5, tag=OURS)
    found = {path: raw.ask("GET", path) for path in READS} | {"": WRITTEN}
    samples = ROOT / "kiteconnect-mocks"
    if not samples.exists():
        print("Kite's samples are not beside this checkout: the sandbox's answers only")
        return found
    return found | {name: json.loads((samples / f"{name}.json").read_text()) for name in MOCKS}


@pytest.fixture(scope="module")
def updates(exchange: Exchange, bodies: dict[str, Any]) -> list[Any]:
    """Text frames of every order in the book."""
    book = exchange.call(lambda: [update_body(one, one.status) for one in exchange.sandbox.broker.book])
    others = [{"type": "error", "data": "Token is invalid"}, {"type": "message", "data": {"text": "hello"}}]
    return [{"type": "order", "data": one} for one in book] + others


def is_sound(update: OrderUpdate) -> OrderUpdate:
    """As the agent will read it from its topic. Raises DecodeError when it could not."""
    envelope = root(update, message_id="id", broker="zerodha", key="k", source="test", at=event_time(1))
    return decode(OrderUpdate, encode(envelope)).data


def record() -> OrderRecord:
    """An order of ours whose call had no answer yet."""
    found = submitted(order(tag=OURS))
    found.attempted_at = 1
    return found


def folded(update: OrderUpdate) -> None:
    """What a report makes of an order holds in messages of its own."""
    after = fold(record(), is_sound(update))
    told = [*after.fills, *filter(None, (after.acknowledged, after.failed))]
    for one in told:
        decode(type(one), encode(root(one, message_id="id", broker="z", key="k", source="test", at=event_time(1))))


async def one_call(client: ZerodhaClient, rng: Random, planned: PlannedOrder) -> str:
    """One call of any kind; the kind of its answer."""
    match rng.randrange(9):
        case 0 | 1 | 2 as kind:
            writes = (client.place("regular", {}), client.modify("regular", "1", {}), client.cancel("regular", "1"))
            for other in (one for number, one in enumerate(writes) if number != kind):
                other.close()
            answer = await writes[kind]
            assert isinstance(answer, Taken | Refused | Unknown)
            dispatcher: Any = Dispatcher.__new__(Dispatcher)
            dispatcher._now = lambda: 1.0
            is_sound(Dispatcher._update(dispatcher, planned, answer))
            return type(answer).__name__
        case 3:
            rows = await client.orders()
            seen = compare(rows, {OURS: record()}, asked_at=2, now=2, patience_seconds=30)
            for report in seen.reports:
                folded(report)
            assert len(read_book(orders=rows).unread) == seen.unread
            return "rows unread" if seen.unread else "rows"
        case 4:
            return _read(read_book(trades=await client.trades()))
        case 5:
            return _read(read_book(holdings=await client.holdings()))
        case 6:
            return _read(read_book(positions=await client.positions()))
        case 7:
            return _read(read_book(funds=await client.funds()))
    found = await client.greet()
    return "row" if isinstance(found.user, dict) else type(found.user).__name__


def _read(book: Any) -> str:
    return "rows unread" if book.unread else "rows"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("count", COUNTS)
async def test_rest_bodies(bodies: dict[str, Any], count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a write, the answer is taken, refused or unknown; of a read, rows, a refusal of the session or a failure."""
    print(f"seed {SEED}")
    rng = Random(SEED)
    canned = Canned(rng, bodies)
    monkeypatch.setattr(client_module, "KiteConnect", client_of(canned))
    monkeypatch.setattr(client_module, "READ_SECONDS", 0)
    client = ZerodhaClient(Endpoint("http://127.0.0.1:1", "key", lambda: "token", most_in_flight=1))
    planned, outcomes = order(), Counter[str]()
    for number in range(count):
        try:
            outcome = await one_call(client, rng, planned)
        except (BrokerFailure, SessionRefused) as error:
            assert str(error)
            outcome = type(error).__name__
        except Exception as error:
            raise AssertionError(f"case {number}: {canned.status} {canned.sent[:2_000]!r}") from error
        outcomes[outcome] += 1
        assert outcome != Taken.__name__ or canned.status < 300, canned.sent
        assert outcome != Refused.__name__ or canned.status in NOT_TAKEN, (canned.status, canned.sent)
    client.close()
    print(dict(outcomes))
    assert outcomes.total() == count
    assert set(outcomes) == {
        "Taken", "Refused", "Unknown", "rows", "row", "rows unread", "BrokerFailure", "SessionRefused",
    }  # fmt: skip


@pytest.fixture
def wire(bodies: dict[str, Any]) -> Iterator[Wire]:
    rng = Random(SEED)
    garbage = Garbage(rng, list(bodies.values()))
    server = Wire(on_the_wire(rng, garbage.json()) for _ in iter(int, 1))
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("count", [WIRE_SAMPLE, pytest.param(WIRE_ALL, marks=pytest.mark.prove)])
async def test_answers_on_the_wire(wire: Wire, count: int) -> None:
    """The same with the client's own HTTP below it, and a server that may break that, too."""
    print(f"seed {SEED}")
    root_url = f"http://127.0.0.1:{wire.server_address[1]}"
    client = ZerodhaClient(Endpoint(root_url, "key", lambda: "token", timeout_seconds=0.5))
    rng, planned, outcomes = Random(SEED), order(), Counter[str]()
    for number in range(count):
        try:
            outcomes[await one_call(client, rng, planned)] += 1
        except (BrokerFailure, SessionRefused) as error:
            outcomes[type(error).__name__] += 1
        except Exception as error:
            raise AssertionError(f"case {number}: {wire.last[:2_000]!r}") from error
    client.close()
    print(dict(outcomes))
    assert outcomes.total() == count
    assert outcomes["Refused"] == 0, "what was sent and answered with nonsense is unknown"
    assert min(outcomes["Unknown"], outcomes["BrokerFailure"]) > count / 10


@pytest.fixture
async def world(exchange: Exchange, redis: RedisServer, tmp_path: Path) -> AsyncIterator[LiveWorld]:
    send = exchange.sandbox.broker.updates._send
    found = LiveWorld(exchange, live_settings(exchange, tmp_path / "session", redis.port, "fuzz."))
    found.life = Incarnation(found)
    yield found
    exchange.sandbox.broker.updates._send = send
    await found.end()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("count", COUNTS)
async def test_text_frames(world: LiveWorld, updates: list[Any], count: int) -> None:
    """A frame is counted as an order's or another; an order's update that cannot be read is counted, too."""
    print(f"seed {SEED}")
    rng, outcomes = Random(SEED), Counter[str]()
    garbage = Garbage(rng, updates)
    forwarder = OrderUpdates(Topics(configured()), ["zerodha"], str, source="test")
    assert world.life is not None
    live = world.life.live
    live._by_tag[OURS] = order().order_id
    unreadable = metrics.BROKER_ROWS_UNREADABLE.labels("zerodha")._value
    frames_seen = {kind: metrics.FEED_TEXT_FRAMES.labels(kind)._value for kind in ("order", "other")}
    before, seen = unreadable.get(), {kind: value.get() for kind, value in frames_seen.items()}
    for number in range(count):
        frame = garbage.json()
        try:
            for output in forwarder.outputs(frame, 1.0):
                outcomes["order"] += 1
                update = live.read(decode(OrderPushed, output.value).data)
                if update is not None:
                    outcomes["ours"] += 1
                    folded(update)
        except Exception as error:
            raise AssertionError(f"case {number}: {frame[:2_000]!r}") from error
        outcomes["other"] += order_in(frame) is None
    print(dict(outcomes), f"unreadable: {unreadable.get() - before:.0f}")
    assert {kind: value.get() - seen[kind] for kind, value in frames_seen.items()} == {
        kind: outcomes[kind] for kind in frames_seen
    }
    assert min(unreadable.get() - before, outcomes["ours"], outcomes["other"]) > count / 100


@pytest.mark.timeout(300)
@pytest.mark.parametrize("count", COUNTS)
def test_binary_frames(count: int) -> None:
    """Ticks that come out hold in messages; what does not become one was refused or repeated, and counted."""
    print(f"seed {SEED}")
    rng, decoder, ticks, refused_frames = Random(SEED), FrameDecoder(), 0, 0
    framing = Framing("run", 4, lambda token: token % 4, lambda: "id")
    real = [packet(tick(price=15_000_000 + number * 100), mode) for number in range(6) for mode in Mode]
    whole = [next(iter(frames(rng.choices(real, k=rng.randint(1, 6))))) for _ in range(50)]
    for number in range(count):
        payload = packets(rng, rng.choice(whole))
        refused = decoder.refused
        try:
            found = decoder.decode(payload)
            for _, frame in [*framing.add((one, 1) for one in found), *framing.flush()]:
                assert decode_frame(encode_frame(frame)) == frame
        except Exception as error:
            raise AssertionError(f"case {number}: {payload!r}") from error
        ticks += len(found)
        refused_frames += decoder.refused > refused
        taken = sum(2 + length for length in _lengths(payload))
        assert decoder.refused > refused or len(payload) < 2 or taken + 2 == len(payload), payload
    print(f"{ticks} ticks, {decoder.refused} refused in {refused_frames} frames, {decoder.repeated} repeated")
    assert min(ticks, decoder.refused, 20 * decoder.repeated) > count / 20


def _lengths(payload: bytes) -> list[int]:
    """Lengths of the packets a frame says it has."""
    found, at = [], 2
    for _ in range(int.from_bytes(payload[:2], "big")):
        if at + 2 > len(payload):
            break
        found.append(int.from_bytes(payload[at : at + 2], "big"))
        at += 2 + found[-1]
    return found
