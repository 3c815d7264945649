"""The page at `/` for a browser: how the exchange stands, its orders, positions and faults, and where things are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from sandbox.broker import Broker
from sandbox.clock import ist
from sandbox.fault_kinds import CALL_KINDS
from sandbox.faults import Active
from sandbox.money import shown
from sandbox.orders import Order
from sandbox.positions import Position

REFRESH_SECONDS = 2
MOST_ROWS = 30
ENDPOINTS = (
    ("POST, DELETE /session/token", "log in and out"),
    ("GET /user/profile, /user/margins", "the user and the funds"),
    ("POST /orders/{variety}", "place an order"),
    ("PUT, DELETE /orders/{variety}/{id}", "modify, cancel"),
    ("GET /orders, /orders/{id}, /trades", "the order book, an order's history, trades"),
    ("GET, PUT /portfolio/positions", "positions, conversion"),
    ("GET /portfolio/holdings", "holdings"),
    ("/gtt/triggers", "good-till-triggered orders"),
    ("GET /instruments", "the dump, CSV"),
    ("GET /quote, /quote/ohlc, /quote/ltp", "prices"),
    ("GET /instruments/historical/{token}/{interval}", "candles of the ticks so far"),
    ("POST /margins/orders, /margins/basket", "margins"),
    ("POST /charges/orders", "virtual contract note"),
    ("GET / (WebSocket)", "ticks and order updates: ?api_key=..&access_token=.."),
    ("GET /sandbox/status", "this page's figures, JSON"),
    ("/sandbox/faults", "switch faults on and off"),
    ("/sandbox/orders, /holdings, /positions, /funds", "what happens by hand"),
    ("POST /sandbox/ticks, /sandbox/clock", "a tick, a later time"),
    ("GET /sandbox/orders", "the book"),
    ("GET /sandbox/calls", "every order call that arrived"),
    ("POST /sandbox/token/expire, /sandbox/request_token", "end the session, begin one"),
)
STYLE = """
:root{color-scheme:light dark;--line:#8883;--dim:#888;--good:#1a7f4b;--bad:#c0392b;--wait:#b7791f}
body{font:14px/1.5 system-ui,sans-serif;margin:0 auto;padding:1.5rem;max-width:75rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1rem;margin:1.8rem 0 .4rem}p{color:var(--dim);margin:.2rem 0 1rem}
.figures{display:flex;flex-wrap:wrap;gap:.6rem}
.figure{border:1px solid var(--line);border-radius:.5rem;padding:.4rem .9rem;min-width:6rem}
.figure b{display:block;font-size:1.1rem;font-variant-numeric:tabular-nums}.figure span{color:var(--dim)}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .7rem .25rem 0;white-space:nowrap}
th{color:var(--dim);font-weight:500;border-bottom:1px solid var(--line)}td{border-bottom:1px solid var(--line)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td.w{white-space:normal}
.COMPLETE,.BUY{color:var(--good)}.REJECTED,.SELL{color:var(--bad)}.OPEN,.TRIGGER{color:var(--wait)}
code{font-size:.9em}.none{color:var(--dim)}.wide{overflow-x:auto}
"""
ORDER_HEAD = ("time", "order", "instrument", "side", "#quantity", "#filled", "type", "#price", "status", "tag", "why")
POSITION_HEAD = ("instrument", "product", "#quantity", "#average", "#last", "#profit")
FAULT_HEAD = ("#id", "kind", "where", "#hits", "#of occasions", "settings")


def page(status: dict[str, Any], broker: Broker) -> str:
    """HTML of the page; it loads itself again."""
    figures = "".join(_figure(name, value) for name, value in (status | _money(broker)).items())
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Alpha Panda sandbox</title>",
        f"<meta http-equiv=refresh content={REFRESH_SECONDS}><style>{STYLE}</style>",
        "<h1>Alpha Panda sandbox exchange</h1><p>A simulated market. Nothing here is real money.</p>",
        f"<div class=figures>{figures}</div>",
        _table("Orders", ORDER_HEAD, _orders(broker), "No order yet."),
        _table("Positions", POSITION_HEAD, _positions(broker), "No position."),
        _table("Active faults", FAULT_HEAD, _faults(broker), "None: everything works as it should."),
        _table("Endpoints", ("call", "what"), [(_code(call), escape(what)) for call, what in ENDPOINTS], ""),
    ]
    return "".join(parts) + "</html>"


def _figure(name: str, value: object) -> str:
    return f"<div class=figure><b>{escape(str(value))}</b><span>{escape(name.replace('_', ' '))}</span></div>"


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _money(broker: Broker) -> dict[str, str]:
    return {"funds": shown(broker.account.funds().net)}


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], nothing: str) -> str:
    """A heading that begins with # is a column of numbers."""
    kinds = ["n" if name.startswith("#") else "w" if name == "why" else "" for name in head]
    cells = "".join(f"<th class='{kind}'>{name.lstrip('#')}</th>" for name, kind in zip(head, kinds, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td class='{kind}'>{cell}</td>" for cell, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    found = f"<div class=wide><table><tr>{cells}</tr>{body}</table></div>" if body else f"<p class=none>{nothing}</p>"
    return f"<h2>{title}</h2>{found}"


def _orders(broker: Broker) -> list[tuple[str, ...]]:
    return [_order(one) for one in list(broker.book)[-MOST_ROWS:][::-1]]


def _order(one: Order) -> tuple[str, ...]:
    terms = one.terms
    return (
        ist(one.placed_at).strftime("%H:%M:%S"),
        _code(one.order_id),
        escape(terms.instrument.key),
        _coloured(terms.side),
        str(terms.quantity),
        str(one.filled_quantity),
        terms.order_type.value,
        shown(one.average_price or terms.price),
        _coloured(one.status),
        escape(terms.tag or terms.source),
        escape(one.message or ""),
    )


def _coloured(word: str) -> str:
    return f"<span class='{word.split(maxsplit=1)[0]}'>{word}</span>"


def _positions(broker: Broker) -> list[tuple[str, ...]]:
    return [_position(one, broker.board.last_price(one.instrument)) for one in broker.account.positions]


def _position(one: Position, last: int) -> tuple[str, ...]:
    profit = one.realised + one.unrealised(last)
    return (
        escape(one.instrument.key),
        one.product.value,
        str(one.quantity),
        shown(one.average_price),
        shown(last),
        shown(profit),
    )


def _faults(broker: Broker) -> list[tuple[str, ...]]:
    return [_fault(one) for one in broker.faults]


def _fault(one: Active) -> tuple[str, ...]:
    fault = one.fault
    where = [*(fault.endpoints if fault.kind in CALL_KINDS else ()), *fault.instruments]
    chosen = fault.model_dump(mode="json", exclude_unset=True, exclude={"kind", "endpoints", "instruments"})
    settings = ", ".join(f"{name} {value}" for name, value in chosen.items())
    return (str(one.number), fault.kind.value, escape(", ".join(where)), str(one.hits), str(one.seen), escape(settings))
