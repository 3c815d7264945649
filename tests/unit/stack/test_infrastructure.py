from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faust_app.runtime.settings import Settings, merge
from stack.errors import CannotStart
from stack.infrastructure import Endpoints, any_endpoints, check_applied, choose_endpoints, configured_ports
from stack.ports import any_free


def settings(**layer: Any) -> Settings:
    return Settings.model_validate(layer)


def test_endpoints_are_a_layer_of_settings(tmp_path: Path) -> None:
    at = any_endpoints(tmp_path)
    found = settings(**at.overlay())
    assert found.kafka.bootstrap == f"127.0.0.1:{at.kafka}"
    assert (found.postgres.port, found.redis.port) == (at.postgres, at.redis)
    assert found.postgres.password_file == at.postgres_password
    assert at.postgres_password.exists()
    check_applied(found, at)


def test_configured_ports_that_are_free_are_used(tmp_path: Path) -> None:
    kafka, postgres, redis = any_free(), any_free(), any_free()
    configured = settings(kafka={"bootstrap": f"127.0.0.1:{kafka}"}, postgres={"port": postgres}, redis={"port": redis})
    at = choose_endpoints(configured, tmp_path)
    assert (at.kafka, at.postgres, at.redis) == (kafka, postgres, redis)


def test_defaults_are_known_as_such() -> None:
    assert all(port == default for _, port, default in configured_ports(settings()))
    pinned = settings(redis={"port": 7000})
    assert [(name, port) for name, port, default in configured_ports(pinned) if port != default] == [("Redis", 7000)]


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("kafka", "bootstrap", "elsewhere:9092"), ("postgres", "host", "db.example"), ("redis", "port", 1)],
)
def test_environment_that_points_elsewhere_is_refused_by_name(
    tmp_path: Path, section: str, key: str, value: object
) -> None:
    """Otherwise the workers would trade on servers that are not the stack's."""
    at: Endpoints = any_endpoints(tmp_path)
    found = settings(**merge(at.overlay(), {section: {key: value}}))
    with pytest.raises(
        CannotStart,
        match=rf"{section}\.{key} itself: unset ALPHA_PANDA__{section}__{key}$".replace(
            f"ALPHA_PANDA__{section}__{key}", f"ALPHA_PANDA__{section.upper()}__{key.upper()}"
        ),
    ):
        check_applied(found, at)
