"""`alpha-panda record`: write `market.ticks` to compact daily files."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import structlog
import typer

from faust_app.commands.output import run
from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.settings import Settings, settings
from faust_app.runtime.topics import Topic, Topics

if TYPE_CHECKING:
    from recordings.recorder import TickRecorder
    from recordings.store import TickStore

log = structlog.get_logger(__name__)
AGAIN_SECONDS = 5.0
POLL_MS = 500


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def record(
        folder: Annotated[Path, typer.Option("--to", help="Folder of the recordings.")] = Path(".local/recordings"),
        seconds: Annotated[
            float | None, typer.Option("--for", min=1, help="Stop after so many seconds; default: Ctrl-C.")
        ] = None,
    ) -> None:
        """Write every tick of `market.ticks` to Parquet files, one a day; `replay` and `backtest` read the folder.

        Goes on where the folder ends; what Kafka still keeps from before is recorded, too. Stop it whenever you like.
        A sandbox that begins a day anew gives market time that was recorded before: that is left out.
        """
        run(_record(settings(), folder, seconds))


async def _record(config: Settings, folder: Path, seconds: float | None) -> None:
    from recordings.errors import BadRecording
    from recordings.store import TickStore

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, stop.set)
    store = TickStore(folder)
    try:
        recorder = await _recorder(config, store)
        await _follow(config, store, recorder, stop)
    except BadRecording as error:
        raise ConfigurationError(str(error)) from error


async def _recorder(config: Settings, store: TickStore) -> TickRecorder:
    from faust_app.runtime.codec import decode_frame
    from faust_app.runtime.reference_data import ReferenceData
    from recordings.recorder import TickRecorder

    instruments = await ReferenceData(config).load_instruments()
    known = {one.instrument_token: one for one in store.read_instruments()} if store.days() else {}
    known |= {one.instrument_token: one for one in instruments}
    store.write_instruments(known.values())
    keys = {token: one.key for token, one in known.items()}
    return TickRecorder(store, config.kafka.partitions, decode_frame, keys)


async def _follow(config: Settings, store: TickStore, recorder: TickRecorder, stop: asyncio.Event) -> None:
    """Read until told to stop; while Kafka is away, once it has been there, wait for it."""
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.errors import KafkaError

    topic = Topics(config).name(Topic.MARKET_TICKS)
    partitions = [TopicPartition(topic, number) for number in range(config.kafka.partitions)]
    typer.echo(f"Recording {topic} to {store.folder}; stop with Ctrl-C")
    reached = False
    try:
        while not stop.is_set():
            consumer = AIOKafkaConsumer(
                bootstrap_servers=config.kafka.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
            )
            try:
                await consumer.start()
                reached = True
                await read(consumer, partitions, store, recorder, stop)
            except (KafkaError, OSError) as error:
                if not reached:
                    raise TransientError(f"Kafka at {config.kafka.bootstrap} does not answer: {error}") from error
                log.warning("kafka_is_away", error=str(error))
                await _pause(stop)
            finally:
                await consumer.stop()
    finally:
        recorder.finish()
        typer.echo(_said(recorder))


async def _pause(stop: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), AGAIN_SECONDS)


def _said(recorder: TickRecorder) -> str:
    left_out = f"; {recorder.left_out:,} left out: their market time had been recorded" if recorder.left_out else ""
    unnamed = (
        f"; {recorder.unnamed:,} of them have tokens of no loaded instrument, so a backtest cannot use them: see "
        "`alpha-panda instruments load`"
    )
    return f"{recorder.ticks:,} ticks recorded{left_out}{unnamed if recorder.unnamed else ''}"


async def read(
    consumer: Any, partitions: Sequence[Any], store: TickStore, recorder: TickRecorder, stop: asyncio.Event
) -> None:
    """Read on from where the recorder is. Partitions that run ahead wait, so that little is kept in memory."""
    consumer.assign(partitions)
    ends = await _position(consumer, partitions, recorder.next_offsets)
    day: date | None = None
    while not stop.is_set():
        for partition, messages in (await consumer.getmany(timeout_ms=POLL_MS)).items():
            for message in messages:
                _take(recorder, partition.partition, message)
        _hold_back(consumer, ends, recorder)
        if recorder.day not in (None, day):
            day = recorder.day
            for over in [one for one in store.unfinished() if one != day]:
                await asyncio.to_thread(store.finish, over)


async def _position(consumer: Any, partitions: Sequence[Any], offsets: dict[int, int]) -> dict[Any, int]:
    """Go on after what is recorded, as far as Kafka still has it; where each partition ends now."""
    first, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    for one in partitions:
        wanted = offsets.get(one.partition, first[one])
        if not first[one] <= wanted <= ends[one]:
            log.warning("recording_has_a_gap", partition=one.partition, recorded_to=wanted, kafka_from=first[one])
            wanted = first[one]
        consumer.seek(one, wanted)
    found: dict[Any, int] = ends
    return found


def _hold_back(consumer: Any, ends: dict[Any, int], recorder: TickRecorder) -> None:
    offsets = recorder.next_offsets
    reading = [
        one.partition
        for one, end in ends.items()
        if offsets.get(one.partition, 0) < max(end, consumer.highwater(one) or 0)
    ]
    ahead = [one for one in ends if one.partition in recorder.ahead(reading)]
    consumer.resume(*(one for one in ends if one not in ahead))
    consumer.pause(*ahead)


def _take(recorder: TickRecorder, partition: int, message: Any) -> None:
    from faust_app.runtime.errors import DecodeError

    try:
        recorder.add(partition, message.offset, message.value or b"")
    except DecodeError as error:
        log.warning("frame_skipped", partition=partition, offset=message.offset, error=str(error))
