"""`alpha-panda topics list|tail`: what flows."""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
import typer

from faust_app.commands.kafka_reader import partitions, reader
from faust_app.commands.output import AsJson, run, show, to_json
from faust_app.runtime.errors import ConfigurationError, DecodeError
from faust_app.runtime.settings import Settings, settings
from faust_app.runtime.topics import Topic, Topics, UnknownTopic

LIST_COLUMNS = ("name", "partitions", "cleanup", "retention_ms", "messages")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Topics: list them, follow one.", no_args_is_help=True)
    app.add_typer(group, name="topics")

    @group.command("list")
    def list_all(as_json: AsJson = False) -> None:
        """Every topic with its partitions, policy and number of messages."""
        show(run(_list(settings())), LIST_COLUMNS, as_json=as_json, empty="No topics")

    @group.command()
    def tail(
        topic: Annotated[str, typer.Argument(help="For example paper.orders.filled or market.ticks.")],
        from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest message.")] = False,
        limit: Annotated[int | None, typer.Option(min=1, help="End after so many messages.")] = None,
    ) -> None:
        """Print messages as JSON lines as they come, until Ctrl-C; ticks are decoded."""
        config = settings()
        run(_tail(config, known_topic(config, topic), from_start, limit))


def known_topic(config: Settings, name: str) -> str:
    """The name, when it is one of ours; ConfigurationError with near matches otherwise."""
    from faust_app.runtime.topology import topic_specs

    names = [spec.name for spec in topic_specs(config)]
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; `alpha-panda topics list` names them all"
    raise ConfigurationError(f"Unknown topic {name!r}{hint}")


async def _list(config: Settings) -> list[dict[str, Any]]:
    from faust_app.runtime.topology import topic_specs

    rows = []
    async with reader(config) as consumer:
        present = await consumer.topics()
        for spec in topic_specs(config):
            count = None
            if spec.name in present:
                tps = await partitions(config, consumer, spec.name)
                begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
                count = sum(ends[tp] - begins[tp] for tp in tps)
            rows.append({**_plain(spec), "messages": count})
    return rows


def _plain(spec: Any) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in ("name", "partitions", "cleanup", "retention_ms")}


async def _tail(config: Settings, topic: str, from_start: bool, limit: int | None) -> None:
    printed = 0
    async for message in _follow(config, topic, from_start):
        typer.echo(to_json(readable_message(config, message)))
        printed += 1
        if limit is not None and printed >= limit:
            return


async def _follow(config: Settings, topic: str, from_start: bool) -> AsyncIterator[Any]:
    async with reader(config) as consumer:
        tps = await partitions(config, consumer, topic)
        consumer.assign(tps)
        await (consumer.seek_to_beginning(*tps) if from_start else consumer.seek_to_end(*tps))
        async for message in consumer:
            yield message


def readable_message(config: Settings, message: Any) -> dict[str, Any]:
    """A message as plain data: where it is, its key, and its value decoded as far as possible."""
    where = {"partition": message.partition, "offset": message.offset}
    key = message.key.decode(errors="replace") if message.key is not None else None
    return {**where, "key": key, "value": _value(config, message)}


def _value(config: Settings, message: Any) -> Any:
    from faust_app.commands.dlq import readable
    from faust_app.runtime.codec import decode_frame

    try:
        name = Topics(config).parse(message.topic)
        if name.topic is Topic.MARKET_TICKS and not name.is_dlq:
            return readable_frame(decode_frame(message.value))
        return msgspec.json.decode(message.value)
    except (UnknownTopic, DecodeError, msgspec.DecodeError, TypeError):
        return readable(message.value)


def readable_frame(frame: Any) -> dict[str, Any]:
    """A tick frame with field names; prices stay integers in 1/10,000 rupee, as the field names say."""
    plain: dict[str, Any] = {name: getattr(frame, name) for name in frame.__struct_fields__ if name != "ticks"}
    plain["ticks"] = [_named(tick) for tick in frame.ticks]
    return plain


def _named(struct: Any) -> dict[str, Any]:
    named = {}
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        named[name] = [_named(level) for level in value] if name in ("buy", "sell") else value
    return named
