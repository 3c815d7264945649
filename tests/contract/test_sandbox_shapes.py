"""The sandbox's answers have the keys and types of Kite's own samples, which are not part of the project."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sandbox.bodies import update_body
from sandbox.rules import CallLimits, Rules
from sandbox.scenario import Scenario
from sandbox.vocabulary import Status
from tests.contract.test_sandbox_orders import INFY, KEY
from tests.exchange import Exchange, synthetic
from tests.floor import Floor
from tests.shapes import Shape, differences, values_of
from tests.shared_data import shared_data

OUT_OF_SCOPE = {
    "alerts_": "the client 5.2.2 has no alerts",
    "mf_": "mutual funds are not traded",
    "auctions_list": "there is no auction session",
    "full_profile": "the client does not ask for it",
    "holdings_auth": "authorisation of holdings happens in a browser",
    "holdings_compact": "the client does not ask for it",
    "holdings_summary": "the client does not ask for it",
    "trigger_range": "Kite has withdrawn the endpoint",
    "ticker_": "binary frames; test_frames.py reads the recorded packets",
}
# keys that the newest order of the samples has and the older samples do not
NEWER = frozenset(
    {"account_id", "validity_ttl", "status_message_raw", "exchange_update_timestamp", "market_protection", "meta",
     "guid", "tags"}
)  # fmt: skip
ORDER = {"exchange": "NSE", "tradingsymbol": INFY, "transaction_type": "BUY", "quantity": 10, "product": "MIS"}
LIMIT = ORDER | {"order_type": "LIMIT", "price": 990.5}
ASKED = [ORDER | {"variety": "regular", "order_type": "LIMIT", "price": 990.5, "trigger_price": 0}]
LEG = {"transaction_type": "SELL", "quantity": 1, "order_type": "LIMIT", "product": "MIS", "price": 1020}


class Raw:
    """Answers as they come over the wire, and an account in which everything has happened once."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        sessions = exchange.sandbox.sessions
        self.client = exchange.client()
        self.headers = {"Authorization": f"token {sessions.api_key}:{self.client.access_token}"}
        self.token = self.client.ltp(KEY)[KEY]["instrument_token"]

    def ask(self, method: str, path: str, **given: Any) -> Any:
        answer = requests.request(method, self.exchange.root + path, headers=self.headers, timeout=10, **given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def live(self) -> None:
        """Orders of every end, trades, positions carried over and of today, holdings, triggers."""
        ask = self.exchange.ask
        ask("POST", "/holdings", {"instrument": KEY, "quantity": 5, "average_price": 161.5, "t1_quantity": 1})
        carried = {"instrument": "NSE:AXISBANK", "product": "MIS", "quantity": 3, "average_price": 99.5}
        ask("POST", "/positions", carried)
        self.filled = self.place(price=1001.5, tag="filled")["data"]["order_id"]
        self.changed = self.place(price=990)["data"]["order_id"]
        self.ask("PUT", f"/orders/regular/{self.changed}", data={"price": 991})
        self.cancelled = self.place(price=980)["data"]["order_id"]
        self.ask("DELETE", f"/orders/regular/{self.cancelled}")
        self.place(price=5000)
        self.place("iceberg", iceberg_legs=2, iceberg_quantity=5)
        self.gtt = self.gtt_call("POST")["data"]["trigger_id"]
        self.gtt_call("POST", [1500])
        self.exchange.tick(KEY, 1010, quantity=5)

    def place(self, variety: str = "regular", **fields: Any) -> Any:
        return self.ask("POST", f"/orders/{variety}", data=LIMIT | fields)

    def gtt_call(self, method: str, triggers: list[int] | None = None, path: str = "") -> Any:
        chosen = triggers or [980, 1005]
        condition = {"exchange": "NSE", "tradingsymbol": INFY, "trigger_values": chosen, "last_price": 1000}
        data = {
            "type": "single" if len(chosen) == 1 else "two-leg",
            "condition": json.dumps(condition),
            "orders": json.dumps([LEG] * len(chosen)),
        }
        return self.ask(method, f"/gtt/triggers{path}", data=data)


@pytest.fixture(scope="module")
def raw() -> Iterator[Raw]:
    rules = Rules(limits=CallLimits(enabled=False), freeze_quantities={"NSE:ADANIPORTS": 50})
    running = Exchange(synthetic(), scenario=Scenario(rules=rules))
    running.tick(KEY, 1000)
    running.tick("NSE:AXISBANK", 100)
    running.tick("NSE:ADANIPORTS", 1000)
    found = Raw(running)
    found.live()
    yield found
    running.stop()


def _autoslice(raw: Raw) -> Any:
    raw.exchange.ask("POST", "/funds", {"opening_cash": 25_000})
    sliced = LIMIT | {"tradingsymbol": "ADANIPORTS", "quantity": 120, "price": 990, "autoslice": "true"}
    answer = raw.ask("POST", "/orders/regular", data=sliced)
    raw.exchange.ask("POST", "/funds", {"opening_cash": 10_000_000})
    return answer


def _session(raw: Raw) -> Any:
    bodies: list[Any] = []
    client = raw.exchange.client()
    sessions = raw.exchange.sandbox.sessions
    client.reqsession.hooks["response"] = [lambda answer, *_, **__: bodies.append(answer.json())]
    client.generate_session(sessions.new_request_token(), sessions.api_secret)
    raw.headers = {"Authorization": f"token {sessions.api_key}:{client.access_token}"}
    return bodies[0]


def _logout(raw: Raw) -> Any:
    key, _, token = raw.headers["Authorization"].removeprefix("token ").partition(":")
    answer = raw.ask("DELETE", f"/session/token?api_key={key}&access_token={token}")
    _session(raw)
    return answer


def _candles(raw: Raw, oi: int) -> Any:
    span = {"from": "2026-08-20 09:00:00", "to": "2026-08-20 16:00:00", "oi": oi}
    return raw.ask("GET", f"/instruments/historical/{raw.token}/minute", params=span)


def _conversion(raw: Raw) -> Any:
    moved = ORDER | {"quantity": 1, "position_type": "day", "old_product": "MIS", "new_product": "CNC"}
    return raw.ask("PUT", "/portfolio/positions", data=moved)


def _update(_: Raw) -> Any:
    """An order update is Kite's postback with a blank checksum."""
    floor = Floor()
    floor.tick(1000)
    return update_body(floor.place(price=1001), Status.COMPLETE)


ANSWERS: dict[str, Callable[[Raw], Any]] = {
    "autoslice_response": _autoslice,
    "basket_margins": lambda raw: raw.ask("POST", "/margins/basket", json=ASKED),
    "convert_position": _conversion,
    "generate_session": _session,
    "gtt_delete_order": lambda raw: raw.ask(
        "DELETE", f"/gtt/triggers/{raw.gtt_call('POST', [1300])['data']['trigger_id']}"
    ),
    "gtt_get_order": lambda raw: raw.ask("GET", f"/gtt/triggers/{raw.gtt}"),
    "gtt_get_orders": lambda raw: raw.ask("GET", "/gtt/triggers"),
    "gtt_modify_order": lambda raw: raw.gtt_call(
        "PUT", [1400], f"/{raw.gtt_call('POST', [1300])['data']['trigger_id']}"
    ),
    "gtt_place_order": lambda raw: raw.gtt_call("POST", [1300]),
    "historical_minute": lambda raw: _candles(raw, 0),
    "historical_oi": lambda raw: _candles(raw, 1),
    "holdings": lambda raw: raw.ask("GET", "/portfolio/holdings"),
    "ltp": lambda raw: raw.ask("GET", f"/quote/ltp?i={KEY}"),
    "margin_commodity": lambda raw: raw.ask("GET", "/user/margins/commodity"),
    "margins": lambda raw: raw.ask("GET", "/user/margins"),
    "margins_equity": lambda raw: raw.ask("GET", "/user/margins/equity"),
    "ohlc": lambda raw: raw.ask("GET", f"/quote/ohlc?i={KEY}"),
    "order_cancel": lambda raw: raw.ask("DELETE", f"/orders/regular/{raw.place(price=985)['data']['order_id']}"),
    "order_info": lambda raw: raw.ask("GET", f"/orders/{raw.changed}"),
    "order_margins": lambda raw: raw.ask("POST", "/margins/orders", json=ASKED),
    "order_modify": lambda raw: raw.ask("PUT", f"/orders/regular/{raw.changed}", data={"price": 992}),
    "order_response": lambda raw: raw.place(price=970),
    "order_trades": lambda raw: raw.ask("GET", f"/orders/{raw.filled}/trades"),
    "orders": lambda raw: raw.ask("GET", "/orders"),
    "positions": lambda raw: raw.ask("GET", "/portfolio/positions"),
    "postback": _update,
    "profile": lambda raw: raw.ask("GET", "/user/profile"),
    "quote": lambda raw: raw.ask("GET", f"/quote?i={KEY}"),
    "session_logout": _logout,
    "trades": lambda raw: raw.ask("GET", "/trades"),
    "virtual_contract_note": lambda raw: raw.ask(
        "POST", "/charges/orders", json=[ASKED[0] | {"order_id": "1", "average_price": 990.5}]
    ),
}
KEYED_BY_INSTRUMENT = ("ltp", "ohlc", "quote")
CSV = ("instruments_all", "instruments_nse")


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_has_the_shape_of_the_sample(raw: Raw, name: str) -> None:
    sample = json.loads(shared_data("kiteconnect-mocks", f"{name}.json").read_text())
    answer = ANSWERS[name](raw)
    if name in KEYED_BY_INSTRUMENT:
        sample, answer = values_of(sample), values_of(answer)
    assert list(differences(Shape().see(sample), Shape().see(answer), NEWER)) == []


@pytest.mark.parametrize("name", CSV)
def test_dump_has_the_columns_of_the_sample(raw: Raw, name: str) -> None:
    sample = shared_data("kiteconnect-mocks", f"{name}.csv").read_text().splitlines()[0]
    path = "/instruments" if name == "instruments_all" else "/instruments/NSE"
    assert requests.get(raw.exchange.root + path, timeout=10).text.splitlines()[0] == sample


def test_every_sample_is_compared_or_out_of_scope() -> None:
    names = {one.stem for one in shared_data("kiteconnect-mocks").iterdir()}
    left_out = {name for name in names if name.startswith(tuple(OUT_OF_SCOPE))}
    assert names - left_out == ANSWERS.keys() | set(CSV)


SAMPLE = {"a": [{"b": 1, "c": None}, {"b": 2.5, "c": "x", "d": {}}]}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"a": [{"b": 3, "c": None}]}, []),
        ({"a": [{"b": None, "c": "y", "d": {"free": 1}}]}, []),
        ({"a": [{"b": "3", "c": None}]}, [".a[].b: ['str'] instead of ['number']"]),
        ({"a": [{"b": True, "c": None}]}, [".a[].b: ['bool'] instead of ['number']"]),
        ({"a": [{"b": 1}]}, [".a[].c is missing"]),
        ({"a": [{"b": 1, "c": 1}, {"b": 1, "c": ""}]}, [".a[].c: ['number', 'str'] instead of ['str']"]),
        ({"a": [{"b": 1, "c": "", "e": 1}]}, [".a[].e is not in the sample"]),
        ({"a": {}}, [".a: ['dict'] instead of ['list']"]),
        ({"a": []}, [".a is empty: nothing to compare"]),
    ],
)  # fmt: skip
def test_comparison_finds_what_differs(answer: Any, expected: list[str]) -> None:
    assert list(differences(Shape().see(SAMPLE), Shape().see(answer), frozenset())) == expected
