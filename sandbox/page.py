"""The page at `/` for a browser: what this is, where things are, how it stands."""

from __future__ import annotations

from html import escape
from typing import Any

ENDPOINTS = (
    ("POST /session/token", "log in with api_key, request_token and checksum"),
    ("DELETE /session/token", "log out"),
    ("GET /user/profile", "the user"),
    ("GET /instruments, /instruments/NSE", "the instrument dump, CSV"),
    ("GET / (WebSocket)", "ticks: ?api_key=..&access_token=.."),
    ("GET /sandbox/status", "this page's figures, JSON"),
    ("POST /sandbox/request_token", "a new request token for api_key and api_secret"),
)


def page(status: dict[str, Any]) -> str:
    """HTML of the page."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in status.items())
    items = "".join(f"<li><code>{escape(path)}</code>: {escape(what)}</li>" for path, what in ENDPOINTS)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Alpha Panda sandbox</title>"
        "<style>body{font:16px sans-serif;margin:2em;max-width:50em}th{text-align:left;padding-right:2em}</style>"
        "<h1>Alpha Panda sandbox exchange</h1><p>A simulated market. Nothing here is real money.</p>"
        f"<table>{rows}</table><h2>Endpoints</h2><ul>{items}</ul></html>"
    )
