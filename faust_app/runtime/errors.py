"""Errors of the runtime.

RuntimeFailure
├── ConfigurationError   the operator has to change something; exit code 2, one sentence
├── DecodeError          these bytes will never be a message: dead-letter them
│   └── NewerVersion     written by a newer release than this one
├── TransientError       a dependency is away: wait and try again
└── BrakeTripped         too many dead letters: stop rather than divert everything
"""

from __future__ import annotations

from pydantic import ValidationError


class RuntimeFailure(Exception):
    """Base of this package's errors."""


class ConfigurationError(RuntimeFailure):
    """Raised when settings, arguments or the environment cannot be used as they are."""


class DecodeError(RuntimeFailure):
    """Raised when bytes are not a valid message of the expected type."""


class NewerVersion(DecodeError):
    """Raised when a message has a version above the newest one this code reads."""


class TransientError(RuntimeFailure):
    """Raised when a dependency is away; the same call may succeed later."""


class BrakeTripped(RuntimeFailure):
    """Raised when dead letters come too fast to be the messages' fault."""


def one_sentence(error: Exception) -> str:
    """One line of an error's message; of a validation error, each field with what is wrong."""
    if isinstance(error, ValidationError):
        rows = error.errors(include_url=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, row['loc'])) or 'parameters'}: {row['msg']}" for row in rows)
    return " ".join(str(error).split())
