"""The one typed configuration tree.

Layers, later ones win: `config/base.yaml`, `config/<profile>.yaml`, the running local stack's own
`runtime.yaml` (its ports), then the environment (`ALPHA_PANDA__SECTION__KEY`). The profile itself is
`ALPHA_PANDA_PROFILE`. An unknown key anywhere refuses to start. Secrets are file references or
environment variables, never values in the layers.
"""

from __future__ import annotations

import os
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from faust_app.runtime.errors import ConfigurationError
from trading.matching.rules import MatchingRules

PROJECT = Path(__file__).resolve().parents[2]
RUNTIME_OVERLAY = "runtime.yaml"
BROKER_VARIABLE = "ALPHA_PANDA_BROKER"  # of a worker process
INSTANCE_VARIABLE = "ALPHA_PANDA_WORKER_INSTANCE"  # of several of one stage
PORT_VARIABLE = "ALPHA_PANDA_WEB_PORT"  # of its pages
LISTS = ("freeze_quantities", "instruments", "strategies")  # files in config/ that are no profiles
STATE_DIRECTORY = ".local"
ENVIRONMENT = "ALPHA_PANDA__"
LIVE_BROKER = "zerodha"
NO_BROKERS = ("shared", "market", "control")  # first parts of topics without a broker

Port = Annotated[int, Field(ge=1, le=65535)]
Positive = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """Base of all sections: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class KafkaSettings(Section):
    """Where Kafka is and how topics are laid out."""

    bootstrap: str = Field("127.0.0.1:19092", description="host:port of a broker")
    partitions: int = Field(4, ge=1, le=64, description="partitions of every consumed topic")
    replication: int = Field(1, ge=1, le=7, description="replicas of every topic")
    retention_hours: int = Field(72, ge=1, description="how long event topics keep messages")
    tick_retention_minutes: int = Field(60, ge=1, description="how long market.ticks keeps frames")


class PostgresSettings(Section):
    """Where PostgreSQL is. The password, where there is one, comes from a file."""

    host: str = Field("127.0.0.1", description="host name, or a directory for a Unix socket")
    port: Port = Field(15432, description="TCP port")
    database: str = Field("alpha_panda", description="database name")
    user: str = Field("alpha_panda", description="role")
    password_file: Path | None = Field(None, description="file with the password; none for trust")


class RedisSettings(Section):
    """Where Redis is. The password, where there is one, comes from a file."""

    host: str = Field("127.0.0.1", description="host name")
    port: Port = Field(16379, description="TCP port")
    database: int = Field(0, ge=0, description="database number")
    password_file: Path | None = Field(None, description="file with the password; none without one")


class SeedSettings(Section):
    """What `alpha-panda seed` reads."""

    strategies_file: Path = Field(
        Path("config/strategies.yaml"), description="strategy instances added when they do not exist yet"
    )


class KiteSettings(Section):
    """Kite Connect, or a sandbox that speaks like it: where it is, and as whom to ask."""

    root: str | None = Field(None, description="REST root; none is Kite's own")
    ws_root: str | None = Field(None, description="WebSocket root; none is Kite's own")
    api_key: SecretStr | None = Field(None, description="API key of the developer's application")
    api_secret: SecretStr | None = Field(None, description="its secret; only `alpha-panda login` needs it")
    session_file: Path = Field(Path(".local/kite-session"), description="today's session, encrypted")
    session_key: SecretStr | None = Field(
        None, description="key that encrypts the session; `alpha-panda login --new-key` makes one"
    )
    timeout_seconds: Positive = Field(7.0, description="longest wait for a connection, and for an answer")


class FeedSettings(Section):
    """The market feed: which instruments, how ticks are queued."""

    instruments_file: Path = Field(
        Path("config/instruments.yaml"), description="the list of instruments to subscribe to"
    )
    queue_ticks: int = Field(20_000, ge=1, description="ticks kept between socket and event loop; the oldest go first")
    coalesce_ms: float = Field(5.0, ge=0, le=1000, description="longest wait for more ticks before a frame is sent")
    marks_per_second: float = Field(4.0, gt=0, le=50, description="how often market.marks is published")
    silent_seconds: Positive = Field(5.0, description="no frame for so long: the socket is replaced")
    run_id: str | None = Field(None, description="fixed run id for a replay; none gives each start its own")


class Execution(StrEnum):
    """How a broker's orders are executed."""

    SIMULATED = "simulated"  # by the paper exchange, on live ticks
    DRY_RUN = "dry_run"  # everything as if live, but the call
    LIVE = "live"  # by the broker itself

    @property
    def is_at_the_broker(self) -> bool:
        """True when the broker's book counts, not the paper exchange's."""
        return self is not Execution.SIMULATED


