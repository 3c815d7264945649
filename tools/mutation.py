"""Mutation testing: does a test fail when one token of the code is wrong? Writes `docs/mutation.md`.

    python -m tools.mutation                       every package, about an hour on one core
    python -m tools.mutation trading/risk --check 90

Cosmic Ray makes the mutants. Each is loaded in a forked child instead of its file, which is never touched, and meets
only the tests of its package, unit tests first, until one fails. What was found for an unchanged module and unchanged
tests is kept in `.mutation.json` and not tried again, so a run may be stopped at any time.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, NamedTuple

from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.provider import OperatorProvider

ROOT = Path(__file__).resolve().parents[1]
STORE = ROOT / ".mutation.json"
REPORT = ROOT / "docs" / "mutation.md"
SECONDS = 60.0
# What a mutant's child needs and nobody mutates: imported once, before the first fork.
PRELOADED = ("pytest", "hypothesis", "msgspec", "pydantic", "pydantic_settings", "yaml", "typer", "asyncio")
PLUGINS = ("_hypothesis_pytestplugin", "pytest_asyncio.plugin", "pytest_timeout")
OPTIONS = (
    *("-x", "-q", "-p", "no:cacheprovider", *(f"-p{name}" for name in PLUGINS), "--hypothesis-profile=mutation"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # plugins that are loaded before the fork
)
TESTS = {
    "trading/risk": ("tests/unit/trading/risk", "tests/property/test_risk_stories.py", "tests/property/test_risk.py"),
    "trading/orders": (
        "tests/unit/trading/orders",
        "tests/property/test_order_fold.py",
        "tests/property/test_rounding.py",
    ),
    "trading/reconciliation": ("tests/unit/trading/reconciliation", "tests/property/test_reconciliation.py"),
    "trading/accounting": ("tests/unit/trading/accounting", "tests/property/test_accounting.py"),
}
COMPARISONS = {
    "Lt": ("LtE", "GtE"),
    "LtE": ("Lt", "Gt"),
    "Gt": ("GtE", "LtE"),
    "GtE": ("Gt", "Lt"),
    "Eq": ("NotEq",),
    "NotEq": ("Eq",),
    "Is": ("IsNot",),
    "IsNot": ("Is",),
}
ARITHMETIC = {"Add": "Sub", "Sub": "Add", "Mul": "Div", "Div": "Mul", "FloorDiv": "Mul", "Mod": "Mul"}
# Decorators; nor do the options of a class (frozen, kw_only) change what tests could see.
WITHOUT_RESULT = ("@abstractmethod", "@lru_cache")
OPERATORS = (
    *(f"ReplaceComparisonOperator_{old}_{new}" for old, others in COMPARISONS.items() for new in others),
    *(f"ReplaceBinaryOperator_{old}_{new}" for old, new in ARITHMETIC.items()),
    *("ReplaceUnaryOperator_Delete_USub", "ReplaceUnaryOperator_Delete_Not"),
    *("AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("NumberReplacer", "ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ZeroIterationForLoop"),
    *("ExceptionReplacer", "RemoveDecorator"),
)


class Mutant(NamedTuple):
    """One change to one module: what it is called, the line it is on, and the whole source with it."""

    module: Path
    name: str
    line: int
    was: str
    became: str
    source: str


class Loader:
    """Finds one module, mutated. Everything else is found as always."""

    def __init__(self, name: str, file: Path, source: str) -> None:
        self._name, self._file, self._source = name, file, source

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Called by `import`."""
        if name != self._name:
            return None
        return importlib.util.spec_from_file_location(name, self._file, loader=self)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """The usual kind of module."""

    def exec_module(self, module: Any) -> None:
        """Run the mutated source."""
        exec(compile(self._source, str(self._file), "exec"), module.__dict__)  # noqa: S102 - that is the point


def mutants(module: Path) -> Iterator[Mutant]:
    """Every mutant of a module, in an order that repeats."""
    source = (ROOT / module).read_text()
    lines = source.split("\n")
    for operator in OPERATORS:
        number = 0
        while (mutated := mutate_code(source, OperatorProvider()[operator](), number)) is not None:
            changed = [(line, *both) for line, both in enumerate(zip(lines, mutated.split("\n"), strict=False), 1)]
            line, was, became = next(one for one in changed if one[1] != one[2])
            if _makes_sense(source, was, mutated):
                yield Mutant(module, f"{operator}/{number}", line, was.strip(), became.strip(), mutated)
            number += 1


def _makes_sense(source: str, was: str, mutated: str) -> bool:
    """False for what is no Python, for a star of a signature, and for declarations that change no result."""
    try:
        compile(mutated, "mutant", "exec")
    except SyntaxError:
        return False
    if any(source.count(decorator) != mutated.count(decorator) for decorator in WITHOUT_RESULT):
        return False
    return "*, " not in was and not was.strip().startswith(("*,", "class "))


def is_killed(mutant: Mutant, tests: Sequence[str]) -> bool:
    """True when a test fails, the module cannot be imported, or nothing ends in time."""
    child = os.fork()
    if child == 0:
        _run_child(mutant, tests)
    deadline = time.monotonic() + SECONDS
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) != 0
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return True
        time.sleep(0.005)


