"""The committed JSON Schemas are those that the models give, and examples validate against them."""

from __future__ import annotations

import json

import jsonschema
import pytest

from data_schemas.json_schemas import FOLDER, MODELS, schema_text
from data_schemas.session import Manifest


@pytest.mark.parametrize("name", sorted(MODELS))
def test_committed_schema_is_current(name: str) -> None:
    committed = (FOLDER / f"{name}.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(name), "run `make schemas` and commit"


def test_schema_accepts_a_manifest_and_refuses_a_typo() -> None:
    schema = json.loads(schema_text("manifest"))
    manifest = {
        "name": "p01",
        "people": [{"id": "p01"}],
        "streams": [{"name": "ecg", "kind": "ecg", "file": "a.csv", "clock": "session"}],
    }
    jsonschema.validate(manifest, schema)
    Manifest.model_validate(manifest)
    manifest["streams"][0]["flie"] = "b.csv"  # type: ignore[index]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest, schema)
