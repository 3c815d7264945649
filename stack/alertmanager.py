"""Alertmanager's configuration: the project's routes, and receivers as the settings say whom to tell.

Secrets stand in the result, so only its owner can read it: Alertmanager 0.25, Debian's, reads a Telegram token from
nowhere else, and takes the end of a line in a password's file for a part of the password.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import yaml

from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.sections import AlertingSettings
from faust_app.runtime.settings import PROJECT

SOURCE = PROJECT / "prometheus" / "alertmanager.yml"
TITLE, TEXT = '{{ template "alpha_panda.title" . }}', '{{ template "alpha_panda.text" . }}'
SHARE, OWN_TEMPLATE = Path("/usr/share"), Path("prometheus", "alertmanager", "default.tmpl")
Way = dict[str, list[dict[str, Any]]]


def write(settings: AlertingSettings, file: Path) -> None:
    """Replace the file at once, readable by its owner alone. Raises ConfigurationError, which never quotes a secret."""
    text = rendered(settings)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(text)
        temporary.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from error


def rendered(settings: AlertingSettings) -> str:
    """The whole configuration. Raises ConfigurationError for a secret's file that cannot be read or is empty."""
    config: dict[str, Any] = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    config["templates"] = [str(SOURCE.parent / pattern) for pattern in config["templates"]]
    ways = {
        "critical": {**_telegram(settings), **_email(settings)},
        "warning": _email(settings),
        "heartbeat": _heartbeat(settings),
    }
    config["receivers"] = [{**one, **ways.get(one["name"], {})} for one in config["receivers"]]
    return yaml.safe_dump(config, sort_keys=False)


def launch(program: Path) -> list[str]:
    """The arguments that start it.

    Debian's reads its own templates below /usr/share and nowhere else. One that was unpacked elsewhere, without root,
    gets what was unpacked with it there, in a file system namespace of its own.
    """
    share = program.resolve().parents[1] / "share"
    if not (share / OWN_TEMPLATE).exists() or (SHARE / OWN_TEMPLATE).exists():
        return [str(program)]
    script = f'mount --bind "$0" {SHARE} && exec "$@"'
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(share), str(program)]


def told(settings: AlertingSettings) -> list[str]:
    """Who is told of what, a sentence each."""
    found = []
    if settings.telegram_chat_id is not None:
        found.append(f"Critical alerts go to Telegram chat {settings.telegram_chat_id}")
    if settings.email_to is not None:
        found.append(f"Critical alerts and warnings go to {settings.email_to}")
    if settings.heartbeat_url_file is not None:
        found.append("A heartbeat is sent every minute")
    return found or ["Alerts are shown and sent to nobody: set alerting.telegram_* or alerting.email_*"]


def _telegram(settings: AlertingSettings) -> Way:
    if settings.telegram_chat_id is None or settings.telegram_token_file is None:
        return {}
    token = _secret(settings.telegram_token_file, "telegram_token_file")
    config = {"bot_token": token, "chat_id": settings.telegram_chat_id, "message": TEXT, "parse_mode": ""}
    return {"telegram_configs": [{**config, "send_resolved": True}]}


def _email(settings: AlertingSettings) -> Way:
    if settings.email_to is None:
        return {}
    config: dict[str, Any] = {
        "to": settings.email_to,
        "from": settings.email_from,
        "smarthost": settings.email_server,
        "require_tls": settings.email_tls,
        "headers": {"Subject": TITLE},
        "text": TEXT,
        "html": "",
        "send_resolved": True,
    }
    if settings.email_user is not None and settings.email_password_file is not None:
        password = _secret(settings.email_password_file, "email_password_file")
        config |= {"auth_username": settings.email_user, "auth_password": password}
    return {"email_configs": [config]}


def _heartbeat(settings: AlertingSettings) -> Way:
    if settings.heartbeat_url_file is None:
        return {}
    url = _secret(settings.heartbeat_url_file, "heartbeat_url_file")
    return {"webhook_configs": [{"url": url, "send_resolved": False}]}


def _secret(file: Path, name: str) -> str:
    try:
        found = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"alerting.{name} {file}: {error.strerror}") from error
    if not found:
        raise ConfigurationError(f"alerting.{name} {file} is empty")
    return found
