"""A scenario file: rules, what the account holds, and the faults that are on from the start."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from sandbox.errors import BadScenario
from sandbox.faults import Fault
from sandbox.rules import Planted, Rules, Strict


class Scenario(Strict):
    """Everything that can be set. `seed` is added to the seed of every fault."""

    seed: int = 0
    rules: Rules = Rules()
    account: Planted = Planted()
    faults: tuple[Fault, ...] = ()

    def seeded_faults(self) -> list[Fault]:
        """The faults with their seeds."""
        return [one.model_copy(update={"seed": one.seed + self.seed}) for one in self.faults]


def load_scenario(path: Path) -> Scenario:
    """Read a YAML file. Raises BadScenario with one sentence."""
    try:
        found = yaml.safe_load(path.read_text())
    except OSError as error:
        raise BadScenario(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadScenario(f"{path} is not text") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise BadScenario(f"{path}{where}: not YAML") from error
    try:
        return Scenario.model_validate({} if found is None else found)
    except ValidationError as error:
        raise BadScenario(f"{path}: {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, with where it is."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
