"""`alpha-panda sandbox`: the Kite-compatible exchange on its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faust_app.commands import arguments
from faust_app.runtime.errors import ConfigurationError
from models.messages.validation import LATEST_SECOND
from trading.market.sessions import IST, regular_day_from, trading_day

if TYPE_CHECKING:
    from sandbox.market import Market
    from sandbox.server import Sandbox

HOST = "127.0.0.1"
KEY_VARIABLE = "ALPHA_PANDA_SANDBOX_API_KEY"
SECRET_VARIABLE = "ALPHA_PANDA_SANDBOX_API_SECRET"  # noqa: S105 - the name of the variable
TICKS_PER_SYMBOL = 1.5


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def sandbox(
        port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 takes a free one.")],
        seed: Annotated[int, typer.Option(help="Seed of the synthetic market.")] = 7,
        symbols: Annotated[
            int | None, typer.Option(min=1, max=9000, help="Instruments: 50 synthetic ones, all recorded ones.")
        ] = None,
        replay: Annotated[Path | None, typer.Option(help="Recorded bars or prices: a file or a folder.")] = None,
        speed: Annotated[float, typer.Option(min=0.01, max=1000, help="Market seconds a second.")] = 1.0,
        session_date: Annotated[
            str | None, typer.Option(help="YYYY-MM-DD; default: today or the next trading day, or the first recorded.")
        ] = None,
        begin: Annotated[str, typer.Option("--from", help="Exchange time to begin at, HH:MM.")] = "",
        until: Annotated[str, typer.Option(help="Exchange time to end at, HH:MM; default: the session's end.")] = "",
        rate: Annotated[
            int | None, typer.Option(min=1, max=100_000, help="Synthetic ticks a market second over all instruments.")
        ] = None,
        autostart: Annotated[bool, typer.Option(help="Do not wait for the first subscriber.")] = False,
        scenario: Annotated[
            Path | None, typer.Option(help="YAML with rules, what the account holds, and faults (docs/sandbox.md).")
        ] = None,
    ) -> None:
        """Run a Kite-compatible exchange: REST and, at `/`, the WebSocket, on one port of 127.0.0.1.

        The first line of output is JSON with what a client needs: root, ws_root, api_key, api_secret, request_token.
        The market begins when the first client has subscribed. `GET /` shows orders, positions, faults and the
        endpoints in a browser.
        """
        import uvloop

        from recordings.errors import BadRecording
        from sandbox.errors import BadScenario
        from sandbox.scenario import Scenario, load_scenario
        from sandbox.server import Sandbox
        from sandbox.sessions import Sessions

        day = arguments.day(session_date, "--session-date")
        try:
            if replay is not None:
                market: Market = _replay(replay, day, symbols)
            else:
                market = _synthetic(seed, symbols or 50, day or regular_day_from(datetime.now(IST).date()), rate)
            chosen = load_scenario(scenario) if scenario else Scenario()
            exchange = Sandbox(
                market,
                speed=speed,
                autostart=autostart,
                begin_at=time_of_day(market.session_start, begin) or market.session_start,
                end_at=time_of_day(market.session_start, until) or LATEST_SECOND,
                sessions=Sessions(os.environ.get(KEY_VARIABLE), os.environ.get(SECRET_VARIABLE)),
                scenario=chosen,
            )
        except (BadRecording, BadScenario) as error:
            raise ConfigurationError(str(error)) from error
        uvloop.run(_serve(exchange, port))


def time_of_day(session_start: int, text: str) -> int | None:
    """Epoch second of `HH:MM` on the session's day; None for no text. Raises ConfigurationError."""
    if not text:
        return None
    try:
        at = time.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is not a time like 10:30") from error
    return int(datetime.combine(trading_day(session_start), at, IST).timestamp())


def _replay(path: Path, day: date | None, symbols: int | None) -> Market:
    from sandbox.replay import ReplayMarket

    return ReplayMarket(path, day=day, most_symbols=symbols)


def _synthetic(seed: int, count: int, day: date, rate: int | None) -> Market:
    from sandbox.synthetic import MOST_TICKS_PER_SYMBOL, SyntheticMarket
    from trading.market.sessions import session_start

    per_second = rate or max(1, round(count * TICKS_PER_SYMBOL))
    if per_second > count * MOST_TICKS_PER_SYMBOL:
        raise ConfigurationError(
            f"--rate {per_second} over {count} symbols is more than {MOST_TICKS_PER_SYMBOL} ticks a second of each"
        )
    return SyntheticMarket(seed=seed, count=count, session_start=session_start(day), rate=per_second)


async def _serve(exchange: Sandbox, port: int) -> None:
    try:
        port = await exchange.start(HOST, port)
    except OSError as error:
        raise ConfigurationError(f"Port {port} on {HOST} is not free: {error.strerror}") from error
    sessions = exchange.sessions
    first = {
        "root": f"http://{HOST}:{port}",
        "ws_root": f"ws://{HOST}:{port}",
        "api_key": sessions.api_key,
        "api_secret": sessions.api_secret,
        "request_token": sessions.new_request_token(),
    }
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    typer.echo(json.dumps(first))
    playing = asyncio.create_task(exchange.run())
    waiting = asyncio.create_task(stopped.wait())
    try:
        done, _ = await asyncio.wait({playing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        waiting.cancel()
        await exchange.stop()
