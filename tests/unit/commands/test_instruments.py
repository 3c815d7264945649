"""`alpha-panda instruments` and `seed` as far as they go without a database: every mistake is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from faust_app.commands.cli import _run
from faust_app.commands.instruments import sentence, show_findings
from faust_app.runtime.instrument_load import Loaded
from tests.dumps import DAY
from trading.market.instrument_findings import Finding, FindingCode


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["load"], "Give a file, or --broker zerodha"),
        (["load", "FILE", "--broker", "zerodha"], "Give a file, or --broker zerodha"),
        (["load", "--broker", "paper"], "paper has no instrument dump; only zerodha has"),
        (["load", "--broker", "zerodha", "--date", "2026-08-20"], "--date is the day a file was made"),
        (["load", "FILE", "--date", "20.8.2026"], "--date '20.8.2026' is not a date like 2026-11-20"),
        (["load", "nowhere.csv"], "Cannot read nowhere.csv: No such file or directory"),
        (["load", "."], "Cannot read .: Is a directory"),
        (["load", "FILE"], "is refused whole: Expected the columns instrument_token"),
        (["show", "INFY"], "'INFY' is neither EXCHANGE:TRADINGSYMBOL nor a token"),
        (["show", "1" * 11], "is neither EXCHANGE:TRADINGSYMBOL nor a token"),
        (["problems", "--code", "nope"], "There is no code 'nope'; codes: wrong_columns, malformed_row"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "dump.csv"
    file.write_text("a,b\n1,2\n")
    assert _run(["instruments", *(str(file) if one == "FILE" else one for one in arguments)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert words in lines[0]


def test_refusals_are_shown_first_and_the_rest_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    notices = [Finding(number, "NSE:X", FindingCode.TOKEN_REUSED, f"notice {number}") for number in range(2, 30)]
    show_findings(
        [*notices, Finding(30, "", FindingCode.MALFORMED_ROW, "broken"), Finding(0, "", FindingCode.VANISHED, "")]
    )
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "refused, line 30: broken [malformed_row]"
    assert lines[1] == "notice, line 2: notice 2 [token_reused]"
    assert len(lines) == 21
    assert lines[-1].startswith("... and 10 more")


def test_the_last_line_counts_everything() -> None:
    loaded = Loaded(source="x", sha256="", actor="me", day=DAY, lines=12, accepted=10, refused=2, added=3, changed=4,
                    vanished=6, expired=5, written=13, seconds=0.25, findings=())  # fmt: skip
    assert sentence(loaded) == (
        "10 instruments loaded (3 new, 4 changed, 3 as before), 2 lines refused, "
        "6 no longer listed (5 of them expired), 0.2 s"
    )