class BrokerSettings(Section):
    """One broker: its account and how orders are executed there."""

    enabled: bool = Field(False, description="run this broker's workers")
    execution: Execution = Field(Execution.SIMULATED, description="simulated (paper exchange), dry_run or live")
    account: str = Field("main", pattern=r"^[a-z0-9_-]{1,32}$", description="account name")
    start_cash: Decimal = Field(Decimal("1000000"), gt=0, description="cash of a new account, rupees")
    most_age_seconds: Positive = Field(5.0, description="live: an entry whose tick came longer ago is not sent")
    stop_limit_percent: Decimal = Field(
        Decimal(1), gt=0, le=20, description="live: limit price of a protective stop, percent beyond its trigger"
    )
    delivery_alarm_days: int = Field(
        5, ge=0, le=90, description="calendar days before expiry from which a contract that ends in delivery alarms"
    )


class PaperSettings(Section):
    """The paper exchange: what a simulated fill assumes."""

    latency_ms: int = Field(150, ge=0, le=60_000, description="time from order to exchange")
    latency_jitter_ms: int = Field(0, ge=0, le=60_000, description="up to so much more, by order")
    slippage_percent: Decimal | None = Field(
        Decimal("0.05"), ge=0, le=50, description="paid beyond the visible levels; none fills nothing there"
    )
    level_share_percent: int = Field(100, ge=1, le=100, description="share of each level's quantity an order may have")
    partial_percent: int = Field(0, ge=0, le=100, description="of the ticks an order meets, so many fill only a part")
    auction_band_percent: Decimal = Field(Decimal(3), gt=0, le=50, description="the closing auction's price band")
    seed: int = Field(0, description="what jitter and parts are drawn from, with the order's id")

    def rules(self) -> MatchingRules:
        """As the paper exchange takes them."""
        return MatchingRules(**self.model_dump())


class RiskSettings(Section):
    """Limits that hold until an operator sets others for an account or a strategy (`alpha-panda limits set`)."""

    max_order_quantity: int = Field(5_000, ge=1, description="units in one order")
    max_position_quantity: int = Field(10_000, ge=1, description="units of one instrument, per strategy")
    max_order_notional: Decimal = Field(Decimal("500000"), gt=0, description="rupees in one order")
    max_gross_exposure: Decimal = Field(Decimal("5000000"), gt=0, description="rupees over all positions and entries")
    max_open_orders: int = Field(200, ge=1, description="orders working at once")
    max_daily_trades: int = Field(5_000, ge=1, description="accepted orders a day")
    max_order_rate: int = Field(10, ge=1, description="accepted orders within `order_rate_seconds`")
    order_rate_seconds: int = Field(1, ge=1, le=60, description="event seconds over which orders are counted")
    max_daily_loss: Decimal = Field(Decimal("50000"), gt=0, description="rupees lost in a day, net of charges")
    max_drawdown_percent: Decimal = Field(
        Decimal("20"), gt=0, le=100, description="of the account's highest equity, lost since"
    )
    price_collar_percent: Decimal = Field(
        Decimal("2"), gt=0, le=100, description="limit price from the signal's price or the trigger"
    )
    price_band_percent: Decimal = Field(
        Decimal("20"), gt=0, le=100, description="prices from the last close, where the day's band is not known"
    )
    stale_feed_seconds: int = Field(10, ge=1, description="tick older than the feed's clock by more is stale")
    max_signal_age_seconds: int = Field(30, ge=1, description="signal older than the market's clock by more is refused")
    duplicate_window_seconds: int = Field(1, ge=1, description="same side again within so long is a duplicate")
    equity_margin_percent: Decimal = Field(
        Decimal("20"), gt=0, le=100, description="of an intraday equity position's worth, blocked as margin"
    )
    futures_margin_percent: Decimal = Field(
        Decimal("20"), gt=0, le=100, description="of a futures position's worth, blocked as margin"
    )
    short_option_margin_percent: Decimal = Field(
        Decimal("15"), gt=0, le=100, description="of a written option's strikes, blocked as margin"
    )


