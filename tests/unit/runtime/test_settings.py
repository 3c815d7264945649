"""Layers in their order; an unknown key, a wrong value or an impossible combination is refused in one sentence."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.settings import (
    LISTS,
    PROJECT,
    RUNTIME_OVERLAY,
    Settings,
    layers_of,
    load_settings,
    merge,
    read_layer,
)
from tests.unit.runtime.configurations import configured

SECRET = "s3cret-value"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings but the test's own, and no local stack's overlay."""
    for name in os.environ:
        if name.upper().startswith("ALPHA_PANDA"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A folder with a base layer and a profile."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "base.yaml").write_text(
        "brokers: {paper: {enabled: true}}\nkafka: {partitions: 2, bootstrap: 'base:1'}\n"
    )
    (folder / "demo.yaml").write_text("kafka: {bootstrap: 'demo:1'}\n")
    return folder


def refusal(config: Path, profile: str = "base") -> str:
    """The one sentence `load_settings` refuses with."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(profile, config=config)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_later_layers_win_key_by_key(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings("base", config=config).kafka.bootstrap == "base:1"
    demo = load_settings("demo", config=config)
    assert (demo.kafka.bootstrap, demo.kafka.partitions, demo.profile) == ("demo:1", 2, "demo")
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / RUNTIME_OVERLAY).write_text("kafka: {bootstrap: 'stack:1'}\n")
    assert load_settings("demo", config=config).kafka.bootstrap == "stack:1"
    monkeypatch.setenv("ALPHA_PANDA__KAFKA__BOOTSTRAP", "environment:1")
    loaded = load_settings("demo", config=config)
    assert (loaded.kafka.bootstrap, loaded.kafka.partitions) == ("environment:1", 2)


def test_environment_reaches_into_a_broker(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHA_PANDA__BROKERS__PAPER__START_CASH", "250000.50")
    paper = load_settings("base", config=config).brokers["paper"]
    assert (paper.enabled, paper.start_cash) == (True, Decimal("250000.50"))


def test_profile_comes_from_the_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHA_PANDA_PROFILE", "demo")
    assert load_settings(config=config).kafka.bootstrap == "demo:1"


def test_without_a_profile_it_is_the_one_of_the_stack_that_runs(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise commands in another terminal would speak of other brokers."""
    monkeypatch.setenv("ALPHA_PANDA__STACK__STATE_DIRECTORY", str(tmp_path))
    assert load_settings(config=config).profile == "base"
    (tmp_path / RUNTIME_OVERLAY).write_text("profile: demo\n")
    assert (load_settings(config=config).profile, load_settings(config=config).kafka.bootstrap) == ("demo", "demo:1")
    assert load_settings("base", config=config).profile == "base"
    monkeypatch.setenv("ALPHA_PANDA_PROFILE", "base")
    assert load_settings(config=config).profile == "base"


