"""The one typed configuration tree.

Layers, later ones win: `config/base.yaml`, `config/<profile>.yaml`, the running local stack's own
`runtime.yaml` (its ports), then the environment (`ALPHA_PANDA__SECTION__KEY`). The profile itself is
`ALPHA_PANDA_PROFILE`. An unknown key anywhere refuses to start. Secrets are file references or
environment variables, never values in the layers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.sections import (
    STATE_DIRECTORY,
    AlertingSettings,
    BrokerSettings,
    DeliverySettings,
    FeedSettings,
    KafkaSettings,
    KiteSettings,
    LogSettings,
    NoticesSettings,
    PaperSettings,
    PostgresSettings,
    RedisSettings,
    RiskSettings,
    SeedSettings,
    StackSettings,
    WorkerSettings,
)

PROJECT = Path(__file__).resolve().parents[2]
RUNTIME_OVERLAY = "runtime.yaml"
BROKER_VARIABLE = "ALPHA_PANDA_BROKER"  # of a worker process
INSTANCE_VARIABLE = "ALPHA_PANDA_WORKER_INSTANCE"  # of several of one stage
PORT_VARIABLE = "ALPHA_PANDA_WEB_PORT"  # of its pages
LISTS = ("freeze_quantities", "instruments", "strategies")  # files in config/ that are no profiles
ENVIRONMENT = "ALPHA_PANDA__"
LIVE_BROKER = "zerodha"
NO_BROKERS = ("shared", "market", "control")  # first parts of topics without a broker


class Settings(BaseSettings):
    """The whole configuration."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        nested_model_default_partial_update=True,
    )

    profile: str = Field("base", description="which config/<profile>.yaml is layered on base")
    namespace: str = Field("", pattern=r"^([a-z0-9-]+\.)?$", description="prefix of topics and groups, for a replay")
    kafka: KafkaSettings = KafkaSettings()  # type: ignore[call-arg]
    postgres: PostgresSettings = PostgresSettings()  # type: ignore[call-arg]
    redis: RedisSettings = RedisSettings()  # type: ignore[call-arg]
    kite: KiteSettings = KiteSettings()  # type: ignore[call-arg]
    feed: FeedSettings = FeedSettings()  # type: ignore[call-arg]
    seed: SeedSettings = SeedSettings()  # type: ignore[call-arg]
    brokers: dict[str, BrokerSettings] = Field(
        default_factory=lambda: {"paper": BrokerSettings.model_validate({"enabled": True})},
        description="brokers by name",
    )
    paper: PaperSettings = PaperSettings()  # type: ignore[call-arg]
    risk: RiskSettings = RiskSettings()  # type: ignore[call-arg]
    delivery: DeliverySettings = DeliverySettings()  # type: ignore[call-arg]
    log: LogSettings = LogSettings()  # type: ignore[call-arg]
    notices: NoticesSettings = NoticesSettings()  # type: ignore[call-arg]
    worker: WorkerSettings = WorkerSettings()  # type: ignore[call-arg]
    alerting: AlertingSettings = AlertingSettings()  # type: ignore[call-arg]
    stack: StackSettings = StackSettings()  # type: ignore[call-arg]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the YAML layers, which arrive as initial values."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.enabled_brokers:
            raise ValueError("no broker is enabled: set brokers.paper.enabled")
        for name, broker in self.brokers.items():
            if not (name.isascii() and name.isidentifier()) or name in NO_BROKERS:
                raise ValueError(f"broker name {name!r} cannot be used in topic names")
            if broker.enabled and broker.execution.is_at_the_broker and name != LIVE_BROKER:
                raise ValueError(f"brokers.{name}.execution: only {LIVE_BROKER} can trade live")
        return self

    @property
    def enabled_brokers(self) -> tuple[str, ...]:
        """Names of the enabled brokers, in a stable order."""
        return tuple(sorted(name for name, broker in self.brokers.items() if broker.enabled))

    def account_key(self, broker: str) -> str:
        """Key of the broker's account on topics: `paper:main`."""
        return f"{broker}:{self.brokers[broker].account}"