def _run_child(mutant: Mutant, tests: Sequence[str]) -> None:
    """One file of tests after the other, the module's own first: most mutants die there."""
    import pytest

    code = 1
    try:
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
            name = ".".join(mutant.module.with_suffix("").parts)
            sys.meta_path.insert(0, Loader(name, ROOT / mutant.module, mutant.source))
            files = [one for test in tests for one in _files(ROOT / test) if one.name.startswith("test_")]
            named = (mutant.module.stem, mutant.module.parent.name)
            files.sort(key=lambda one: one.stem.removeprefix("test_") not in named)
            code = next((failed for one in files if (failed := pytest.main([*OPTIONS, str(one)]))), 0)
    finally:
        os._exit(code)


class Store:
    """What is known of mutants, by a digest of their module and of all tests they meet."""

    def __init__(self, package: str) -> None:
        self._known: dict[str, bool] = json.loads(STORE.read_text()) if STORE.exists() else {}
        files = [one for test in TESTS[package] for one in _files(ROOT / test)]
        files += [ROOT / "tests/factories.py", *(ROOT / "tests/property").glob("*_stories.py")]
        self._tests = hashlib.sha256(b"".join(one.read_bytes() for one in files)).hexdigest()

    def _key(self, mutant: Mutant) -> str:
        return hashlib.sha256(f"{self._tests}{mutant.module}{mutant.source}".encode()).hexdigest()

    def find(self, mutant: Mutant) -> bool | None:
        """Whether it was killed, None when it has not been tried."""
        return self._known.get(self._key(mutant))

    def keep(self, mutant: Mutant, killed: bool) -> None:
        """Write it down at once."""
        self._known[self._key(mutant)] = killed
        STORE.write_text(json.dumps(self._known))


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def run(package: str) -> tuple[int, list[Mutant]]:
    """Try all mutants of a package; how many there are, and those that survived."""
    store, survivors, count = Store(package), [], 0
    _check_tests_pass(package)
    for file in _files(ROOT / package):
        module = file.relative_to(ROOT)
        begun, found = time.monotonic(), 0
        for mutant in mutants(module):
            killed = store.find(mutant)
            if killed is None:
                killed = is_killed(mutant, TESTS[package])
                store.keep(mutant, killed)
            found += 1
            if not killed:
                survivors.append(mutant)
                print(f"survived {module}:{mutant.line}  {mutant.was}  ->  {mutant.became}", flush=True)
        count += found
        print(f"{module}: {found} mutants, {time.monotonic() - begun:.0f} s", flush=True)
    return count, survivors


def _check_tests_pass(package: str) -> None:
    """Tests that fail anyway would kill every mutant."""
    module = next(one for one in _files(ROOT / package) if one.name != "__init__.py").relative_to(ROOT)
    if is_killed(Mutant(module, "none", 1, "", "", (ROOT / module).read_text()), TESTS[package]):
        sys.exit(f"The tests of {package} fail without any mutation")


def report(results: dict[str, tuple[int, list[Mutant]]]) -> str:
    """docs/mutation.md."""
    from tools.markdown import table

    rows = [
        (f"`{package}`", count, count - len(alive), len(alive), f"{_score(count, alive):.1f} %")
        for package, (count, alive) in results.items()
    ]
    method = (
        "One token is changed at a time (comparisons, arithmetic, boolean operators, constants, conditions, loops, "
        "decorators: see `tools/mutation.py`). A mutant is killed when a test of its package fails, it no longer "
        f"loads, or the tests do not end within {SECONDS:.0f} s. Python {platform.python_version()}."
    )
    parts = [
        "# Mutation testing",
        "<!-- Written by `make mutation`; do not edit. -->",
        method,
        table(("package", "mutants", "killed", "survived", "score"), rows),
    ]
    for package, (_, alive) in results.items():
        if alive:
            parts += [f"## Survivors in `{package}`", "\n".join(map(_line, alive))]
    return "\n\n".join(parts) + "\n"


def _line(mutant: Mutant) -> str:
    was, became = (text.replace("`", "'") for text in (mutant.was, mutant.became))
    return f"- `{mutant.module}:{mutant.line}` `{was}` became `{became}`"


def _score(count: int, alive: Sequence[Mutant]) -> float:
    return 100.0 * (count - len(alive)) / max(count, 1)


def main() -> None:
    """Run, report, and fail below the score asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", help=f"default: {', '.join(TESTS)}")
    parser.add_argument("--check", type=float, default=0, metavar="PERCENT", help="fail when a package is below it")
    arguments = parser.parse_args()
    unknown = [one for one in arguments.packages if one not in TESTS]
    if unknown:
        parser.error(f"unknown package {unknown[0]}; choose from {', '.join(TESTS)}")
    os.chdir(ROOT)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # half of a child's time
    for name in PRELOADED:
        importlib.import_module(name)
    results = {package: run(package) for package in arguments.packages or TESTS}
    if not arguments.packages:
        REPORT.write_text(report(results))
    for package, (count, alive) in results.items():
        print(f"{package}: {count} mutants, {_score(count, alive):.1f} % killed")
    low = [package for package, (count, alive) in results.items() if _score(count, alive) < arguments.check]
    if low:
        sys.exit(f"Below {arguments.check:g} %: {', '.join(low)}")


if __name__ == "__main__":
    main()