def test_overlay_is_read_from_the_configured_state_directory(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("layer", "environment"):
        (tmp_path / name).mkdir()
        (tmp_path / name / RUNTIME_OVERLAY).write_text(f"kafka: {{bootstrap: '{name}:1'}}\n")
    (config / "demo.yaml").write_text(f"stack: {{state_directory: {tmp_path / 'layer'}}}\n")
    assert load_settings("demo", config=config).kafka.bootstrap == "layer:1"
    monkeypatch.setenv("ALPHA_PANDA__STACK__STATE_DIRECTORY", str(tmp_path / "environment"))
    assert load_settings("demo", config=config).kafka.bootstrap == "environment:1"


@pytest.mark.parametrize(
    ("yaml", "sentence"),
    [
        ("kafak: {}", "kafak: unknown key"),
        ("kafka: {bootstrp: 'a:1'}", "kafka.bootstrp: unknown key"),
        ("brokers: {paper: {enabeld: true}}", "brokers.paper.enabeld: unknown key"),
        ("kafka: {partitions: 0}", "kafka.partitions: "),
        ("kafka: {partitions: 65}", "kafka.partitions: "),
        ("kafka: {partitions: many}", "kafka.partitions: "),
        ("kafka: 5", "kafka: "),
        ("redis: {port: 65536}", "redis.port: "),
        ("redis: {port: 0}", "redis.port: "),
        ("delivery: {retry_first_seconds: 0}", "delivery.retry_first_seconds: "),
        ("delivery: {retry_first_seconds: .nan}", "delivery.retry_first_seconds: "),
        ("risk: {max_daily_loss: .nan}", "risk.max_daily_loss: "),
        ("risk: {max_daily_loss: 0}", "risk.max_daily_loss: "),
        ("kite: {egress_address: 11.22.33}", "kite.egress_address: "),
        ("kite: {bind_address: localhost}", "kite.bind_address: "),
        ("kite: {clock_tolerance_seconds: 0}", "kite.clock_tolerance_seconds: "),
        ("brokers: {paper: {least_funds: -1}}", "brokers.paper.least_funds: "),
        ("log: {level: loud}", "log.level: "),
        ("namespace: 'Replay.'", "namespace: "),
        ("namespace: 'replay'", "namespace: "),
        ("brokers: {paper: {account: 'a b'}}", "brokers.paper.account: "),
        ("brokers: {paper: {enabled: false}}", "no broker is enabled"),
        ("brokers: {paper: {execution: live}}", "brokers.paper.execution: only zerodha can trade live"),
        ("brokers: {paper: {execution: imagined}}", "brokers.paper.execution: "),
        ("brokers: {shared: {enabled: true}}", "'shared' cannot be used"),
        ("brokers: {a.b: {enabled: true}}", "'a.b' cannot be used"),
        ("brokers: {market: {enabled: true}}", "'market' cannot be used"),
        ("brokers: {control: {enabled: true}}", "'control' cannot be used"),
        ("brokers: {z\u00e9rodha: {enabled: true}}", "cannot be used"),
        ("brokers: {'': {enabled: true}}", "'' cannot be used"),
        ("1: {}", "1"),
        ("[1, 2]", "must hold a mapping, not a list"),
        ("just text", "must hold a mapping, not a str"),
        ("kafka: {", "is not valid YAML"),
        ("\x00", "is not valid YAML"),
        ("stack: 5", "stack: "),
        ("stack: {state_directory: 5}", "stack.state_directory: "),
    ],
)
def test_what_is_wrong_is_named(config: Path, yaml: str, sentence: str) -> None:
    (config / "demo.yaml").write_text(yaml)
    assert sentence in refusal(config, "demo")


@pytest.mark.parametrize("section", [*Settings.model_fields])
def test_empty_section_is_refused_with_its_name(config: Path, section: str) -> None:
    (config / "demo.yaml").write_text(f"{section}:\n")
    if section != "profile":  # the profile is what was asked for, whatever a layer says
        assert f"{section}: " in refusal(config, "demo")


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("ALPHA_PANDA__KAFKA__BOOTSTRP", "a:1", "kafka.bootstrp: unknown key"),
        ("ALPHA_PANDA__KAFAK__BOOTSTRAP", "a:1", "kafak: unknown key"),
        ("alpha_panda__namesace", "a.", "namesace: unknown key"),
        ("ALPHA_PANDA__KAFKA__PARTITIONS", "many", "kafka.partitions: "),
        ("ALPHA_PANDA__KAFKA", "{not json", "kafka"),
        ("ALPHA_PANDA__KAFKA", "5", "kafka: "),
        ("ALPHA_PANDA__BROKERS__PAPER__EXECUTION", "live", "brokers.paper.execution"),
    ],
)
def test_wrong_environment_is_refused(
    config: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, where: str
) -> None:
    monkeypatch.setenv(name, value)
    assert where in refusal(config)


def test_several_mistakes_are_named_at_once(config: Path) -> None:
    (config / "demo.yaml").write_text("kafka: {partitions: 0}\nredis: {prot: 1}\n")
    sentence = refusal(config, "demo")
    assert "kafka.partitions" in sentence
    assert "redis.prot: unknown key" in sentence


def test_unknown_profile_names_the_known_ones_and_no_lists(config: Path) -> None:
    for name in LISTS:
        (config / f"{name}.yaml").write_text("all: true\n")
    sentence = refusal(config, "prod")
    assert "'prod'" in sentence
    assert sentence.endswith("known profiles: base, demo")


