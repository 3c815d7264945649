"""Where instrument dumps come from: a file, or Kite's own server (the sandbox speaks the same protocol)."""

from __future__ import annotations

import gzip
import os
import zlib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.settings import Settings

GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class RawDump:
    """A dump as it came. `source` is a file or a server, `sha256` of the bytes of the text."""

    source: str
    text: str
    sha256: str


def dump_of_file(file: Path) -> RawDump:
    """The dump in a file, which may be gzipped. Raises ConfigurationError."""
    try:
        raw = file.read_bytes()
        return _raw_dump(
            os.fsencode(file).decode(errors="replace"), gzip.decompress(raw) if raw.startswith(GZIP) else raw
        )
    except OSError as error:  # of gzip, too
        raise ConfigurationError(f"Cannot read {file}: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise ConfigurationError(f"Cannot read {file}: {error}") from error


def dump_of_server(config: Settings) -> RawDump:
    """The dump of the feed's server. Blocks. Raises ConfigurationError when it asks for a login, TransientError."""
    from brokers.errors import BrokerFailure, SessionRefused
    from brokers.zerodha.egress import KITE
    from brokers.zerodha.instruments import download_dump

    root = config.kite.root or KITE
    try:
        return _raw_dump(root, download_dump(config.kite.root, *_credentials(config)))
    except SessionRefused as error:
        raise ConfigurationError(f"{error}. Run `alpha-panda login`") from error
    except BrokerFailure as error:
        raise TransientError(f"No instrument dump from {root}: {error}") from error


def has_session(config: Settings) -> bool:
    """True when there are an API key and an access token that has not run out."""
    return all(_credentials(config))


def _credentials(config: Settings) -> tuple[str, str]:
    from faust_app.runtime.kite_session import session_view

    key = config.kite.api_key
    return key.get_secret_value() if key else "", session_view(config).token()


def _raw_dump(source: str, raw: bytes) -> RawDump:
    try:
        return RawDump(source, raw.decode("utf-8-sig"), sha256(raw).hexdigest())
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{source} is no instrument dump: it is not UTF-8 text") from error
