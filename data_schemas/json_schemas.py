"""JSON Schemas of the files that other programs read: manifest and result. `make schemas` writes them."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from data_schemas.result import ResultRecord, SyncReport
from data_schemas.session import Manifest

FOLDER = Path(__file__).with_name("json")
MODELS: dict[str, type[BaseModel]] = {"manifest": Manifest, "result": ResultRecord, "sync": SyncReport}


def schema_text(name: str) -> str:
    """The JSON Schema (draft 2020-12) of "manifest", "result" or "sync", as the committed file has it."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **MODELS[name].model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write_schemas(folder: Path = FOLDER) -> list[Path]:
    """Write all schemas into a folder and return their paths."""
    paths = []
    for name in MODELS:
        path = folder / f"{name}.schema.json"
        path.write_text(schema_text(name), encoding="utf-8", newline="\n")
        paths.append(path)
    return paths


if __name__ == "__main__":
    write_schemas()
