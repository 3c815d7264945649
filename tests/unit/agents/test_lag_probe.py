"""The probe's connection; what it measures is in tests/integration/test_lag.py."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from agents import lag
from agents.lag import LagProbe
from faust_app.runtime.settings import Settings
from tests.unit.runtime.configurations import configured


class Client:
    """Stands for a Kafka client that cannot start."""

    def __init__(self, **_: Any) -> None:
        self.is_closed = False

    async def start(self) -> None:
        raise KafkaConnectionError("nobody is there")

    async def close(self) -> None:
        self.is_closed = True

    stop = close


@pytest.fixture
def settings() -> Settings:
    return configured()


async def test_clients_that_cannot_connect_are_closed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The monitor tries each second while Kafka is away."""
    clients: list[Client] = []

    def made(**options: Any) -> Client:
        clients.append(Client(**options))
        return clients[-1]

    monkeypatch.setattr(lag, "AIOKafkaAdminClient", made)
    monkeypatch.setattr(lag, "AIOKafkaConsumer", made)
    with pytest.raises(KafkaConnectionError):
        await LagProbe.connect(settings)
    assert [one.is_closed for one in clients] == [True, True]
