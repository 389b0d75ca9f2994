"""The README's code runs, and what it shows is true."""

from __future__ import annotations

import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text()


def example() -> str:
    return re.search(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)[1]


def test_the_example_has_ten_lines():
    assert len(example().splitlines()) == 10


def test_the_example_compresses_the_forest(capsys):
    names: dict = {}
    exec(compile(example(), "README.md", "exec"), names)
    forest, student, X, y = (names[name] for name in ("forest", "student", "X_test", "y_test"))
    assert student.teacher_ is forest
    assert student.score(X, y) > forest.score(X, y) - 0.02
    parameters = sum(parameter.numel() for parameter in student.student_.module_.parameters())
    nodes = sum(tree.tree_.node_count for tree in forest.estimators_)
    assert parameters < nodes
    assert capsys.readouterr().out.strip()


def test_the_commands_are_targets_of_the_makefile():
    commands = re.findall(r"^    make (\w+)", README, re.MULTILINE)
    assert commands == ["compress", "test"]
    makefile = (Path(__file__).parents[1] / "Makefile").read_text()
    assert all(re.search(rf"^{command}:", makefile, re.MULTILINE) for command in commands)
