"""Turns bodies into outputs: an envelope around each, the topic of its broker, the right partition."""

from __future__ import annotations

from typing import Any

import msgspec

from faust_app.runtime.codec import derived, encode
from faust_app.runtime.topics import Topic, Topics
from models.messages.envelope import Envelope
from tables.journal import Output


class Events:
    """Builds the outputs of one stage at one broker."""

    def __init__(self, topics: Topics, stage: str, broker: str) -> None:
        self._topics = topics
        self._stage = stage
        self._broker = broker

    def by_account(
        self, topic: Topic, body: msgspec.Struct, *, message_id: str, cause: Envelope[Any], account: str, at: int
    ) -> Output:
        """An output keyed by its account."""
        envelope = derived(body, message_id=message_id, cause=cause, key=account, source=self._stage, at=at)
        return Output(self._topics.name(topic, self._broker), account.encode(), encode(envelope))

    def by_group(
        self, topic: Topic, body: msgspec.Struct, *, message_id: str, cause: Envelope[Any], group: str, at: int
    ) -> Output:
        """An output in the partition of its instrument's co-location group."""
        envelope = derived(body, message_id=message_id, cause=cause, key=group, source=self._stage, at=at)
        return self.in_group(topic, envelope, group)

    def in_group(self, topic: Topic, envelope: Envelope[Any], group: str) -> Output:
        """An envelope in the partition of a co-location group."""
        name = self._topics.name(topic, self._broker)
        return Output(name, group.encode(), encode(envelope), self._topics.partition(group))
