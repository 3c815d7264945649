"""`alpha-panda record`: write `market.ticks` to compact daily files."""

from __future__ import annotations

import asyncio
import signal
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import structlog
import typer

from faust_app.commands.output import run
from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.settings import Settings, settings

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
    """Read until told to stop; while Kafka is away, wait for it."""
    from aiokafka.errors import KafkaError

    from faust_app.runtime.topics import Topic, Topics

    topic = Topics(config).name(Topic.MARKET_TICKS)
    typer.echo(f"Recording {topic} to {store.folder}; stop with Ctrl-C")
    try:
        while not stop.is_set():
            try:
                await _read(config, topic, store, recorder, stop)
            except (KafkaError, OSError) as error:
                raise TransientError(f"Kafka at {config.kafka.bootstrap} does not answer: {error}") from error
    finally:
        recorder.finish()
        typer.echo(f"{recorder.ticks:,} ticks recorded")


async def _read(config: Settings, topic: str, store: TickStore, recorder: TickRecorder, stop: asyncio.Event) -> None:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    consumer = AIOKafkaConsumer(
        bootstrap_servers=config.kafka.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(config.kafka.partitions)]
        consumer.assign(partitions)
        await _position(consumer, partitions, store.next_offsets())
        day: date | None = None
        while not stop.is_set():
            for partition, messages in (await consumer.getmany(timeout_ms=POLL_MS)).items():
                for message in messages:
                    _take(recorder, partition.partition, message)
            day = _finish_days(store, day)
    finally:
        await consumer.stop()


async def _position(consumer: Any, partitions: list[Any], offsets: dict[int, int]) -> None:
    """Go on after what is recorded, as far as Kafka still has it."""
    first, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    for one in partitions:
        wanted = offsets.get(one.partition, first[one])
        if not first[one] <= wanted <= end[one]:
            log.warning("recording_has_a_gap", partition=one.partition, recorded_to=wanted, kafka_from=first[one])
            wanted = first[one]
        consumer.seek(one, wanted)


def _take(recorder: TickRecorder, partition: int, message: Any) -> None:
    from faust_app.runtime.errors import DecodeError

    try:
        recorder.add(partition, message.offset, message.value or b"")
    except DecodeError as error:
        log.warning("frame_skipped", partition=partition, offset=message.offset, error=str(error))


def _finish_days(store: TickStore, known: date | None) -> date | None:
    """Put days that are over into one file each; returns the day under way."""
    from recordings.recorder import finished_days

    days = store.days()
    latest = days[-1] if days else None
    if latest is not None and latest != known:
        for day in finished_days(store, latest):
            store.finish(day)
    return latest
