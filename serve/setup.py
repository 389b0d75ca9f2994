"""Takes into the wheel the modules of sklkd that the predictors import, under the name ``sklkd_serve``.

Two distributions that own the same files would break each other when one is updated or removed. These own no file
together, so that both may be installed, and the sources exist once.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parent / "sklkd"
ROOTS = ("_version", "export._predictor", "export._c_predictor")
VERSION = re.search(r'__version__ = "(.+)"', (SOURCES / "_version.py").read_text())


def path_of(module: str) -> Path:
    """The file of a module, named from below ``sklkd``."""
    path = SOURCES.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imported_by(source: str) -> set[str]:
    """The modules of sklkd that a module imports when it is itself imported."""
    nodes = [node for node in ast.parse(source).body if isinstance(node, ast.ImportFrom)]
    return {node.module.partition(".")[2] for node in nodes if (node.module or "").startswith("sklkd.")}


def modules() -> dict[str, str]:
    """What the predictors need, by path in the package, with its imports under the other name."""
    found: dict[str, str] = {"export/__init__.py": ""}  # that of sklkd offers what writes files, too
    left = list(ROOTS)
    while left:
        path = path_of(left.pop())
        name = path.relative_to(SOURCES).as_posix()
        if name not in found:
            source = path.read_text(encoding="utf-8")
            left += imported_by(source)
            source = re.sub(r"^(\s*from) sklkd\.", r"\1 sklkd_serve.", source, flags=re.MULTILINE)
            found[name] = source.replace("'sklkd[onnx]'", "'sklkd-serve[onnx]'")
    return found


class BuildPy(build_py):
    """The package's own file, and the modules of sklkd."""

    def run(self) -> None:
        super().run()
        for name, source in modules().items():
            path = Path(self.build_lib, "sklkd_serve", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, encoding="utf-8")


setup(version=VERSION[1], cmdclass={"build_py": BuildPy})
