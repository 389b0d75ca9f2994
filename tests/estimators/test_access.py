"""Other packages read one private attribute of estimators, ``_fitted``."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import sklkd
from sklkd.estimators import _base, _classification, _regression, _without_teacher
from sklkd.estimators.offline._base import BaseOffline
from sklkd.estimators.online._base import BaseOnline
from sklkd.estimators.self_distillation._base import BaseSelf

ROOT = Path(sklkd.__file__).parent
BASES = [
    _base.BaseDistilled,
    _classification.Classification,
    _regression.Regression,
    _without_teacher.BaseWithoutTeacher,
    BaseOffline,
    BaseOnline,
    BaseSelf,
]
PRIVATE = {
    name
    for base in BASES
    for name in [*vars(base), *inspect.get_annotations(base)]
    if name.startswith("_") and not name.startswith("__")
} - {"_fitted", "_named", "_parameter_constraints"}


@pytest.mark.parametrize("package", ["report", "export"])
def test_private_attributes_of_estimators_are_read_by_none(package):
    read = {
        f"{path.name}: {node.attr}"
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in PRIVATE
        # a class may have methods of the same name
        if not (isinstance(node.value, ast.Name) and node.value.id == "self")
    }
    assert not read