class DeliverySettings(Section):
    """The consume loop: retries, the brake, failpoints for tests."""

    retry_first_seconds: Positive = Field(0.1, description="first wait after a transient error")
    retry_most_seconds: Positive = Field(5.0, description="longest wait between tries")
    commit_seconds: Positive = Field(0.5, description="how often positions of handled messages are committed")
    brake_consecutive: int = Field(50, ge=1, description="dead letters in a row on a partition that stop the worker")
    brake_per_minute: int = Field(500, ge=1, description="dead letters a minute on a partition that stop the worker")
    failpoint: str | None = Field(None, description="tests only: points where workers kill themselves")


class LogSettings(Section):
    """Logs."""

    level: str = Field("info", pattern="^(debug|info|warning|error)$", description="lowest level written")
    directory: Path | None = Field(None, description="where worker logs go; none is standard error")
    file_megabytes: int = Field(20, ge=1, description="size at which a log file is rotated")
    files_kept: int = Field(5, ge=1, description="rotated files kept")


class WorkerSettings(Section):
    """Where workers keep state and serve their pages."""

    data_directory: Path = Field(Path(".local/tables"), description="RocksDB tables")
    web_host: str = Field("127.0.0.1", description="interface of /metrics, /livez and /readyz")
    checkpoint_seconds: int = Field(10, ge=1, description="event seconds between strategy checkpoints")
    snapshot_seconds: int = Field(1, ge=1, description="event seconds between snapshots while marks move")


class StackSettings(Section):
    """The local stack."""

    state_directory: Path = Field(Path(STATE_DIRECTORY), description="data, logs and sockets of the local stack")
    web_port_base: Port = Field(16600, description="first port tried for the workers' pages")
    sandbox_port: Port = Field(18000, description="port of the sandbox exchange")
    sandbox_seed: int = Field(0, description="seed of the synthetic market")
    sandbox_symbols: int = Field(50, ge=1, le=9000, description="instruments of the synthetic market")
    sandbox_rate: int | None = Field(None, ge=1, le=100_000, description="synthetic ticks a market second over all")
    sandbox_speed: float = Field(1.0, gt=0, le=1000, description="market seconds a second")


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
    worker: WorkerSettings = WorkerSettings()  # type: ignore[call-arg]
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
    """Read all layers. Raises ConfigurationError with one sentence that names the key."""
    profile = profile or os.environ.get("ALPHA_PANDA_PROFILE", "base")
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
    below: dict[str, Any] = {}
    for _, layer in layers:
        below = merge(below, layer)
    return [*layers, (RUNTIME_OVERLAY, read_layer(_overlay_path(below)))]


def _overlay_path(layers: dict[str, Any]) -> Path:
    stack = layers.get("stack")
    configured = stack.get("state_directory", STATE_DIRECTORY) if isinstance(stack, dict) else STATE_DIRECTORY
    state = os.environ.get(f"{ENVIRONMENT}STACK__STATE_DIRECTORY", configured)
    return Path(str(state)) / RUNTIME_OVERLAY


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
