"""Loading instruments into a real PostgreSQL: one transaction, repeatable, audited; what is then read of it."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from brokers.zerodha.session import Session, SessionStore, new_session_key
from faust_app.commands import instruments as command
from faust_app.commands import seed as seed_command
from faust_app.commands.cli import _run
from faust_app.runtime import instrument_load, schema, seeding
from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.instrument_dumps import RawDump, dump_of_file
from faust_app.runtime.instrument_load import Loaded, LoadRequest, find_listings, last_load
from faust_app.runtime.postgres import connection
from faust_app.runtime.reference_data import ReferenceData
from faust_app.runtime.settings import Settings
from tests.dumps import DAY, dump_text, future, row, stock
from tests.exchange import Exchange, synthetic
from tests.shared_data import shared_data
from trading.market.instrument_dump import parse_dump
from trading.market.instrument_findings import FindingCode

NEXT = DAY + timedelta(days=1)
SECRET = "an-access-token-nobody-may-see"


async def load(settings: Settings, *rows: str, day: date = DAY, **values: Any) -> Loaded:
    """Load these lines as the day's dump."""
    raw = RawDump("test", dump_text(*rows), "0")
    return await instrument_load.load(settings, LoadRequest(raw, day, day, "tester", **values))


@pytest.fixture
async def migrated(settings: Settings) -> Settings:
    await schema.migrate(settings)
    return settings


async def table(settings: Settings, name: str = "instruments") -> list[dict[str, Any]]:
    """All rows of a table."""
    query = f"select * from {name} order by 1"  # noqa: S608 - a name of these tests
    async with connection(settings) as opened:
        return [dict(one) for one in await opened.fetch(query)]


async def test_instruments_come_back_as_they_were_read(migrated: Settings) -> None:
    sizes = {"tick_size": "0", "lot_size": "0"}
    index = row(tradingsymbol="AN INDEX", instrument_token="256265", exchange_token="1001", segment="INDICES", **sizes)
    rows = [row(name='NÄME, "quoted"'), index, future("NIFTY", 7), stock("TCS", 6, tick_size="10")]
    await load(migrated, *rows)
    read = parse_dump(dump_text(*rows), DAY).instruments.values()
    expected = [msgspec.structs.replace(one, freeze_quantity=1800 if one.underlying else None) for one in read]
    found = await ReferenceData(migrated).load_instruments()
    assert found == sorted(expected, key=lambda one: one.key)


async def test_the_same_load_again_changes_nothing_and_is_audited_again(migrated: Settings) -> None:
    rows = [row(), stock("TCS", 5), future("INFY", 9), "broken", *(stock(f"S{one}", 100 + one) for one in range(9))]
    first = await load(migrated, *rows)
    before = await table(migrated)
    second = await load(migrated, *rows)
    assert await table(migrated) == before
    assert (first.added, first.written, second.added, second.written) == (12, 12, 0, 0)
    audited = await table(migrated, "audit")
    assert [(one["type"], one["key"], one["source"]) for one in audited] == [
        ("instruments.loaded", "instruments", "operator")
    ] * 2
    data = json.loads(audited[0]["data"])
    assert (data["actor"], data["accepted"], data["refused"]) == ("tester", 12, 1)
    assert {one["code"] for one in data["findings"]} == {"malformed_row", "freeze_quantity_unknown"}
    assert await last_load(migrated) == second


async def test_a_mostly_broken_dump_leaves_everything_as_it_was(migrated: Settings) -> None:
    await load(migrated, row(), stock("TCS", 5))
    before = await table(migrated), await table(migrated, "audit")
    with pytest.raises(
        ConfigurationError, match=r"^test is refused whole: 1 of 2 lines are refused, .*nothing was changed$"
    ):
        await load(migrated, row(lot_size="7"), "x", day=NEXT)
    assert (await table(migrated), await table(migrated, "audit")) == before


async def test_an_old_or_incomplete_dump_needs_insistence(migrated: Settings) -> None:
    await load(migrated, row(), *(stock(f"S{one}", 100 + one) for one in range(9)), day=NEXT)
    before = await table(migrated), await table(migrated, "audit")
    with pytest.raises(ConfigurationError, match=r"older than the one loaded, 2026-08-21; The dump lacks 9 of the 10"):
        await load(migrated, row())
    assert (await table(migrated), await table(migrated, "audit")) == before
    loaded = await load(migrated, row(), insist=True)
    codes = [one.code for one in loaded.findings]
    assert {FindingCode.OLD_DUMP, FindingCode.INCOMPLETE_DUMP} <= set(codes)
    assert [one.key for one in await ReferenceData(migrated).load_instruments()] == ["NSE:INFY"]


