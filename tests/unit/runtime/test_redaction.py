"""No secret in any text, whatever it is made of and however it got there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from faust_app.runtime.redaction import BLANK, KNOWN, LEAST_LENGTH, SECRET_FILE, Secrets, redact, secrets_of
from faust_app.runtime.settings import Settings
from tests.unit.runtime.configurations import configured

AWKWARD = st.sampled_from(" \"'\\/%+&=é\n")
CHARACTERS = AWKWARD | st.characters(exclude_categories=("Cs",), exclude_characters="*")
SECRET_TEXTS = st.text(CHARACTERS, min_size=LEAST_LENGTH, max_size=40)
WAYS: dict[str, Callable[[str], Any]] = {
    "text": lambda one: f"before{one}after",
    "repr": repr,
    "json": json.dumps,
    "json of people": lambda one: json.dumps({"a": one}, ensure_ascii=False),
    "query": lambda one: f"?token={quote_plus(one)}&v=3",
    "path": lambda one: f"/a/{quote(one)}/b",
    "percents": lambda one: quote(one, safe=""),
    "deep": lambda one: {"a": [{"b": (one, {one})}]},
    "key": lambda one: {"a": {one: 1}},
    "bytes": lambda one: one.encode(),
    "bytes in text": lambda one: str(one.encode()),
    "object": ValueError,
    "path object": lambda one: Path("x") / one.replace("/", "").replace("\0", ""),
}


AROUND = ("before", "after", "event", "value", BLANK, "?token=", "&v=3", "ValueError")


AROUND = ("before", "after", "event", "value", "?token=", "&v=3", "ValueError")


def texts_in(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for pair in value.items():
                yield from texts_in(pair)
        case list() | tuple():
            for one in value:
                yield from texts_in(one)
        case _:
            yield str(value)


def forms(one: str) -> set[str]:
    return {one, json.dumps(one)[1:-1], repr(one)[1:-1], quote(one, safe=""), quote_plus(one)}


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=50)
@given(secret=SECRET_TEXTS)
def test_a_known_secret_is_in_no_line(way: str, secret: str) -> None:
    assume(not any(secret in text for text in AROUND))
    assume(way != "path object" or not {"/", "\0"} & set(secret))
    KNOWN.forget()
    KNOWN.hide([secret])
    try:
        event = redact(None, "info", {"event": "event", "value": WAYS[way](secret)})
    finally:
        KNOWN.forget()
    for text in texts_in(event["value"]):
        assert not [form for form in forms(secret) if form in text]


@given(st.integers(min_value=1000))
def test_a_secret_that_is_a_number_is_blanked_as_one(secret: int) -> None:
    KNOWN.forget()
    KNOWN.hide([str(secret)])
    try:
        assert redact(None, "", {"value": secret}) == {"value": BLANK}
    finally:
        KNOWN.forget()


def test_texts_without_secrets_stay() -> None:
    known = Secrets()
    known.hide(["hunter22", "abc"])  # the second is too short
    assert known.blank("abc and hunter2") == "abc and hunter2"
    assert known.blank("my hunter22!") == f"my {BLANK}!"


def test_a_secret_within_another_leaves_nothing_of_it() -> None:
    known = Secrets()
    known.hide(["hunter22"])
    known.hide(["hunter22-and-more"])
    assert known.blank("x hunter22-and-more y") == f"x {BLANK} y"


def test_every_secret_of_the_settings_is_found(tmp_path: Path) -> None:
    files = {}
    for name in ("postgres", "redis", "api-secret"):
        files[name] = tmp_path / name
        files[name].write_text(f"of {name}\n")
    config = configured(
        postgres={"password_file": str(files["postgres"])},
        redis={"password_file": str(files["redis"])},
        kite={"api_key": "the key", "session_key": "the session key", "api_secret_file": str(files["api-secret"])},
    )
    assert {"of postgres", "of redis", "of api-secret", "the key", "the session key"} <= secrets_of(config)


def test_a_secret_file_that_is_not_there_is_no_reason_to_fail(tmp_path: Path) -> None:
    assert secrets_of(configured(redis={"password_file": str(tmp_path / "none")})) == set()


HARMLESS = {"instruments_file", "strategies_file", "session_file"}  # the session in it is encrypted


def test_every_file_of_the_settings_is_known_to_hold_a_secret_or_not() -> None:
    def names(model: type[BaseModel]) -> set[str]:
        found = set()
        for name, field in model.model_fields.items():
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found |= names(inner)
            elif "Path" in str(inner) and name.endswith("_file"):
                found.add(name)
        return found

    undecided = {name for name in names(Settings) if not SECRET_FILE.fullmatch(name)} - HARMLESS
    assert not undecided, "does it hold a secret? then its name has to say so (SECRET_FILE), else it is harmless"


@pytest.mark.parametrize("name", ["password_file", "api_key_file", "session_key_file", "token_file", "addresses_file"])
def test_files_of_secrets_are_recognised_by_name(name: str) -> None:
    assert SECRET_FILE.fullmatch(name)
