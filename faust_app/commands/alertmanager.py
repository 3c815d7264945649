"""`alpha-panda alertmanager`: the configuration that tells people of alerts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faust_app.runtime.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def alertmanager(
        file: Annotated[Path, typer.Argument(help="Where to write it; replaced at once, readable by its owner alone.")],
        profile: Annotated[str | None, typer.Option(help="Profile; default: ALPHA_PANDA_PROFILE, or base.")] = None,
    ) -> None:
        """Write Alertmanager's configuration with the receivers of the settings under `alerting`.

        Critical alerts go to Telegram and by e-mail, warnings by e-mail, a heartbeat to a service that misses it.
        Whoever is not set is not told. The file has the secrets in it.
        docs/runbooks/alerts.md has the steps. Example: alpha-panda alertmanager ~/.config/alpha-panda/alertmanager.yml
        """
        from stack.alertmanager import told, write

        config = load_settings(profile)
        write(config.alerting, file)
        for sentence in told(config.alerting):
            typer.echo(sentence)