async def test_a_load_that_fails_at_its_end_leaves_nothing(migrated: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    await load(migrated, row(), stock("TCS", 5))
    before = await table(migrated)

    async def fail(*_: Any) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr(instrument_load, "_audit", fail)
    with pytest.raises(RuntimeError, match="the power went"):
        await load(migrated, row(lot_size="5"), day=NEXT)
    assert await table(migrated) == before


async def test_the_days_of_the_dumps_are_known_by_exchange(migrated: Settings) -> None:
    assert await ReferenceData(migrated).load_days() == {}
    await load(migrated, row(), stock("OLD", 5), future("INFY", 9))
    await load(migrated, row(), stock("NEW", 5), day=NEXT)
    registry = await ReferenceData(migrated).load_registry()
    assert registry.days == await ReferenceData(migrated).load_days() == {"NSE": NEXT, "NFO": DAY}
    assert {one.key for one in registry} == {one.key for one in await ReferenceData(migrated).load_instruments()}


async def test_workers_do_not_see_what_vanished_and_people_do(migrated: Settings) -> None:
    await load(migrated, row(), stock("OLD", 5))
    await load(migrated, row(), stock("NEW", 5), day=NEXT)
    assert [one.key for one in await ReferenceData(migrated).load_instruments()] == ["NSE:INFY", "NSE:NEW"]
    (old,) = await find_listings(migrated, "NSE:OLD")
    assert (old.listed_on, old.vanished_on) == (DAY, NEXT)
    by_token = await find_listings(migrated, str(5 * 256 + 1))
    assert [one.instrument.key for one in by_token] == ["NSE:NEW", "NSE:OLD"]
    assert await find_listings(migrated, "NSE:NOBODY") == []


async def test_tokens_may_change_hands(migrated: Settings) -> None:
    await load(migrated, stock("A", 5), stock("B", 6), stock("C", 7))
    await load(migrated, stock("A", 6), stock("B", 5), stock("D", 7), day=NEXT)
    tokens = {one.tradingsymbol: one.exchange_token for one in await ReferenceData(migrated).load_instruments()}
    assert tokens == {"A": 6, "B": 5, "D": 7}


async def test_an_operators_group_stays(migrated: Settings) -> None:
    await load(migrated, row())
    async with connection(migrated) as opened:
        await opened.execute("update instruments set co_location_group = 'pair'")
    await load(migrated, row(lot_size="5"), day=NEXT)
    (found,) = await ReferenceData(migrated).load_instruments()
    assert (found.co_location_group, found.lot_size) == ("pair", 5)


async def test_two_loads_at_once_are_one_after_the_other(migrated: Settings) -> None:
    rows = [stock(f"S{one}", 100 + one) for one in range(500)]
    loads = await asyncio.gather(*(load(migrated, *rows) for _ in range(3)))
    assert sorted(one.written for one in loads) == [0, 0, 500]
    assert len(await table(migrated)) == 500


async def test_two_listed_instruments_never_share_a_token(migrated: Settings) -> None:
    await load(migrated, row(), stock("TCS", 5))
    async with connection(migrated) as opened:
        with pytest.raises(Exception, match="ix_instruments_instrument_token"):
            await opened.execute("update instruments set instrument_token = 408065")


async def test_text_no_database_takes_is_refused_and_reported(migrated: Settings) -> None:
    rows = [stock(f"S{one}", 100 + one) for one in range(40)]
    odd = [row(tradingsymbol="A\0B"), row(name="A\0B"), row(lot_size="\0"), row(expiry="\0")]
    loaded = await load(migrated, *rows, *odd)
    assert (loaded.accepted, loaded.refused) == (40, 4)
    assert await last_load(migrated) == loaded


async def test_the_audit_row_is_bounded(migrated: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instrument_load, "MOST_AUDITED", 3)
    loaded = await load(migrated, *(stock(f"S{one}", 100 + one) for one in range(90)), *["x"] * 9)
    stored = await last_load(migrated)
    assert stored is not None
    assert (len(loaded.findings), len(stored.findings), stored.findings_left_out) == (10, 3, 7)


async def test_a_database_without_this_schema_is_one_sentence(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"postgres": settings.postgres.model_copy(update={"database": "nowhere"})})
    for config in (nowhere, settings):
        for work in (load(config, row()), last_load(config), find_listings(config, "NSE:INFY")):
            with pytest.raises(ConfigurationError, match="run `alpha-panda migrate` first"):
                await work
    await schema.migrate(settings, "0001")
    with pytest.raises(ConfigurationError, match="run `alpha-panda migrate` first"):
        await load(settings, row())
    away = settings.model_copy(update={"postgres": settings.postgres.model_copy(update={"port": 1})})
    with pytest.raises(TransientError, match="PostgreSQL is away"):
        await load(away, row())


