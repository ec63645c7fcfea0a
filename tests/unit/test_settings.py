"""Settings: the environment, overridden by what the command line says."""

from __future__ import annotations

import click
import pydantic
import pytest
from click.testing import CliRunner

from runtime import options
from runtime.kafka import producer_config
from runtime.metrics import Catalogue
from runtime.settings import Settings


def shown(*arguments: str) -> Settings:
    """The settings that a service's command gets."""
    got: list[Settings] = []

    @click.command()
    @options.with_settings(*options.SERVICE)
    @click.option("--count", type=int, default=1)
    def command(settings: Settings, count: int) -> None:
        got.append(settings)
        click.echo(f"count {count}")

    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return got[0]


def test_an_option_wins_over_the_environment_and_that_over_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_BOOTSTRAP", "kafka:9092")
    monkeypatch.setenv("TRUNKLINE_SLOT", "4")
    settings = shown("--slot", "2", "--count", "3")
    assert (settings.bootstrap, settings.slot, settings.host) == ("kafka:9092", 2, "127.0.0.1")


def test_a_slot_of_zero_on_the_command_line_is_not_taken_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_SLOT", "4")
    assert shown("--slot", "0").slot == 0


@pytest.mark.parametrize(("name", "value"), [("SLOT", "-1"), ("PORT", "65536"), ("KEYED_PARTITIONS", "0")])
def test_a_setting_out_of_range_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"TRUNKLINE_{name}", value)
    with pytest.raises(pydantic.ValidationError, match=name.lower()):
        Settings()


def test_a_prefix_keeps_installations_apart_in_every_name() -> None:
    settings = Settings(prefix="blue.", slot=3)
    assert settings.topic("interactions.offered") == "blue.interactions.offered"
    assert settings.registry_name("blue.interactions.offered") == "interactions.offered"
    assert settings.service_id("router") == "blue.router-3"
    assert settings.state_folder("router").name == "blue.router-3"


def test_the_id_of_a_process_depends_on_nothing_but_service_prefix_and_slot() -> None:
    assert Settings(slot=1).service_id("router") == Settings(slot=1, port=99).service_id("router")
    assert Settings(slot=1).service_id("router") != Settings(slot=2).service_id("router")


def test_every_option_is_a_setting_and_says_so_in_the_same_words() -> None:
    @click.command()
    @options.with_settings(*options.SERVICE)
    def command(settings: Settings) -> None: ...

    helps = {parameter.name: getattr(parameter, "help", None) for parameter in command.params}
    assert helps == {name: Settings.model_fields[name].description for name in options.SERVICE}


def test_every_metric_is_ours_by_name_and_has_a_sentence() -> None:
    families = [family for family in Catalogue().registry.collect() if not family.name.startswith("process_")]
    assert len(families) > 10
    assert all(family.name.startswith("trunkline_") for family in families)
    assert all(family.documentation.endswith(".") for family in families)


def test_two_catalogues_count_apart() -> None:
    one, other = Catalogue(), Catalogue()
    one.decisions.labels("repeat").inc()
    assert one.registry.get_sample_value("trunkline_decisions_total", {"pool": "repeat"}) == 1
    assert other.registry.get_sample_value("trunkline_decisions_total", {"pool": "repeat"}) is None


def test_a_producer_sends_one_request_at_a_time() -> None:
    # With several, the second to a new partition may be taken where the first was refused: decision 0015.
    assert producer_config(Settings())["max.in.flight.requests.per.connection"] == 1
