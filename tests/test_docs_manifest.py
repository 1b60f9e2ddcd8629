"""The reference of session.toml and of the configuration: complete, and never older than the models."""

from __future__ import annotations

import re
import tomllib
from typing import get_args

import pytest
from pydantic import BaseModel

from data_schemas import session
from data_schemas.session import Manifest
from docs.manifest_page import CHANNELS, FILE, MEANINGS, TABLES, _settings, page, table
from pipeline.config import Config


def _within(annotation: object) -> set[type[BaseModel]]:
    """The models that a type mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return set().union(*map(_within, get_args(annotation)))


def test_the_page_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == page(), "run python -m docs.manifest_page"


def test_every_model_of_the_manifest_has_its_table() -> None:
    found, new = set(), {Manifest}
    while new:
        found |= new
        new = set().union(*(_within(f.annotation) for model in new for f in model.model_fields.values())) - found
    assert found == set(TABLES)


@pytest.mark.parametrize("model", [*TABLES, Config])
def test_every_key_has_one_row_with_a_meaning(model: type[BaseModel]) -> None:
    rows = [line for line in table(model).splitlines()[2:] if line]
    assert [re.findall(r"`(\w+)`", row)[0] for row in rows] == list(model.model_fields)
    for row, (name, field) in zip(rows, model.model_fields.items(), strict=True):
        assert len(row.split(" | ")) == 4 and row.removesuffix(" |").split(" | ")[-1].strip()
        assert ("required" in row.split(" | ")[2]) == field.is_required(), name
    assert table(model) in page()


def test_no_meaning_is_left_over() -> None:
    undescribed = {
        f"{model.__name__}.{name}"
        for model in (*TABLES, Config)
        for name, field in model.model_fields.items()
        if not field.description
    }
    assert set(MEANINGS) == undescribed
    assert _settings().count("\n") + 1 == sum(map(len, CHANNELS.values()))


def test_the_example_is_a_manifest() -> None:
    example, setting = re.findall(r"```toml\n(.*?)```", page(), re.S)
    assert session.Manifest.model_validate(tomllib.loads(example)).clocks["camera"].align == "sound"
    assert Config.model_validate(tomllib.loads(setting)).settings == {"body": {"pose_hz": 15}}


def test_the_readme_names_every_page_for_users_and_the_way_to_the_command() -> None:
    readme = (FILE.parent.parent / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in sorted(FILE.parent.glob("*.md")) if f"docs/{page.name}" not in readme] == []
    assert "source .venv/bin/activate" in readme and "git clone" in readme
