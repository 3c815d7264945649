"""`alpha-panda notify` and `report`: what they print, what they refuse, how they end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from agents.notices.report import closing_second, due_day, report_lines, report_notice
from faust_app.commands.cli import _run
from faust_app.runtime import day_report
from faust_app.runtime.day_report import AccountDay, DayReport, Halt
from faust_app.runtime.notices import NoticeKind
from faust_app.runtime.settings import settings
from tests.notice_sink import NoticeSink

DAY = date(2026, 11, 20)
PAPER = AccountDay(
    account="paper:main",
    broker="paper",
    net=Decimal("-1234.5"),
    realised=Decimal(-1000),
    unrealised=Decimal(-200),
    charges=Decimal("34.5"),
    equity=Decimal("998765.5"),
    fills=12,
    turnover=Decimal(1_234_567),
    measured_fills=11,
    slippage=Decimal("45.2"),
    slippage_basis_points=Decimal("0.40"),
    denials={"order_rate": 3, "stale_feed": 2},
    unknown=1,
    differences=2,
    differences_open=1,
)
HALT = Halt(at=datetime(2026, 11, 20, 5, tzinfo=UTC), scope="all", state="halted", actor="asha", reason="news")
REPORT = DayReport(day=DAY, accounts=(PAPER,), halts=(HALT,))


@pytest.fixture
def sink() -> Iterator[NoticeSink]:
    found = NoticeSink()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def base(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("ALPHA_PANDA_PROFILE", "base")
    monkeypatch.setenv("ALPHA_PANDA__STACK__STATE_DIRECTORY", str(tmp_path / "state"))
    settings.cache_clear()
    yield
    settings.cache_clear()


def use(monkeypatch: pytest.MonkeyPatch, file: Path, *, enabled: bool = True) -> None:
    monkeypatch.setenv("ALPHA_PANDA__NOTICES__ADDRESSES_FILE", str(file))
    monkeypatch.setenv("ALPHA_PANDA__NOTICES__ENABLED", str(enabled).lower())


def test_without_addresses_the_test_is_refused_and_the_list_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["notify", "test"]) == 2
    assert "notices.addresses_file is not set" in capsys.readouterr().err
    assert _run(["notify", "list"]) == 0
    shown = capsys.readouterr().out
    assert "No addresses" in shown
    assert "Nothing is told" in shown
    assert all(kind.value in shown for kind in NoticeKind)


def test_enabled_without_addresses_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALPHA_PANDA__NOTICES__ENABLED", "true")
    assert _run(["config"]) == 2
    assert "notices.enabled needs notices.addresses_file" in capsys.readouterr().err


def test_the_stack_does_not_start_on_addresses_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sink: NoticeSink, capsys: pytest.CaptureFixture[str]
) -> None:
    file = sink.file_in(tmp_path)
    file.chmod(0o644)
    use(monkeypatch, file)
    assert _run(["up", "--no-view"]) == 2
    assert "others may read it" in capsys.readouterr().err
    file.chmod(0o600)
    file.write_text("pigeon://loft\n")
    assert _run(["up", "--no-view"]) == 2
    assert "line 1 is no address of a service that is known" in capsys.readouterr().err


def test_every_address_is_tried_and_one_that_fails_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sink: NoticeSink, capsys: pytest.CaptureFixture[str]
) -> None:
    file = sink.file_in(tmp_path)
    use(monkeypatch, file, enabled=False)
    assert _run(["notify", "test", "--kind", "loss"]) == 0
    assert capsys.readouterr().out == "JSON (json://***, line 3): taken\n"
    assert sink.titles() == ["[alpha-panda] Test of loss: nothing has happened"]
    file.write_text(f"json://127.0.0.1:1\n{sink.address}\n")
    assert _run(["notify", "test"]) == 1
    shown = capsys.readouterr()
    assert shown.err == "JSON (json://***, line 1): FAILED\n"
    assert shown.out == "JSON (json://***, line 2): taken\n"
    assert _run(["notify", "test", "--json"]) == 1
    assert [row["taken"] for row in json.loads(capsys.readouterr().out)] == [False, True]


def test_an_unknown_kind_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["notify", "test", "--kind", "gossip"]) == 2
    assert "There is no kind 'gossip'; kinds: fills, denials" in capsys.readouterr().err


def test_the_list_shows_what_is_on_and_masks_addresses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sink: NoticeSink, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, sink.file_in(tmp_path))
    monkeypatch.setenv("ALPHA_PANDA__NOTICES__KINDS", '["halts","loss"]')
    assert _run(["notify", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["kind"] for row in listed["kinds"] if row["on"]] == ["halts", "loss"]
    assert listed["services"] == [{"line": 3, "service": "JSON", "address": "json://***"}]


# Report


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def days(_: object) -> tuple[date, date]:
        return date(2026, 11, 18), DAY

    async def read(_: object, day: date) -> DayReport:
        return REPORT if day == DAY else DayReport(day=day, accounts=())

    monkeypatch.setattr(day_report, "recorded_days", days)
    monkeypatch.setattr(day_report, "read_report", read)


LINES = [
    "paper:main: net -1,234.50 rupees",
    "  realised -1,000.00, unrealised -200.00, charges 34.50",
    "  equity 998,765.50",
    "  12 fills for 1,234,567.00 rupees",
    "  slippage 45.20 rupees, 0.40 basis points (11 of 12 fills)",
    "  5 denials: order_rate 3, stale_feed 2",
    "  1 order without an answer, 0 still",
    "  2 differences from the broker, 1 open now",
    "Halts and reductions:",
    "  20 Nov 10:30:00 IST all halted by asha",
]


@pytest.mark.usefixtures("recorded")
def test_the_last_day_is_reported_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["report"]) == 0
    assert capsys.readouterr().out.splitlines() == ["Day 2026-11-20", *LINES]


@pytest.mark.usefixtures("recorded")
def test_json_has_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["report", "--day", "2026-11-20", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["day"] == "2026-11-20"
    assert shown["accounts"][0]["net"] == "-1234.5"
    assert shown["accounts"][0]["denials"] == {"order_rate": 3, "stale_feed": 2}
    assert shown["halts"][0]["at"] == "2026-11-20T05:00:00+00:00"


@pytest.mark.usefixtures("recorded")
def test_a_day_without_records_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["report", "--day", "2026-11-19"]) == 2
    said = "Nothing is recorded for 2026-11-19; recorded are days from 2026-11-18 to 2026-11-20\n"
    assert capsys.readouterr().err == said
    assert _run(["report", "--day", "yesterday"]) == 2
    assert "--day 'yesterday' is not a date" in capsys.readouterr().err


def test_before_the_first_event_there_is_nothing_to_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def none(_: object) -> None:
        return None

    monkeypatch.setattr(day_report, "recorded_days", none)
    assert _run(["report"]) == 2
    assert "Nothing is recorded yet" in capsys.readouterr().err


def test_the_notice_has_the_net_in_its_title_and_is_told_once_a_day() -> None:
    notice = report_notice(REPORT, 0.0)
    assert (notice.title, notice.once) == ("Day 2026-11-20: net -1,234.50 rupees", "report:2026-11-20")
    assert list(notice.lines) == LINES
    quiet = report_notice(DayReport(day=DAY, accounts=()), 0.0)
    assert quiet.title == "Day 2026-11-20: nothing traded"


def test_a_quiet_account_has_no_empty_lines() -> None:
    report = DayReport(day=DAY, accounts=(AccountDay(account="paper:main", broker="paper"),))
    assert list(report_lines(report)) == [
        "paper:main: net 0.00 rupees",
        "  realised 0.00, unrealised 0.00, charges 0.00",
        "  0 fills for 0.00 rupees",
    ]


def test_the_report_is_due_minutes_after_the_last_market_has_closed() -> None:
    closed = closing_second(DAY)
    assert closed is not None
    assert datetime.fromtimestamp(closed, UTC).strftime("%H:%M") >= "10:00"  # 15:30 IST
    assert due_day(closed + 599, 10) is None
    assert due_day(closed + 600, 10) == DAY
    assert due_day(closed - 6 * 3600, 10) is None
    holiday = date(2026, 11, 24)
    assert closing_second(holiday) is None
    assert due_day(closed + 4 * 86_400 + 3600, 10) is None
