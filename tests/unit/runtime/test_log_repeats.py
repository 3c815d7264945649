"""Equal lines: the first is written at once, the others as one with their number, and none is lost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from faust_app.runtime.log_repeats import MOST_WINDOWS, Collapsing
from tests.unit.runtime.log_capture import as_it_was

WINDOW = 10.0


class Target(logging.Handler):
    """Keeps what is written: (event, repeated)."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[str, int]] = []
        self.is_closed = False

    def emit(self, record: logging.LogRecord) -> None:
        text = record.msg["event"] if isinstance(record.msg, dict) else record.getMessage()
        self.written.append((text, getattr(record, "repeated", 0)))

    def close(self) -> None:
        self.is_closed = True
        super().close()


class World:
    """A handler at a time of our own."""

    def __init__(self) -> None:
        self.now = 100.0
        self.target = Target()
        self.handler = Collapsing(self.target, window_seconds=WINDOW, clock=lambda: self.now)

    def own(self, event: str, level: int = logging.WARNING, **fields: Any) -> None:
        record = logging.LogRecord("agents.x", level, "", 0, {"event": event, **fields}, None, None)  # type: ignore[arg-type]
        self.handler.handle(record)

    def foreign(self, text: str, *arguments: object, name: str = "aiokafka", error: Exception | None = None) -> None:
        trace = (type(error), error, None) if error is not None else None
        self.handler.handle(logging.LogRecord(name, logging.ERROR, "", 0, text, arguments, trace))

    @property
    def written(self) -> list[tuple[str, int]]:
        found, self.target.written = self.target.written, []
        return found


@pytest.fixture
def world() -> Iterator[World]:
    with as_it_was():
        yield World()


def test_the_first_is_written_at_once_the_others_at_the_end_of_the_window(world: World) -> None:
    for _ in range(7):
        world.own("dead_letter")
    assert world.written == [("dead_letter", 0)]
    world.now += WINDOW - 0.01
    world.handler.end_windows()
    assert world.written == []
    world.now += 0.01
    world.handler.end_windows()
    assert world.written == [("dead_letter", 6)]


def test_a_line_of_another_kind_ends_windows_too(world: World) -> None:
    world.own("again")
    world.own("again")
    world.now += WINDOW
    world.own("another")
    assert world.written == [("again", 0), ("again", 1), ("another", 0)]


def test_a_flood_has_one_line_for_each_window(world: World) -> None:
    for _ in range(1000):
        world.own("flood")
        world.now += 0.05
    world.handler.close()
    written = world.written
    assert written[0] == ("flood", 0)
    assert len(written) == 1 + 5
    assert 1 + sum(repeated for _, repeated in written) == 1000


def test_after_a_quiet_window_a_line_is_new_again(world: World) -> None:
    world.own("rare")
    world.now += WINDOW
    world.own("rare")
    world.now += WINDOW
    world.handler.end_windows()
    assert world.written == [("rare", 0), ("rare", 0)]


def test_the_end_loses_nothing(world: World) -> None:
    for _ in range(3):
        world.own("one")
        world.own("two")
    world.handler.close()
    assert world.written == [("one", 0), ("two", 0), ("one", 2), ("two", 2)]
    assert world.target.is_closed


@pytest.mark.parametrize(
    ("level", "first", "second", "are_equal"),
    [
        (logging.INFO, {"topic": "a", "offset": 1}, {"topic": "a", "offset": 2}, True),
        (logging.INFO, {"order_id": "a"}, {"order_id": "b"}, False),
        (logging.INFO, {"names": ["a"]}, {"names": ["b"]}, False),
        (logging.WARNING, {"seconds": 1.5}, {"seconds": 2.5}, True),
        (logging.ERROR, {"offset": 1}, {"offset": 2}, False),
        (logging.ERROR, {"offset": 1}, {"offset": 1}, True),
        (logging.CRITICAL, {"what": "a"}, {"what": "b"}, False),
    ],
)
def test_which_lines_are_equal(
    world: World, level: int, first: dict[str, Any], second: dict[str, Any], are_equal: bool
) -> None:
    world.own("event", level, **first)
    world.own("event", level, **second)
    assert len(world.written) == (1 if are_equal else 2)


def test_logger_level_and_text_tell_lines_apart(world: World) -> None:
    world.own("event", logging.INFO)
    world.own("event", logging.WARNING)
    world.foreign("Lost %s", "a")
    world.foreign("Lost %s", "b")
    world.foreign("Lost %s", "a", name="faust")
    world.foreign("Lost %s", "a", error=ValueError("x"))
    world.foreign("Lost %s", "a", error=ValueError("y"))
    assert len(world.written) == 7
    world.foreign("Lost %s", "a")
    assert world.written == []


def test_what_cannot_be_told_is_not_the_callers_failure(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("no words")

    world.own("odd", value=Odd())
    world.own("next")
    assert world.written == [("next", 0)]
    assert "no words" in capsys.readouterr().err


def test_what_is_remembered_is_bounded(world: World) -> None:
    for _ in range(2):
        for number in range(MOST_WINDOWS + 5):
            world.own("event", order_id=str(number))
    assert len(world.handler._windows) <= MOST_WINDOWS
    world.handler.close()
    assert sum(repeated or 1 for _, repeated in world.written) == 2 * (MOST_WINDOWS + 5)


def test_the_last_of_the_repeated_lines_is_told_of(world: World) -> None:
    seen: list[Any] = []
    world.target.emit = lambda record: seen.append(record.msg["offset"])  # type: ignore[method-assign]
    for offset in range(5):
        world.own("dead_letter", offset=offset)
    world.handler.tell_all()
    assert seen == [0, 4]
