"""`alpha-panda dlq list|show|replay`: messages that could not be handled.

What was replayed is remembered as the committed position and a set of single offsets of the group
`alpha-panda.dlq-replay`, kept in Kafka beside the messages themselves, so nothing is sent twice.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from faust_app.commands.kafka_reader import messages, reader
from faust_app.commands.output import AsJson, Yes, confirm, run, show
from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.settings import Settings, settings
from faust_app.runtime.topics import DLQ, Topics, UnknownTopic

REPLAYED = "replayed-from"
GROUP = "alpha-panda.dlq-replay"
LIST_COLUMNS = ("topic", "messages", "replayed", "newest_reason", "newest_error", "newest_failed_at")
SHOW_COLUMNS = ("offset", "origin", "reason", "error", "failed_at", "replayed", "value")
SHOWN_BYTES = 2000
TopicArgument = Annotated[str, typer.Argument(help="The dead-letter topic, with or without `.dlq`.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Dead letters: list, show, send again.", no_args_is_help=True)
    app.add_typer(group, name="dlq")

    @group.command("list")
    def list_all(as_json: AsJson = False) -> None:
        """Every dead-letter topic that holds messages, with the newest reason."""
        show(run(_list(settings())), LIST_COLUMNS, as_json=as_json, empty="No dead letters")

    @group.command("show")
    def show_one(
        topic: TopicArgument,
        offset: Annotated[int | None, typer.Option(min=0, help="Only this message.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 20,
        as_json: AsJson = False,
    ) -> None:
        """Messages of one dead-letter topic: origin, reason, bytes."""
        config = settings()
        rows = run(_show(config, _dlq_name(config, topic), offset, limit))
        show(rows, SHOW_COLUMNS, as_json=as_json, empty="No dead letters")

    @group.command()
    def replay(
        topic: TopicArgument,
        offset: Annotated[int | None, typer.Option(min=0, help="Only this message, even if sent again before.")] = None,
        everything: Annotated[bool, typer.Option("--all", help="All that were not sent again yet.")] = False,
        yes: Yes = False,
    ) -> None:
        """Send dead letters back where they came from: same topic, partition, key and bytes."""
        if (offset is None) != everything:
            raise ConfigurationError("Say --offset N for one message or --all for all that were not sent again yet")
        config = settings()
        name = _dlq_name(config, topic)
        confirm(f"Send messages of {name} back to their topic?", yes=yes)
        typer.echo(f"{run(_replay(config, name, offset))} messages sent again")


def _dlq_name(config: Settings, topic: str) -> str:
    topics = Topics(config)
    try:
        topics.parse(topic)
    except UnknownTopic as error:
        raise ConfigurationError(str(error)) from error
    return topics.dlq(topic)


async def _list(config: Settings) -> list[dict[str, Any]]:
    from faust_app.runtime.topology import topic_specs

    names = [spec.name for spec in topic_specs(config) if spec.name.endswith(DLQ)]
    rows = []
    async with reader(config) as consumer:
        present = await consumer.topics()
        for name in names:
            found = await messages(config, consumer, name) if name in present else []
            if found:
                done = await _replayed(config, name)
                rows.append(_list_row(name, found, done))
    return rows


def _list_row(name: str, found: list[Any], done: set[int]) -> dict[str, Any]:
    headers = _headers(found[-1])
    return {
        "topic": name,
        "messages": len(found),
        "replayed": sum(message.offset in done for message in found),
        "newest_reason": headers.get("reason", ""),
        "newest_error": headers.get("error", ""),
        "newest_failed_at": headers.get("failed-at", ""),
    }


def _headers(message: Any) -> dict[str, str]:
    return {name: value.decode(errors="replace") for name, value in message.headers}


async def _show(config: Settings, name: str, offset: int | None, limit: int) -> list[dict[str, Any]]:
    async with reader(config) as consumer:
        newest = limit if offset is None else None
        found = await messages(config, consumer, name, newest=newest, offset=offset)
    done = await _replayed(config, name)
    if offset is not None:
        found = [message for message in found if message.offset == offset]
    return [_show_row(message, done) for message in found]


def _show_row(message: Any, done: set[int]) -> dict[str, Any]:
    headers = _headers(message)
    return {
        "offset": message.offset,
        "origin": "/".join(headers.get(f"origin-{part}", "?") for part in ("topic", "partition", "offset")),
        "stage": headers.get("stage", ""),
        "reason": headers.get("reason", ""),
        "error": headers.get("error", ""),
        "failed_at": headers.get("failed-at", ""),
        "replayed": message.offset in done,
        "key": readable(message.key),
        "value": readable(message.value),
    }


def readable(raw: bytes | None) -> str:
    """Text where the bytes are text, hexadecimal where they are not; long values are cut and say so."""
    if raw is None:
        return ""
    shown, rest = raw[:SHOWN_BYTES], len(raw) - SHOWN_BYTES
    text = shown.decode(errors="replace")
    if not text.isprintable():
        text = "0x" + shown.hex()
    return text + (f"... ({rest} more bytes)" if rest > 0 else "")


async def _replay(config: Settings, name: str, offset: int | None) -> int:
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    async with reader(config) as consumer:
        found = await messages(config, consumer, name, offset=offset)
    done = await _replayed(config, name)
    chosen = [m for m in found if (m.offset == offset if offset is not None else m.offset not in done)]
    if offset is not None and not chosen:
        raise ConfigurationError(f"{name} holds no message at offset {offset}")
    producer = AIOKafkaProducer(bootstrap_servers=config.kafka.bootstrap, acks="all", enable_idempotence=True)
    try:
        await producer.start()
        for message in chosen:
            await _send_back(producer, name, message)
            await _note_replayed(config, name, done | {message.offset})
            done.add(message.offset)
    except KafkaError as error:
        raise TransientError(f"Kafka at {config.kafka.bootstrap} does not answer") from error
    finally:
        await producer.stop()
    return len(chosen)


async def _send_back(producer: Any, name: str, message: Any) -> None:
    headers = _headers(message)
    await producer.send_and_wait(
        headers["origin-topic"],
        key=message.key,
        value=message.value,
        partition=int(headers["origin-partition"]),
        headers=[(REPLAYED, f"{name}/{message.offset}".encode())],
    )


async def _replayed(config: Settings, name: str) -> set[int]:
    """Offsets already sent again, from the metadata of the group's committed position."""
    from aiokafka import TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient

    from faust_app.runtime.admin import group_offsets

    admin = AIOKafkaAdminClient(bootstrap_servers=config.kafka.bootstrap)
    await admin.start()
    try:
        committed = await group_offsets(admin, GROUP)
    finally:
        await admin.close()
    position = committed.get(TopicPartition(name, 0))
    if position is None:
        return set()
    single = {int(one) for one in position.metadata.split(",") if one}
    return set(range(position.offset)) | single


async def _note_replayed(config: Settings, name: str, done: set[int]) -> None:
    """Commit the end of the unbroken run from 0, and the single offsets above it as metadata."""
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.structs import OffsetAndMetadata

    upto = 0
    while upto in done:
        upto += 1
    single = ",".join(str(one) for one in sorted(done) if one > upto)
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka.bootstrap, group_id=GROUP, enable_auto_commit=False)
    await consumer.start()
    try:
        tp = TopicPartition(name, 0)
        consumer.assign([tp])
        await consumer.commit({tp: OffsetAndMetadata(upto, single)})
    finally:
        await consumer.stop()
