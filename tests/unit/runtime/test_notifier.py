"""The notifier never holds anybody up: it queues, tries again, drops the oldest, and counts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from faust_app.runtime import metrics, notifier
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.lifecycle import WorkerState
from faust_app.runtime.notice_services import Service, load_services
from faust_app.runtime.notices import Notice, NoticeKind
from faust_app.runtime.notifier import Notifier
from faust_app.runtime.sections import NoticesSettings
from tests.notice_sink import NoticeSink
from tests.unit.runtime.loop_fakes import until

Start = Callable[..., Notifier]


def notice(number: int = 1) -> Notice:
    return Notice(kind=NoticeKind.HALTS, subject="all", title=f"title {number}", lines=("line",), at=1_787_195_700.0)


def counted(result: str) -> float:
    return float(metrics.NOTICES.labels("halts", result)._value.get())


class Person:
    """A service in this process."""

    def __init__(self, refusals: int = 0) -> None:
        self.heard: list[tuple[str, str]] = []
        self.refusals = refusals
        self.open = threading.Event()
        self.open.set()
        self.service = Service(1, "Person", "person", self.hear)

    def hear(self, title: str, text: str) -> bool:
        self.open.wait(20)
        if self.refusals:
            self.refusals -= 1
            return False
        self.heard.append((title, text))
        return True

    @property
    def titles(self) -> list[str]:
        return [title.removeprefix(notifier.PREFIX) for title, _ in self.heard]


@pytest.fixture
def sink() -> Iterator[NoticeSink]:
    found = NoticeSink()
    yield found
    found.close()


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    tasks: list[asyncio.Task[None]] = []

    def begin(load: Callable[[], Any], state: WorkerState | None = None, **options: Any) -> Notifier:
        found = Notifier(load, state or WorkerState(), **options)
        tasks.append(asyncio.create_task(found.run()))
        return found

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_notice_arrives_over_http_with_its_time(start: Start, sink: NoticeSink, tmp_path: Path) -> None:
    config = NoticesSettings(enabled=True, addresses_file=sink.file_in(tmp_path))
    before = counted("taken")
    start(partial(load_services, config)).tell(notice())
    await until(lambda: sink.messages)
    assert sink.messages[0]["title"] == "[alpha-panda] title 1"
    assert sink.messages[0]["message"] == "line\n20 Aug 08:45:00 IST"
    await until(lambda: counted("taken") == before + 1)


async def test_what_is_not_taken_is_tried_again(start: Start, sink: NoticeSink, tmp_path: Path) -> None:
    sink.refusals = 2
    config = NoticesSettings(enabled=True, addresses_file=sink.file_in(tmp_path))
    start(partial(load_services, config), waits=(0.01, 0.01)).tell(notice())
    await until(lambda: sink.messages)
    assert sink.calls == 3


async def test_what_nobody_takes_is_given_up_and_the_next_one_says_so(start: Start) -> None:
    person, before = Person(refusals=3), counted("failed")
    found = start(lambda: [person.service], waits=(0.01, 0.01))
    found.tell(notice(1))
    found.tell(notice(2))
    await until(lambda: person.heard)
    assert person.titles == ["title 2"]
    assert "Not delivered before this: 1;" in person.heard[0][1]
    assert counted("failed") == before + 1
    found.tell(notice(3))
    await until(lambda: len(person.heard) == 2)
    assert "Not delivered" not in person.heard[1][1]


async def test_a_service_that_hangs_holds_up_nobody_and_loses_the_oldest(start: Start) -> None:
    hangs, other, before = Person(), Person(), counted("dropped")
    hangs.open.clear()
    found = start(lambda: [hangs.service, other.service], capacity=2)
    found.tell(notice(0))
    await until(lambda: other.heard)
    for number in range(1, 6):
        found.tell(notice(number))
        await until(lambda number=number: len(other.heard) == number + 1)
    assert counted("dropped") == before + 3
    hangs.open.set()
    await until(lambda: len(hangs.heard) == 3)
    assert hangs.titles == ["title 0", "title 4", "title 5"]
    assert ["Not delivered before this: 3;" in text for _, text in hangs.heard] == [False, True, False]


async def test_notices_wait_until_the_addresses_can_be_read(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "AGAIN_SECONDS", 0.01)
    person, state = Person(), WorkerState()
    problem: list[Exception] = [ConfigurationError("others may read it")]

    def load() -> list[Service]:
        if problem:
            raise problem[0]
        return [person.service]

    found = start(load, state)
    found.tell(notice())
    await until(lambda: state.reasons.get("notices") == "others may read it")
    problem.clear()
    await until(lambda: person.heard)
    assert "notices" not in state.reasons


async def test_draining_waits_for_what_was_told_but_not_for_ever(start: Start) -> None:
    person = Person()
    found = start(lambda: [person.service])
    found.tell(notice(1))
    await until(lambda: person.heard)
    found.tell(notice(2))
    await found.drain(20)
    assert person.titles == ["title 1", "title 2"]
    person.open.clear()
    found.tell(notice(3))
    await found.drain(0.01)
    assert len(person.heard) == 2
    person.open.set()
