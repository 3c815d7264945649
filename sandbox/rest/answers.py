"""What every endpoint needs: Kite's bodies, and a call's fields whether they came as a form, JSON or in the query."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from aiohttp import web

from sandbox.errors import Refused, invalid

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
FIELDS = web.RequestKey("fields", dict[str, str])  # of an order call
HOLD_SECONDS = web.RequestKey("hold_seconds", float)  # how long a fault keeps an order from being processed
ORDER_ID = web.RequestKey("order_id", str)  # of the order a call made or changed


def success(data: Any) -> web.Response:
    """Kite's answer to what it has done."""
    return web.json_response({"status": "success", "data": data})


def failure(status: int, kind: str, message: str) -> web.Response:
    """Kite's error body; `kind` is its `error_type`."""
    body = {"status": "error", "message": message, "data": None, "error_type": kind}
    return web.json_response(body, status=status)


def refusal(error: Refused) -> web.Response:
    """The body of a refusal."""
    return failure(error.status, error.kind, str(error))


async def json_body(request: web.Request) -> Any:
    """JSON with exact decimals. Raises Refused."""
    try:
        return json.loads(await request.text(), parse_float=Decimal)
    except ValueError:
        raise invalid("The request is not valid JSON.") from None


async def fields(request: web.Request) -> dict[str, str]:
    """Every field of a call as text. Raises Refused."""
    found = {name: str(value) for name, value in request.query.items()}
    if request.content_type == "application/json" and request.can_read_body:
        body = await json_body(request)
        if not isinstance(body, dict):
            raise invalid("The request is not a JSON object.")
        found |= {name: str(value) for name, value in body.items() if value is not None}
    elif request.can_read_body:
        found |= {name: str(value) for name, value in (await request.post()).items()}
    return found


def credentials(request: web.Request) -> tuple[str, str]:
    """Key and access token of the Authorization header; empty when it is not Kite's."""
    scheme, _, both = request.headers.get("Authorization", "").partition(" ")
    api_key, _, access_token = both.partition(":")
    return (api_key, access_token) if scheme == "token" else ("", "")
