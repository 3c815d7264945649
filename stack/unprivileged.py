"""Runs a program as root that refuses to run as root: `python -m stack.unprivileged PROGRAM ARGUMENT...`.

In a user namespace of its own the process sees itself as an ordinary user, while the files it makes stay ours. Where
the kernel forbids namespaces it says so; then run the stack as an ordinary user.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
ORDINARY_ID = 1000


def enter_namespace() -> None:
    """Become an ordinary user in a new user namespace. Raises OSError where that is forbidden."""
    user, group = os.getuid(), os.getgid()
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"{ORDINARY_ID} {user} 1")
    (own / "gid_map").write_text(f"{ORDINARY_ID} {group} 1")


def main() -> None:
    """Enter the namespace and become the program."""
    try:
        enter_namespace()
    except (OSError, AttributeError) as error:
        sys.stderr.write(
            f"PostgreSQL does not run as root, and this system forbids user namespaces ({error}): "
            "run as an ordinary user\n"
        )
        sys.exit(1)
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - the caller's program, no shell


if __name__ == "__main__":
    main()
