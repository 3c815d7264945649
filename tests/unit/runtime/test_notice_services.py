"""Addresses are read from a file of the owner's alone, and nothing of them is ever shown."""

from __future__ import annotations

import email
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.notice_services import Service, load_services, read_addresses
from faust_app.runtime.sections import NoticesSettings
from tests.notice_sink import MailSink, NoticeSink

SECRETS = (
    "json://somebody:{}@127.0.0.1:1/path",
    "json://127.0.0.1:1/{}",
    "tgram://123456789:{}AbCdEfGhIjKlMnOpQrStUvWxYz/987654321",
    "mailto://somebody:{}@127.0.0.1:1?to=a@example.com&from=b@example.com",
    "discord://{}webhookidentifier/webhooktoken",
    "{}://nobody",
    "nothing:{}",
)


@pytest.fixture(scope="module")
def sink() -> Iterator[NoticeSink]:
    found = NoticeSink()
    yield found
    found.close()


def file_of(folder: Path, *lines: str, mode: int = 0o600) -> NoticesSettings:
    file = folder / "addresses"
    file.write_text("\n".join(lines))
    file.chmod(mode)
    return NoticesSettings(enabled=True, addresses_file=file)


def test_comments_and_empty_lines_are_no_addresses(tmp_path: Path) -> None:
    config = file_of(tmp_path, "# phone", "", "  json://127.0.0.1  ", "tgram://1")
    assert read_addresses(config) == [(3, "json://127.0.0.1"), (4, "tgram://1")]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigurationError, match="others may read it.*chmod 600"):
        read_addresses(file_of(tmp_path, "json://127.0.0.1", mode=mode))


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_file_of_the_owner_alone_is_read(tmp_path: Path, mode: int) -> None:
    assert read_addresses(file_of(tmp_path, "json://127.0.0.1", mode=mode))


def test_missing_and_empty_files_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read_addresses(NoticesSettings(enabled=True, addresses_file=tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="there is no address in it"):
        read_addresses(file_of(tmp_path, "# nobody"))
    with pytest.raises(ConfigurationError, match="addresses_file is not set"):
        read_addresses(NoticesSettings())


def test_unknown_service_is_named_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 2 is no address of a service") as caught:
        load_services(file_of(tmp_path, "json://127.0.0.1", "pigeon://loft-secret"))
    assert "pigeon" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="line 1 is not an address"):
        load_services(file_of(tmp_path, "12345:token"))


def test_a_message_arrives(sink: NoticeSink, tmp_path: Path) -> None:
    (service,) = load_services(NoticesSettings(enabled=True, addresses_file=sink.file_in(tmp_path)))
    assert service.send("a title", "one & <two>\nlines")
    assert (sink.messages[-1]["title"], sink.messages[-1]["message"]) == ("a title", "one & <two>\nlines")
    assert repr(service) == str(service) == "JSON (json://***, line 3)"


def test_a_mail_arrives(tmp_path: Path) -> None:
    mail = MailSink()
    try:
        (service,) = load_services(file_of(tmp_path, mail.address))
        assert service.send("a title", "one line")
    finally:
        mail.close()
    (found,) = mail.mails
    assert "Subject: a title" in found
    assert "To: trader@example.com" in found
    assert "one line" in email.message_from_string(found).as_string()


def test_a_service_that_refuses_or_is_away_has_not_taken_it(sink: NoticeSink, tmp_path: Path) -> None:
    (service,) = load_services(NoticesSettings(enabled=True, addresses_file=sink.file_in(tmp_path)))
    sink.refusals = 1
    assert not service.send("title", "text")
    (away,) = load_services(file_of(tmp_path, "json://127.0.0.1:1"))
    assert not away.send("title", "text")


def test_an_exception_of_the_library_is_a_failure_without_its_words() -> None:
    def broken(title: str, text: str) -> bool:
        raise RuntimeError("no route to tgram://SecretToken")

    with capture_logs() as logged:
        assert not Service(1, "Telegram", "tgram", broken).send("title", "text")
    assert logged == [
        {
            "event": "notice_service_failed",
            "service": "Telegram (tgram://***, line 1)",
            "error": "RuntimeError",
            "log_level": "warning",
        }
    ]


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=st.from_regex(re.compile(r"[A-Z][a-z]{3}[0-9]{4}[A-Za-z]{4}", re.ASCII), fullmatch=True))
@pytest.mark.parametrize("shape", SECRETS)
def test_nothing_of_an_address_is_shown(
    shape: str, secret: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not in logs at any level, in errors, in `str` or in what is printed, whatever goes wrong."""
    config = file_of(tmp_path, shape.format(secret))
    shown = [str(config), repr(config)]
    with caplog.at_level(logging.DEBUG):
        try:
            services = load_services(config)
        except ConfigurationError as error:
            shown.append(f"{error} {error!r} {error.__cause__} {error.__context__}")
        else:
            shown += [str(services), str([vars(one)["masked"] for one in services])]
            if "127.0.0.1:1" in shape:  # the others would ask the Internet
                assert not services[0].send("title", "text")
    printed = capfd.readouterr()
    everything = " ".join((*shown, caplog.text, printed.out, printed.err)).lower()
    assert secret.lower() not in everything
