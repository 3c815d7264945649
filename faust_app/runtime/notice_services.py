"""The services notices go to: read from a file of addresses, shown without them.

An address holds a password or a token, so nothing of one is ever shown but its scheme, and only when that scheme is
known; a service is named by its line in the file. What the libraries log could hold addresses: it is dropped.
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path
from typing import Any

import structlog

from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.sections import NoticesSettings

log = structlog.get_logger(__name__)
APPLICATION = "Alpha Panda"
MASK = "***"
LOOSE = stat.S_IRWXG | stat.S_IRWXO
WITH_ADDRESSES = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib", "smtplib", "slixmpp", "paho")
MISSING = "notices.addresses_file is not set: nobody can be told. docs/runbooks/notices.md has the steps"


class Service:
    """One address. `str` and `repr` show where it is in the file and which service it is, nothing else."""

    def __init__(self, line: int, name: str, scheme: str, send: Any) -> None:
        self.line = line
        self.name = name
        self.masked = f"{scheme}://{MASK}"
        self._send = send

    def __repr__(self) -> str:
        return f"{self.name} ({self.masked}, line {self.line})"

    def send(self, title: str, text: str) -> bool:
        """Hand a message over and wait, for seconds: True when the service took it. Raises nothing."""
        try:
            return bool(self._send(title, text))
        except Exception as error:  # its message may hold the address
            log.warning("notice_service_failed", service=repr(self), error=type(error).__name__)
            return False


def read_addresses(settings: NoticesSettings) -> list[tuple[int, str]]:
    """Line number and address of each line that is not empty or a comment. Raises ConfigurationError."""
    file = settings.addresses_file
    if file is None:
        raise ConfigurationError(MISSING)
    lines = _lines(file)
    found = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    addresses = [(number, line) for number, line in found if line and not line.startswith("#")]
    if not addresses:
        raise ConfigurationError(f"notices.addresses_file {file}: there is no address in it, one a line")
    for number, address in addresses:
        if "://" not in address:
            raise ConfigurationError(f"notices.addresses_file {file}: line {number} is not an address like json://host")
    return addresses


def _lines(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8") as opened:
            if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & LOOSE:
                raise ConfigurationError(
                    f"notices.addresses_file {file}: others may read it, and it holds secrets: chmod 600 {file}"
                )
            return opened.read().splitlines()
    except OSError as error:
        raise ConfigurationError(f"notices.addresses_file {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"notices.addresses_file {file}: it holds bytes that are not text") from None


def load_services(settings: NoticesSettings) -> list[Service]:
    """A service for each address, without asking any of them. Takes a second. Raises ConfigurationError."""
    addresses = read_addresses(settings)
    _silence()
    return [_service(settings, number, address) for number, address in addresses]


def _silence() -> None:
    for name in WITH_ADDRESSES:
        known = [one for one in logging.root.manager.loggerDict if one == name or one.startswith(f"{name}.")]
        for one in (name, *known):
            logging.getLogger(one).setLevel(logging.CRITICAL + 1)


def _service(settings: NoticesSettings, number: int, address: str) -> Service:
    import apprise

    asset = apprise.AppriseAsset(app_id=APPLICATION, app_desc=APPLICATION)
    try:
        plugin = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
    except Exception:  # its message may hold the address
        plugin = None
    _silence()  # loggers that have come with the plugin
    if plugin is None:
        raise ConfigurationError(
            f"notices.addresses_file {settings.addresses_file}: line {number} is no address of a service that is known"
        )
    one = apprise.Apprise(asset=asset)
    one.add(plugin)
    return Service(number, str(plugin.service_name), _scheme(plugin), _sender(one))


def _scheme(plugin: Any) -> str:
    """The plugin's own word for it, never the file's."""
    known = plugin.secure_protocol if plugin.secure else plugin.protocol
    known = known or plugin.secure_protocol or plugin.protocol
    return str(known if isinstance(known, str) else known[0])


def _sender(one: Any) -> Any:
    import apprise

    def send(title: str, text: str) -> Any:
        return one.notify(title=title, body=text, body_format=apprise.NotifyFormat.TEXT)

    return send
