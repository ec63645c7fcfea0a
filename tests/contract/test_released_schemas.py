"""Records under every schema that was ever released can be read, and a change that would end that is refused."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.avro_schema import avro_schema, fingerprint
from schemas.codec import Codec
from schemas.errors import SchemaError
from schemas.events import BY_NAME
from schemas.fields import Event
from schemas.interactions import Decision, Offered, Turn
from schemas.released import FILE, Released, check, current_schemas, read_released, release, released_schema
from tests.avro_data import seen_by, written_under
from tests.strategies import events

Schema = dict[str, Any]
Change = Callable[[Schema], None]


def version(kind: type[Event], change: Change = lambda schema: None) -> Released:
    """A released version of a type: its present schema, changed."""
    schema = copy.deepcopy(avro_schema(kind))
    change(schema)
    return Released(kind.__name__, fingerprint(schema), schema)


def field(schema: Schema, name: str) -> Schema:
    return next(f for f in schema["fields"] if f["name"] == name)


def without(name: str) -> Change:
    return lambda schema: schema["fields"].remove(field(schema, name))


def retyped(name: str, avro_type: Any) -> Change:
    return lambda schema: field(schema, name).update(type=avro_type)


def judge(kind: type[Event], change: Change) -> None:
    """Judge a change to the present type against its present version as the released one."""
    check({kind.__name__: version(kind, change).schema}, [version(kind)])


def _older(schema: Schema) -> None:
    """It lacked a field with a default, had one that is gone, and a whole number for a fraction."""
    without("first_decision_id")(schema)
    retyped("confidence", "long")(schema)
    schema["fields"].insert(3, {"name": "skill", "type": "string"})


CODEC = Codec()
OLDER = version(Decision, _older)
OLDER_CODEC = Codec(released={OLDER.fingerprint: OLDER.schema}.get)


def test_every_present_schema_is_released() -> None:
    known = {(row.name, row.fingerprint) for row in read_released()}
    missing = [name for name, schema in current_schemas().items() if (name, fingerprint(schema)) not in known]
    assert not missing, "run `make schemas`: it checks the new versions and adds them to schemas/released.jsonl"


def test_every_released_version_stands_under_its_own_fingerprint() -> None:
    rows = read_released()
    assert all(fingerprint(row.schema) == row.fingerprint for row in rows)
    assert len({row.fingerprint for row in rows}) == len(rows)


def test_the_present_types_can_read_every_released_version() -> None:
    check(current_schemas(), read_released())


@settings(max_examples=30, deadline=None)
@given(row=st.sampled_from(read_released()), data=st.data())
def test_records_of_every_released_version_are_decoded(row: Released, data: st.DataObject) -> None:
    event = data.draw(events(BY_NAME[row.name]))
    decoded = CODEC.decode(written_under(row.schema, event))
    assert seen_by(row.schema, decoded) == seen_by(row.schema, event)


@settings(max_examples=30, deadline=None)
@given(event=events(Decision))
def test_a_record_of_an_older_released_version_needs_no_schemas_topic(event: Decision) -> None:
    whole = float(int(event.confidence))
    expected = msgspec.structs.replace(event, first_decision_id=None, confidence=whole)
    assert OLDER_CODEC.decode(written_under(OLDER.schema, event)) == expected


def test_the_codec_knows_the_released_versions_of_the_package() -> None:
    row = read_released()[0]
    assert released_schema(row.fingerprint) == row.schema
    assert released_schema(b"\0" * 8) is None


def test_the_released_file_belongs_to_the_package() -> None:
    assert FILE.parent.name == "schemas"


@pytest.mark.parametrize(
    ("kind", "change", "names", "remedy"),
    [
        (Turn, lambda s: s["fields"].append({"name": "tariff", "type": "double"}), "tariff", "give it a default"),
        (Turn, retyped("latency_ms", "string"), "latency_ms", "keep the old type"),
        (Turn, retyped("latency_ms", "long"), "latency_ms", "keep the old type"),
        (Turn, retyped("number", ["null", "string"]), "number", "keep the old types"),
        (Turn, lambda s: field(s, "quality").update(type="double", default=0.0), "quality", "keep the old type"),
        (Turn, lambda s: field(s, "endpoint").update(name="agent"), "agent", "give it a default"),
        (Turn, lambda s: s.update(name="AgentTurn"), "Turn", "keep its old name"),
        (
            Decision,
            lambda s: field(s, "thresholds")["type"]["fields"].append({"name": "least", "type": "double"}),
            "thresholds.least",
            "give it a default",
        ),
        (
            Decision,
            lambda s: field(s, "reasons")["type"]["items"]["fields"].append({"name": "weight", "type": "long"}),
            "reasons.weight",
            "give it a default",
        ),
        (
            Offered,
            lambda s: field(s, "classification")["type"][1]["fields"].append({"name": "rank", "type": "long"}),
            "classification",
            "keep the old types",
        ),
    ],
    ids=[
        "new field without a default",
        "number to text",
        "fraction to whole number",
        "type taken out of a union",
        "null no longer allowed",
        "renamed field",
        "renamed type",
        "new field without a default in a nested record",
        "new field without a default in the records of a list",
        "new field without a default in an optional record",
    ],
)
def test_a_change_that_breaks_readers_is_refused_by_name(
    kind: type[Event], change: Change, names: str, remedy: str
) -> None:
    with pytest.raises(SchemaError) as refused:
        judge(kind, change)
    said = str(refused.value)
    assert f"{kind.__name__} cannot read" in said
    assert names in said
    assert remedy in said


def test_a_default_that_is_taken_away_is_refused_while_records_without_the_field_exist() -> None:
    first, second = version(Turn, without("quality")), version(Turn)
    third = version(Turn, lambda schema: field(schema, "quality").pop("default"))
    assert third.fingerprint == second.fingerprint, "the second version alone would not tell them apart"
    with pytest.raises(SchemaError, match=r"Turn cannot read .*quality.*give it a default"):
        check({"Turn": third.schema}, [first, second])


def test_a_type_that_is_gone_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"Turn cannot read .*the type is gone: keep it"):
        check({}, [version(Turn)])


def test_all_problems_are_named_at_once() -> None:
    def change(schema: Schema) -> None:
        retyped("latency_ms", "string")(schema)
        schema["fields"].append({"name": "tariff", "type": "double"})

    with pytest.raises(SchemaError, match=r"(?s)latency_ms, tariff.*Offered cannot read"):
        check({"Turn": version(Turn, change).schema}, [version(Turn), version(Offered)])


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["fields"].append({"name": "tariff", "type": "double", "default": 0.0}),
        lambda s: s["fields"].append({"name": "tariff", "type": ["null", "double"], "default": None}),
        without("quality"),
        retyped("number", "double"),
        retyped("number", ["null", "long"]),
        lambda s: s.update(doc="said better"),
        lambda s: s["fields"].reverse(),
    ],
    ids=[
        "new field with a default",
        "new nullable field",
        "field taken out",
        "whole number to fraction",
        "null allowed",
        "another description",
        "another order",
    ],
)
def test_a_change_that_readers_survive_is_accepted(change: Change) -> None:
    judge(Turn, change)


def test_a_whole_number_of_32_bits_may_become_one_of_64() -> None:
    check({"Turn": version(Turn).schema}, [version(Turn, retyped("number", "int"))])


def test_a_release_adds_what_is_new_and_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "released.jsonl"
    first = {"Turn": version(Turn, without("quality")).schema, "Offered": avro_schema(Offered)}
    second = {"Turn": avro_schema(Turn), "Offered": avro_schema(Offered)}
    assert release(first, path) == ["Turn", "Offered"]
    assert release(second, path) == ["Turn"]
    assert release(second, path) == []
    assert [row.name for row in read_released(path)] == ["Turn", "Offered", "Turn"]
    line = json.loads(path.read_text().splitlines()[-1])
    assert (line["name"], bytes.fromhex(line["fingerprint"])) == ("Turn", fingerprint(avro_schema(Turn)))


def test_a_release_that_is_refused_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "released.jsonl"
    release({"Turn": avro_schema(Turn)}, path)
    before = path.read_bytes()
    with pytest.raises(SchemaError):
        release({"Turn": version(Turn, retyped("number", "string")).schema, "Offered": avro_schema(Offered)}, path)
    assert path.read_bytes() == before


def test_without_the_comparing_library_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "avro.compatibility", None)
    with pytest.raises(SchemaError, match="make install"):
        check(current_schemas(), read_released())
