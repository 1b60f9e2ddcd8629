"""Nothing that can run while it is read is ever loaded: every call of every package is looked at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("data_schemas", "sync", "modalities", "fusion", "pipeline", "benchmarks", "docs")
CHECKED = "modalities/torchscript.py"
"""The one place that loads TorchScript, after it has looked into the file."""
UNPICKLERS = ("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "joblib", "jsonpickle", "torch", "yaml")
LOADERS = ("load", "loads", "load_all", "full_load", "unsafe_load", "unsafe_load_all", "Unpickler")
ALWAYS = ("read_pickle", "Unpickler", "unsafe_load", "load_state_dict_from_url")


def refused(text: str, file: str = "some.py") -> Iterator[str]:
    """What a source text loads that could be a pickle."""
    tree = ast.parse(text)
    names = _imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            found = [f"{getattr(node, 'module', None) or ''}.{one.name}".strip(".") for one in node.names]
            yield from (one for one in found if one.split(".")[0] in ("shelve", "dill", "jsonpickle"))
        if not isinstance(node, ast.Call):
            continue
        whole = ".".join(_dotted(node.func, names))
        module, _, name = whole.rpartition(".")
        given = {one.arg: one.value for one in node.keywords}
        if "allow_pickle" in given and not _is_false(given["allow_pickle"]):
            yield f"{whole}(allow_pickle=...)"
        script = module == "torch.jit" and name == "load"
        unpickler = module.split(".")[0] in UNPICKLERS and name in LOADERS and not (script and file == CHECKED)
        if unpickler or name in ALWAYS:
            yield whole
        elif whole == "numpy.load" and "allow_pickle" not in given:
            yield f"{whole} without allow_pickle=False"


def _imported(tree: ast.AST) -> dict[str, str]:
    """Name in the source -> what it stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update({one.asname: one.name for one in node.names if one.asname})
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update({one.asname or one.name: f"{node.module}.{one.name}" for one in node.names})
    return names


def _dotted(node: ast.expr, names: dict[str, str]) -> list[str]:
    if isinstance(node, ast.Attribute):
        return [*_dotted(node.value, names), node.attr]
    return names.get(node.id, node.id).split(".") if isinstance(node, ast.Name) else ["?"]


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_is_ever_unpickled(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    found = {
        file.relative_to(ROOT).as_posix(): told
        for file in files
        if (told := list(refused(file.read_text(encoding="utf-8"), file.relative_to(ROOT).as_posix())))
    }
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "import pickle\npickle.load(f)",
        "import pickle as p\np.loads(b)",
        "from pickle import loads as read\nread(b)",
        "from pickle import Unpickler\nUnpickler(f).load()",
        "import torch\ntorch.load(f)",
        "import torch\ntorch.load(f, weights_only=True)",
        "def a():\n    from torch import load\n    load(f)",
        "import torch\ntorch.jit.load(f)",
        "from torch import jit\njit.load(f)",
        "import joblib\njoblib.load(f)",
        "import yaml\nyaml.load(f, yaml.SafeLoader)",
        "import numpy as np\nnp.load(f)",
        "import numpy as np\nnp.load(f, allow_pickle=True)",
        "import numpy as np\nnp.load(f, allow_pickle=some)",
        "import numpy as np\nnp.lib.format.read_array(f, allow_pickle=True)",
        "import pandas as pd\npd.read_pickle(f)",
        "import shelve",
    ],
)
def test_each_way_to_unpickle_is_seen(text: str) -> None:
    assert list(refused(text))


def test_safe_ways_pass_and_torchscript_is_loaded_in_one_place() -> None:
    safe = "import json, yaml\nimport numpy as np\nnp.load(f, allow_pickle=False)\njson.load(f)\nyaml.safe_load(f)"
    assert list(refused(safe)) == []
    script = "import torch\ntorch.jit.load(f)"
    assert list(refused(script, CHECKED)) == [] and list(refused(script, "modalities/voice/embedding.py"))
    assert "check_torchscript(file" in (ROOT / CHECKED).read_text().split("torch.jit.load(")[0]