def read_layer(path: Path) -> dict[str, Any]:
    """One YAML layer; empty when the file is absent. Raises ConfigurationError, which never quotes the file."""
    if not path.exists():
        return {}
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigurationError(f"{path} is not valid YAML: {_yaml_problem(error)}") from None
    if not isinstance(loaded, dict):
        raise ConfigurationError(f"{path} must hold a mapping, not a {type(loaded).__name__}")
    for key in loaded:
        if not isinstance(key, str):
            raise ConfigurationError(f"{path} has the key {key!r}, which is not text")
    return loaded


def _yaml_problem(error: yaml.YAMLError | ValueError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    if not isinstance(error, (yaml.YAMLError, UnicodeDecodeError)):
        return "it holds a date or a number that does not exist"
    return "it holds bytes that are not text"


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` on `base`, mapping by mapping."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def load_settings(profile: str | None = None, *, config: Path | None = None) -> Settings:
    """Read all layers; the profile is by default that of the stack that runs. ConfigurationError names the key."""
    profile = profile or os.environ.get("ALPHA_PANDA_PROFILE") or _running_profile(config)
    _refuse_unknown_variables()
    layers: dict[str, Any] = {}
    for _, layer in layers_of(profile, config=config):
        layers = merge(layers, layer)
    try:
        return Settings(**{**layers, "profile": profile})
    except ValidationError as error:
        raise ConfigurationError(_one_sentence(error)) from error
    except SettingsError as error:
        raise ConfigurationError(f"Configuration refused: {error}") from None


def _refuse_unknown_variables() -> None:
    """Of the environment, pydantic reads what it knows and ignores the rest."""
    for name in os.environ:
        if not name.upper().startswith(ENVIRONMENT):
            continue
        section = name[len(ENVIRONMENT) :].partition("__")[0].lower()
        if section not in Settings.model_fields:
            raise ConfigurationError(f"Configuration refused: {section}: unknown key (in the variable {name})")


def layers_of(profile: str, *, config: Path | None = None) -> list[tuple[str, dict[str, Any]]]:
    """The YAML layers by name, lowest first. Raises ConfigurationError for an unknown profile."""
    folder = config or PROJECT / "config"
    if not (folder / f"{profile}.yaml").exists():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml") if path.stem not in LISTS))
        raise ConfigurationError(f"There is no profile {profile!r}; known profiles: {known}")
    names = ["base"] if profile == "base" else ["base", profile]
    layers = [(f"{name}.yaml", read_layer(folder / f"{name}.yaml")) for name in names]
    return [*layers, (RUNTIME_OVERLAY, read_layer(_state_directory(layers) / RUNTIME_OVERLAY))]


def _running_profile(config: Path | None) -> str:
    """The profile of the stack that runs: a command in another terminal speaks of the same brokers."""
    *_, (_, overlay) = layers_of("base", config=config)
    found = overlay.get("profile", "base")
    return found if isinstance(found, str) else "base"


def state_directory(profile: str | None = None) -> Path:
    """Where the local stack keeps its state, whatever a run may have left there. Raises ConfigurationError."""
    return _state_directory(layers_of(profile or os.environ.get("ALPHA_PANDA_PROFILE", "base")))


def _state_directory(layers: Iterable[tuple[str, dict[str, Any]]]) -> Path:
    below: dict[str, Any] = {}
    for _, layer in layers:
        below = merge(below, layer)
    stack = below.get("stack")
    configured = stack.get("state_directory", STATE_DIRECTORY) if isinstance(stack, dict) else STATE_DIRECTORY
    return Path(os.environ.get(f"{ENVIRONMENT}STACK__STATE_DIRECTORY", str(configured)))


def _one_sentence(error: ValidationError) -> str:
    problems = []
    for item in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in item["loc"]) or "settings"
        what = "unknown key" if item["type"] == "extra_forbidden" else item["msg"]
        problems.append(f"{where}: {what}")
    return "Configuration refused: " + "; ".join(problems)


@cache
def settings() -> Settings:
    """The process's settings, read once."""
    return load_settings()
