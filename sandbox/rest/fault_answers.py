"""How a struck call is answered, or not: the bodies and the broken connections of each kind of fault."""

from __future__ import annotations

import asyncio
import socket
import struct

from aiohttp import web

from sandbox.fault_kinds import Kind
from sandbox.faults import Fault
from sandbox.rest.answers import failure

TIMED_OUT_TEXT = "Order request timed out. Please check the order book and confirm before placing again."
UNTYPED = web.ResponseKey("untyped", bool)
LOOK_SECONDS = 0.05
HTML = "<html><head><title>502 Bad Gateway</title></head><body><center>502 Bad Gateway</center></body></html>"
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: no FIN, the peer sees a reset
ERROR_TYPES = {502: "DataException", 503: "NetworkException", 504: "NetworkException"}


async def broken_answer(fault: Fault, answer: web.Response | None, request: web.Request, most: float) -> web.Response:
    """What the client gets in place of `answer`. Does not return before the client is gone when it gets nothing."""
    match fault.kind:
        case Kind.NO_ANSWER:
            await wait_or_gone(request, fault.wait or most)
            _abort(request, reset=False)
        case Kind.RESET:
            _abort(request, reset=True)
        case Kind.TIMED_OUT:
            is_refused = answer is not None and answer.status != 200
            return answer if answer and is_refused else failure(400, "InputException", TIMED_OUT_TEXT)
        case Kind.TOO_MANY_REQUESTS:
            return failure(429, "NetworkException", "Too many requests")
        case Kind.SERVER_ERROR:
            kind = ERROR_TYPES.get(fault.status, "GeneralException")
            return failure(fault.status, kind, "Something went wrong on our side. Try again later.")
        case Kind.BAD_GATEWAY:
            return web.Response(status=502, text=HTML, content_type="text/html")
        case Kind.EMPTY_OBJECT:
            return web.json_response({})
        case Kind.NO_CONTENT_TYPE:
            bare = web.Response(body=answer.body if answer else b"{}")
            bare[UNTYPED] = True
            return bare
    return web.Response(body=b"", content_type="application/json")


async def remove_type(_: web.Request, answer: web.StreamResponse) -> None:
    """A hook before headers are written: answers that are to have no content type lose it here."""
    if answer.get(UNTYPED):
        answer.headers.popall("Content-Type", None)


async def wait_or_gone(request: web.Request, most: float) -> None:
    """Wait, but not longer than the client does."""
    loop = asyncio.get_running_loop()
    end = loop.time() + most
    while request.transport is not None and not request.transport.is_closing() and loop.time() < end:
        await asyncio.sleep(LOOK_SECONDS)


def _abort(request: web.Request, *, reset: bool) -> None:
    if request.transport is None:
        return
    connection = request.transport.get_extra_info("socket")
    if reset and connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    request.transport.abort()
