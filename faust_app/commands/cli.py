"""`alpha-panda`: the operator's command line.

Every problem the operator can mend is one sentence on standard error and exit code 2. A dependency that does
not answer and a bug are exit code 1; a bug's traceback goes to a file, not to the screen.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import traceback
from importlib import import_module

import typer
from typer.exceptions import TyperException

from faust_app.runtime.errors import ConfigurationError, RuntimeFailure, TransientError

MODULES = (
    "local",
    "bootstrap",
    "migrate",
    "seed",
    "instruments",
    "config",
    "worker",
    "sandbox",
    "login",
    "reconcile",
    "preflight",
    "alertmanager",
    "replay",
    "backtest",
    "record",
    "reports",
    "report",
    "notify",
    "charges",
    "calendar",
    "trace",
    "logs",
    "strategies",
    "control",
    "limits",
    "dlq",
    "topics",
)

app = typer.Typer(
    name="alpha-panda",
    help="Trading pipeline for Indian markets: ticks, signals, risk, orders, portfolio. Start with `alpha-panda up`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def build() -> typer.Typer:
    """The command line with every command on it."""
    if not app.registered_commands:
        for name in MODULES:
            import_module(f"faust_app.commands.{name}").register(app)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # what it complains of is in our own sentence
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        result = typer.main.get_command(build()).main(arguments, prog_name="alpha-panda", standalone_mode=False)
    except typer.Exit as done:
        return done.exit_code
    except typer.Abort:
        return _problem("Stopped.", 1)
    except TyperException as error:
        return _problem(_sentence(error), 2)
    except ConfigurationError as error:
        return _problem(str(error), 2)
    except TransientError as error:
        return _problem(f"{error}. Is the stack running? Start it with `alpha-panda up`.", 1)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:
        return _unexpected(error)
    return result if isinstance(result, int) else 0


def _sentence(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    hint = f" See `{context.command_path} --help`." if context is not None else ""
    return f"{message.rstrip('.')}.{hint}"


def _problem(sentence: str, code: int) -> int:
    sys.stderr.write(sentence.rstrip() + "\n")
    return code


def _unexpected(error: Exception) -> int:
    transient = _as_transient(error)
    if transient is not None:
        return _problem(f"{transient}. Is the stack running? Start it with `alpha-panda up`.", 1)
    if isinstance(error, RuntimeFailure):
        return _problem(str(error), 1)
    with tempfile.NamedTemporaryFile("w", prefix="alpha-panda-", suffix=".log", delete=False) as file:
        traceback.print_exception(error, file=file)
    return _problem(f"Unexpected {type(error).__name__}: {error} (details in {file.name})", 1)


def _as_transient(error: Exception) -> str | None:
    module = type(error).__module__
    if module.startswith("aiokafka"):
        return f"Kafka does not answer: {error}"
    if module.startswith("redis"):
        return f"Redis does not answer: {error}"
    if module.startswith(("sqlalchemy", "asyncpg")):
        from faust_app.runtime.database import transient

        return f"PostgreSQL does not answer: {error}" if transient(error) else None
    return None


if __name__ == "__main__":
    main()
