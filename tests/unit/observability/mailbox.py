"""What people get, in tests: a mail server, and a web server for Telegram's calls and heartbeats, on loopback."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Mailbox:
    """Everything that arrived. `password` is that of the mail server's last login."""

    mails: list[str] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)  # to Telegram, with the path called
    heartbeats: int = 0
    password: str = ""
    mail_port: int = 0
    web_port: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait until `condition` holds. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One conversation with the mail server."""
        writer.write(b"220 test\r\n")
        answers = {b"EHLO": b"250-test\r\n250 AUTH PLAIN\r\n", b"AUTH": b"235 ok\r\n", b"QUIT": b"221 bye\r\n"}
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"AUTH":
                self.password = base64.b64decode(line.split()[2]).decode().rpartition("\0")[2]
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                self.mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                self._news.set()
            writer.write(answers.get(verb, b"250 ok\r\n"))
        writer.close()

    async def sent(self, request: web.Request) -> web.Response:
        """Telegram's `sendMessage`."""
        self.messages.append({"path": request.path, **await request.json()})
        self._news.set()
        chat = {"id": 1, "type": "private"}
        return web.json_response({"ok": True, "result": {"message_id": 1, "date": 0, "chat": chat}})

    async def beat(self, _request: web.Request) -> web.Response:
        """A heartbeat."""
        self.heartbeats += 1
        self._news.set()
        return web.Response()


@contextlib.asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    """Both servers on free ports."""
    found = Mailbox()
    mail = await asyncio.start_server(found.talk, "127.0.0.1", 0)
    app = web.Application()
    app.add_routes([web.post("/heartbeat", found.beat), web.post("/{tail:bot.+/sendMessage}", found.sent)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.mail_port = mail.sockets[0].getsockname()[1]
    found.web_port = runner.addresses[0][1]
    try:
        yield found
    finally:
        mail.close()
        await runner.cleanup()
