"""The tables on the repository's pages are those of the stored results."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

import pytest

ROOT = Path(__file__).parents[1]
MADE = run_path(str(ROOT / "benchmarks" / "tables.py"))


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("README.md", "chosen"),
        ("benchmarks/README.md", "quality"),
        ("benchmarks/README.md", "scale"),
        ("benchmarks/README.md", "latency"),
        ("benchmarks/README.md", "fuzzing"),
        ("benchmarks/README.md", "hinton_mnist"),
        ("benchmarks/README.md", "networks_on_mnist"),
        ("benchmarks/README.md", "compilers"),
        ("benchmarks/README.md", "compiling"),
        ("benchmarks/README.md", "peers"),
    ],
)
def test_a_table_on_a_page_is_that_of_the_results(page, name):
    assert MADE["markdown"](*MADE["TABLES"][name]()) in (ROOT / page).read_text()


@pytest.mark.parametrize("page", ["README.md", "benchmarks/README.md"])
def test_the_summary_on_a_page_is_that_of_the_results(page):
    assert MADE["summary"]().partition(": ")[2] in " ".join((ROOT / page).read_text().split())
