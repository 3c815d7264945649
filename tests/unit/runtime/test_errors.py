"""Errors by what the caller does about them, each in one sentence."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field, ValidationError

from faust_app.runtime.errors import (
    BrakeTripped,
    ConfigurationError,
    DecodeError,
    NewerVersion,
    RuntimeFailure,
    TransientError,
    one_sentence,
)


class Parameters(BaseModel):
    fast: int = Field(ge=1)
    slow: int


def test_every_error_is_a_failure_of_the_runtime() -> None:
    for kind in (ConfigurationError, DecodeError, NewerVersion, TransientError, BrakeTripped):
        assert issubclass(kind, RuntimeFailure)
    assert issubclass(NewerVersion, DecodeError)
    assert not issubclass(TransientError, DecodeError)


def test_message_of_several_lines_becomes_one() -> None:
    assert one_sentence(ValueError("first\n  second\tthird ")) == "first second third"


def test_validation_error_names_each_field_and_repeats_no_input() -> None:
    with pytest.raises(ValidationError) as caught:
        Parameters.model_validate({"fast": 0, "slow": "s3cret"})
    sentence = one_sentence(caught.value)
    assert sentence.startswith("fast: ")
    assert "; slow: " in sentence
    assert "s3cret" not in sentence