async def test_the_migration_keeps_instruments_and_takes_back_only_marks(settings: Settings) -> None:
    await schema.migrate(settings, "0001")
    insert = """insert into instruments values ('NSE:INFY', 408065, 1594, 'NSE', 'INFY', 'INFOSYS', 'NSE', 'EQ', 0.05,
                                                1, null, 0, null, 'pair')"""
    async with connection(settings) as opened:
        await opened.execute(insert)
    await schema.migrate(settings)
    (found,) = await ReferenceData(settings).load_instruments()
    assert (found.key, found.group, found.has_derivatives) == ("NSE:INFY", "pair", False)
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    await load(settings, row(), stock("TCS", 5), day=tomorrow)
    await load(settings, row(), day=tomorrow + timedelta(days=1))
    await schema.migrate(settings, "0001", down=True)
    assert [(one["key"], one["co_location_group"]) for one in await table(settings)] == [("NSE:INFY", "pair")]
    await schema.migrate(settings)


async def test_seeding_loads_the_same_way(migrated: Settings) -> None:
    raw = RawDump("test", dump_text(row(), stock("TCS", 5)), "0")
    first, second = await seeding.seed(migrated, raw), await seeding.seed(migrated, raw)
    assert (first.instruments.added, second.instruments.written) == (2, 0)
    assert first.strategies
    assert second.strategies == []
    assert len(await table(migrated, "audit")) == 2
    with pytest.raises(ConfigurationError, match="refused whole"):
        await seeding.seed(migrated, RawDump("test", "a,b\n", "0"))


async def test_seeding_takes_another_market_from_the_sandbox_alone(migrated: Settings) -> None:
    await seeding.seed(migrated, RawDump("test", dump_text(*(stock(f"S{one}", 100 + one) for one in range(9))), "0"))
    other = RawDump("test", dump_text(row()), "0")
    with pytest.raises(ConfigurationError, match="The dump lacks 9 of the 9 instruments of NSE listed before"):
        await seeding.seed(migrated, other)
    on_sandbox = migrated.model_copy(update={"kite": migrated.kite.model_copy(update={"root": "http://127.0.0.1:1"})})
    assert (await seeding.seed(on_sandbox, other)).instruments.vanished == 9
    assert [one.key for one in await ReferenceData(migrated).load_instruments()] == ["NSE:INFY"]


