"""The sections of the configuration, each a frozen model that refuses unknown keys."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress, SecretStr, model_validator

from faust_app.runtime.notices import NoticeKind
from trading.matching.rules import MatchingRules

STATE_DIRECTORY = ".local"

Port = Annotated[int, Field(ge=1, le=65535)]
Positive = Annotated[float, Field(gt=0)]
Percent = Annotated[Decimal, Field(gt=0, le=100)]


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

    root: str | None = Field(None, description="REST root of a sandbox, with a clock of its own; none is Kite's")
    ws_root: str | None = Field(None, description="WebSocket root; none is Kite's own")
    api_key: SecretStr | None = Field(None, description="API key of the developer's application")
    api_key_file: Path | None = Field(None, description="file that holds it instead")
    api_secret: SecretStr | None = Field(None, description="its secret; only `alpha-panda login` needs it")
    api_secret_file: Path | None = Field(None, description="file that holds it instead")
    session_file: Path = Field(Path(".local/kite-session"), description="today's session, encrypted")
    session_key: SecretStr | None = Field(
        None, description="key that encrypts the session; `alpha-panda login --new-key` makes one"
    )
    session_key_file: Path | None = Field(None, description="file that holds it instead")
    timeout_seconds: Positive = Field(7.0, description="longest wait for a connection, and for an answer")
    egress_address: IPvAnyAddress | None = Field(
        None, description="static address registered with Kite; it takes orders from nowhere else"
    )
    bind_address: IPvAnyAddress | None = Field(
        None, description="address of this machine that order calls leave from; none is the system's choice"
    )
    clock_tolerance_seconds: Positive = Field(
        2.0, description="live: most the wall clock may differ from the broker's, and jump"
    )

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, given: Any) -> Any:
        """A secret that is not given is read from its file."""
        if not isinstance(given, dict):
            return given
        found = dict(given)
        for name in ("api_key", "api_secret", "session_key"):
            file = found.get(f"{name}_file")
            if file is not None and found.get(name) is None:
                found[name] = _secret_in(Path(str(file)), f"{name}_file")
        return found


def _secret_in(file: Path, name: str) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise ValueError(f"{name} {file}: {error.strerror}") from error


class FeedSettings(Section):
    """The market feed: which instruments, how ticks are queued."""

    instruments_file: Path = Field(
        Path("config/instruments.yaml"), description="the list of instruments to subscribe to"
    )
    queue_ticks: int = Field(20_000, ge=1, description="ticks kept between socket and event loop; the oldest go first")
    coalesce_ms: float = Field(5.0, ge=0, le=1000, description="longest wait for more ticks before a frame is sent")
    marks_per_second: float = Field(4.0, gt=0, le=50, description="how often market.marks is published")
    silent_seconds: Positive = Field(5.0, description="no frame for so long: the socket is replaced")
    tickless_seconds: Positive = Field(
        6.0, description="no tick for so long while the market is open: the feed is not ready"
    )
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
    reconcile_seconds: Positive = Field(10.0, description="live: how often our books are compared with the broker's")
    least_funds: Decimal = Field(Decimal(0), ge=0, description="live: entries need more usable funds than this, rupees")
    exit_deadline_seconds: int = Field(
        10,
        ge=1,
        le=600,
        description="live: an exit at the market still open so long after its call is repriced",
    )
    exit_protection_percents: tuple[Percent, ...] = Field(
        (Decimal(1), Decimal(2), Decimal(3), Decimal(5)),
        min_length=1,
        max_length=20,
        description="live: market protection of an exit each time it is repriced; one try more than there are steps",
    )
    square_off_lead_seconds: int = Field(
        120, ge=0, le=3600, description="live: so long before they must be flat intraday positions are left"
    )
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


class NoticesSettings(Section):
    """Notices to people, sent by the monitor (docs/runbooks/notices.md)."""

    enabled: bool = Field(False, description="send notices")
    addresses_file: Path | None = Field(
        None, description="file with one address of apprise a line; secrets, so readable by its owner alone"
    )
    kinds: tuple[NoticeKind, ...] = Field(
        tuple(NoticeKind), min_length=1, description="what is told; `alpha-panda notify list` explains each"
    )
    quiet_seconds: Positive = Field(300.0, description="least time between two notices of a kind about the same")
    fills_seconds: Positive = Field(10.0, description="so long fills, differences and alarms are gathered into one")
    denials_per_minute: int = Field(60, ge=1, description="more denials of an account than this are told")
    unknown_seconds: Positive = Field(30.0, description="an order without an answer for so long is told")
    feed_silent_seconds: Positive = Field(10.0, description="no tick for so long while the market is open is told")
    report_minutes: int = Field(10, ge=0, le=600, description="after the close, when the day's report is sent")

    @model_validator(mode="after")
    def _check_addresses(self) -> Self:
        if self.enabled and self.addresses_file is None:
            raise ValueError("notices.enabled needs notices.addresses_file, a file with one address a line")
        return self


class WorkerSettings(Section):
    """Where workers keep state and serve their pages."""

    data_directory: Path = Field(Path(".local/tables"), description="RocksDB tables")
    web_host: str = Field("127.0.0.1", description="interface of /metrics, /livez and /readyz")
    most_lag_messages: int = Field(
        2_000, ge=1, description="messages waiting for a worker; more than these for 5 s and it is not ready"
    )
    checkpoint_seconds: int = Field(10, ge=1, description="event seconds between strategy checkpoints")
    snapshot_seconds: int = Field(1, ge=1, description="event seconds between snapshots while marks move")


class AlertingSettings(Section):
    """Whom Alertmanager tells of alerts (docs/runbooks/alerts.md). Nobody by default: alerts are only shown."""

    telegram_chat_id: int | None = Field(None, description="Telegram chat that critical alerts go to")
    telegram_token_file: Path | None = Field(None, description="file with the Telegram bot's token")
    email_to: str | None = Field(None, description="who gets e-mails about critical alerts and warnings")
    email_from: str | None = Field(None, description="their sender")
    email_server: str | None = Field(None, description="host:port of the mail server")
    email_user: str | None = Field(None, description="login at the mail server; none without one")
    email_password_file: Path | None = Field(None, description="file with its password")
    email_tls: bool = Field(True, description="refuse a mail server without TLS")
    heartbeat_url_file: Path | None = Field(
        None, description="file with the address of a service that notices when no heartbeat comes"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.telegram_chat_id is None) is not (self.telegram_token_file is None):
            raise ValueError("telegram_chat_id and telegram_token_file belong together")
        if self.email_to is not None and (self.email_from is None or self.email_server is None):
            raise ValueError("email_to needs email_from and email_server")
        if (self.email_user is None) is not (self.email_password_file is None):
            raise ValueError("email_user and email_password_file belong together")
        return self


class StackSettings(Section):
    """The local stack."""

    state_directory: Path = Field(Path(STATE_DIRECTORY), description="data, logs and sockets of the local stack")
    web_port_base: Port = Field(16600, description="first port tried for the workers' pages")
    prometheus_port: Port = Field(19090, description="port of Prometheus, with `up --observe`")
    alertmanager_port: Port = Field(19093, description="port of Alertmanager, with `up --observe`")
    prometheus_days: int = Field(15, ge=1, description="how long Prometheus keeps figures")
    prometheus_megabytes: int = Field(1_000, ge=100, description="most room for them; the oldest go first")
    sandbox_port: Port = Field(18000, description="port of the sandbox exchange")
    sandbox_seed: int = Field(0, description="seed of the synthetic market")
    sandbox_symbols: int = Field(50, ge=1, le=9000, description="instruments of the synthetic market")
    sandbox_rate: int | None = Field(None, ge=1, le=100_000, description="synthetic ticks a market second over all")
    sandbox_speed: float = Field(1.0, gt=0, le=1000, description="market seconds a second")
