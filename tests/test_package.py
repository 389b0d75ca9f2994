"""What the packaging files promise, and what importing the package must not do."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

import sklkd

tomllib = pytest.importorskip("tomllib")  # from Python 3.11 on

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SOURCES = sorted((ROOT / "sklkd").rglob("*.py"))


def pins(name: str) -> dict[str, str]:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def test_core_dependencies_and_their_lower_bounds_are_what_make_oldest_tests():
    bounds = dict(requirement.split(">=") for requirement in PROJECT["dependencies"])
    assert set(bounds) == {"numpy", "scipy", "scikit-learn", "torch", "skorch"}
    del bounds["torch"]  # of which no older build for a CPU is to be had: guide/versions.rst says how it was tried
    oldest = pins("constraints-oldest.txt")
    assert {name: Version(oldest[name]).release[:2] for name in bounds} == {
        name: Version(bound).release[:2] for name, bound in bounds.items()
    }


def test_continuous_integration_runs_on_the_lower_bounds():
    targets = re.search(r"^for target in (.*); do$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert "oldest-part" in targets[1].split()


def test_constraints_pin_every_direct_requirement_that_ci_installs():
    extras = PROJECT["optional-dependencies"]
    wanted = {"numpy", "scipy", "scikit-learn", "torch", "skorch"}
    wanted |= {name for extra in ("onnx", "plot", "test", "docs", "lint") for name in extras[extra]}
    wanted = {name.lower() for name in wanted if not name.startswith("sklkd[")}
    assert wanted <= {name.lower() for name in pins("constraints.txt")}


def test_constraints_are_plain_pins():
    for name in ("constraints.txt", "constraints-oldest.txt"):
        for line in (ROOT / name).read_text().splitlines():
            assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line), line


def test_the_citation_is_of_this_version():
    lines = (ROOT / "CITATION.cff").read_text().splitlines()
    assert f"version: {sklkd.__version__}" in lines


def test_everything_exported_exists_and_is_documented():
    for name in sklkd.__all__:
        assert name == "__version__" or getattr(sklkd, name).__doc__, name


def test_import_leaves_the_extras_alone():
    extras = "catboost dask lightgbm matplotlib onnx onnxruntime pandas polars skl2onnx xgboost"
    # what scikit-learn and skorch import by themselves is not ours
    code = f"""
        import sys, skorch, sklearn.ensemble, sklearn.pipeline, sklearn.utils.estimator_checks
        before = set(sys.modules)
        from sklkd import *
        from sklkd import augment, losses, students, teachers
        print(*[name for name in {extras.split()} if name in set(sys.modules) - before])
    """
    code = "\n".join(line.strip() for line in code.splitlines())
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert found == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_private_names_of_scikit_learn_are_imported_in_one_file_only(path):
    if path == ROOT / "sklkd" / "_sklearn.py":
        return
    imported = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            imported += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
    private = [name for name in imported if name.startswith("sklearn.") and "._" in name]
    assert private == []