def test_the_seed_command_says_what_was_refused(
    commands: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(seed_command, "settings", lambda: commands)
    file = dump_file(tmp_path, *(stock(f"S{one}", 100 + one) for one in range(30)), "x")
    assert _run(["seed", "--instruments", file]) == 0
    out, err = capsys.readouterr()
    assert "refused, line 32: Expected 12 columns, found 1 [malformed_row]" in err
    assert out.startswith("30 instruments loaded (30 new")
    assert "strategies added: " in out


async def test_the_complete_nse_dump_loads_in_under_five_seconds(migrated: Settings) -> None:
    raw = dump_of_file(shared_data("instruments", "kite_NSE_2025-10-22.csv.gz"))
    day = date(2025, 10, 22)
    started = time.monotonic()
    told: list[tuple[str, int, int]] = []
    loaded = await instrument_load.load(migrated, LoadRequest(raw, day, day, "tester"), lambda *step: told.append(step))
    assert time.monotonic() - started < 5
    assert [what for what, _, _ in told] == ["Reading"] * 5 + ["Comparing"] + ["Writing"] * 2
    assert told[-1] == ("Writing", 8_456, 8_456)
    assert (loaded.accepted, loaded.refused, loaded.added) == (8_456, 0, 8_456)
    assert len(await ReferenceData(migrated).load_instruments()) == 8_456


@pytest.fixture
def commands(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A migrated database that the command line uses."""
    asyncio.run(schema.migrate(settings))
    monkeypatch.setattr(command, "settings", lambda: settings)
    return settings


def dump_file(folder: Path, *rows: str) -> str:
    file = folder / "dump.csv.gz"
    file.write_bytes(gzip.compress(dump_text(*rows).encode()))
    return str(file)


def test_commands_load_show_and_report(commands: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stocks = [stock(f"S{one}", 100 + one) for one in range(30)]
    file = dump_file(tmp_path, row(), future("INFY", 9, expiry="2099-01-01"), *stocks, "x", row())
    assert _run(["instruments", "load", file, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["lines"], answer["accepted"], answer["refused"], answer["added"]) == (34, 32, 2, 32)
    kinds = {(one["line"], one["code"], one["kind"]) for one in answer["findings"]}
    assert kinds == {
        (34, "malformed_row", "refused"),
        (35, "duplicate_key", "refused"),
        (None, "freeze_quantity_unknown", "notice"),
    }
    assert [(one["code"], one["count"]) for one in answer["summary"]][:2] == [
        ("malformed_row", 1),
        ("duplicate_key", 1),
    ]
    assert _run(["instruments", "show", "NSE:INFY", "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["has_derivatives"], shown["tick_size"], shown["vanished_on"]) == (True, "0.05", None)
    assert _run(["instruments", "show", "408065"]) == 0
    assert "NSE:INFY" in capsys.readouterr().out
    assert _run(["instruments", "show", "NSE:INFI"]) == 2
    assert "There is no instrument NSE:INFI; did you mean NSE:INFY" in capsys.readouterr().err
    assert _run(["instruments", "show", "9999999999"]) == 2
    assert "There is no instrument 9999999999; load the day's dump" in capsys.readouterr().err
    assert _run(["instruments", "problems", "--json", "--code", "duplicate_key"]) == 0
    (problem,) = json.loads(capsys.readouterr().out)
    assert (problem["line"], problem["key"], problem["reason"]) == (35, "NSE:INFY", "NSE:INFY appears twice")


def test_a_person_sees_refusals_first_and_a_summary_last(
    commands: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = dump_file(tmp_path, *(stock(f"S{one}", 100 + one) for one in range(30)), "x")
    assert _run(["instruments", "load", file]) == 0
    out, err = capsys.readouterr()
    assert err.splitlines()[0] == "refused, line 32: Expected 12 columns, found 1 [malformed_row]"
    assert "The line is no instrument." in out
    assert out.splitlines()[-1].startswith("30 instruments loaded (30 new, 0 changed, 0 as before), 1 lines refused")


def test_problems_before_the_first_load_are_one_sentence(
    commands: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(["instruments", "problems"]) == 2
    assert capsys.readouterr().err.startswith("No instruments have been loaded yet")


def test_a_download_from_the_broker_never_shows_the_token(
    commands: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key, file = new_session_key(), tmp_path / "session"
    SessionStore(file, key).write(Session(SECRET, SECRET, "AB1234", int(time.time())))
    exchange = Exchange(synthetic())
    kite = {"root": exchange.root, "api_key": SECRET, "session_file": file, "session_key": key}
    with_session = Settings(**{**commands.model_dump(), "kite": kite})
    without = Settings(**{**commands.model_dump(), "kite": {"root": exchange.root}})
    try:
        for config, note in ((with_session, ""), (without, "downloaded without one, as Kite allows")):
            monkeypatch.setattr(command, "settings", lambda config=config: config)
            assert _run(["instruments", "load", "--broker", "zerodha"]) == 0
            out, err = capsys.readouterr()
            assert "7 instruments loaded" in out
            assert note in err
            assert SECRET not in out + err
    finally:
        exchange.stop()
    assert SECRET not in str(asyncio.run(table(commands, "audit")))
    monkeypatch.setattr(command, "settings", lambda: with_session)
    assert _run(["instruments", "load", "--broker", "zerodha"]) == 1
    sentence = capsys.readouterr().err
    assert f"No instrument dump from {exchange.root}" in sentence
    assert SECRET not in sentence