def test_layer_that_cannot_be_read_is_refused(config: Path) -> None:
    (config / "demo.yaml").write_bytes(b"\xff\xfe\xfa")
    assert "demo.yaml" in refusal(config, "demo")
    (config / "demo.yaml").unlink()
    (config / "demo.yaml").mkdir()
    assert "demo.yaml" in refusal(config, "demo")


def test_absent_or_empty_layer_is_empty(tmp_path: Path) -> None:
    assert read_layer(tmp_path / "nothing.yaml") == {}
    (tmp_path / "empty.yaml").write_text("# only a comment\n")
    assert read_layer(tmp_path / "empty.yaml") == {}


def test_merge_goes_down_into_mappings_only() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    assert merge(base, {"a": {"c": [3]}, "d": {"e": 2}}) == {"a": {"b": 1, "c": [3]}, "d": {"e": 2}}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 1}


def test_secret_is_never_printed(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHA_PANDA__KITE__API_KEY", SECRET)
    loaded = load_settings("base", config=config)
    assert loaded.kite.api_key is not None
    assert loaded.kite.api_key.get_secret_value() == SECRET
    for shown in (repr(loaded), str(loaded), str(loaded.model_dump()), loaded.model_dump_json()):
        assert SECRET not in shown


def test_a_secret_may_be_in_a_file_and_the_environment_wins(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text(f"{SECRET}\n")
    (config / "demo.yaml").write_text(f"kite: {{api_key_file: {file}}}")
    found = load_settings("demo", config=config).kite.api_key
    assert found is not None
    assert found.get_secret_value() == SECRET
    monkeypatch.setenv("ALPHA_PANDA__KITE__API_KEY", "another")
    found = load_settings("demo", config=config).kite.api_key
    assert found is not None
    assert found.get_secret_value() == "another"
    monkeypatch.delenv("ALPHA_PANDA__KITE__API_KEY")
    file.unlink()
    assert f"api_key_file {file}: No such file" in refusal(config, "demo")


@pytest.mark.parametrize(
    "yaml",
    [
        f"kite: {{api_key: ['{SECRET}']}}",
        f"kite:\n  api_key: '{SECRET}\n",
        f"kite: {{api_key: {SECRET}, [}}",
        f"kite: {{api_key: {SECRET}: x: y}}",
        f"kite: {{api_key: {SECRET}}}\nkafka: {{partitions: 0}}",
        f"kite: '{SECRET}'",
    ],
)
def test_refusal_never_repeats_a_secret(config: Path, yaml: str) -> None:
    (config / "demo.yaml").write_text(yaml)
    assert SECRET not in refusal(config, "demo")


def test_broken_yaml_is_located(config: Path) -> None:
    (config / "demo.yaml").write_text("kafka:\n  partitions: 2\n bootstrap: x\n")
    assert "line 3" in refusal(config, "demo")


def test_settings_cannot_be_changed() -> None:
    settings = configured()
    with pytest.raises(ValidationError):
        settings.namespace = "other."
    with pytest.raises(ValidationError):
        settings.kafka.partitions = 9


def test_brokers_are_in_a_stable_order_with_their_accounts() -> None:
    settings = configured(brokers={"zerodha": {"enabled": True, "account": "two"}, "paper": {"enabled": True}})
    assert settings.enabled_brokers == ("paper", "zerodha")
    assert [settings.account_key(broker) for broker in settings.enabled_brokers] == ["paper:main", "zerodha:two"]


@pytest.mark.parametrize("profile", sorted(path.stem for path in (PROJECT / "config").glob("*.yaml")))
def test_every_shipped_profile_loads(profile: str) -> None:
    if profile in LISTS:
        return
    assert load_settings(profile).enabled_brokers
    names = [name for name, _ in layers_of(profile)]
    assert names[0] == "base.yaml"
    assert names[-1] == RUNTIME_OVERLAY


def test_default_is_paper_alone_without_credentials() -> None:
    base = load_settings("base")
    assert base.enabled_brokers == ("paper",)
    assert base.kite.api_key is None


def test_every_setting_has_a_meaning() -> None:
    for section in Settings.model_fields.values():
        kind = section.annotation
        fields = getattr(kind, "model_fields", {})
        assert fields or section.description
        assert all(field.description for field in fields.values()), kind
