"""Sphinx configuration. The build needs no network: no intersphinx, no fonts or scripts from elsewhere."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from typing import Any

import sklkd

project = "sklkd"
author = "the sklkd developers"
project_copyright = "2026, the sklkd developers"
version = release = sklkd.__version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]

# The reference lists what each package exports in __all__ (docs/_templates/module.rst): a new loss appears by itself.
autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "/plot_",
    "ignore_pattern": r"(^|/)_data\.py$",
    "download_all_examples": False,
    "abort_on_example_error": True,
    "show_memory": False,
    "remove_config_comments": True,
}

# pictures of the guide, drawn by docs/pictures/*.py
plot_html_show_source_link = plot_html_show_formats = False
plot_formats = [("svg", 100)]

html_theme = "pydata_sphinx_theme"
html_theme_options = {"navigation_with_keys": False, "show_prev_next": False}
html_title = "sklkd"
html_show_sourcelink = False
# pages of their own have no section to navigate in, and tables that need the room
ALONE = ("install", "quickstart", "coming_from", "troubleshooting", "glossary", "benchmarks", "reliability")
html_sidebars: dict[str, list[str]] = {page: [] for page in ALONE}


def skip_foreign(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out of a class's page what it inherits from scikit-learn, skorch or torch."""
    module = getattr(getattr(obj, "fget", obj), "__module__", None) or ""
    return None if module.startswith("sklkd") else True


def write_results(app: Any) -> None:
    """Write the tables of benchmarks.rst, from the results that the repository keeps."""
    made = run_path(str(Path(app.srcdir).parent / "benchmarks" / "tables.py"))
    folder = Path(app.srcdir) / "generated" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in made["TABLES"].items():
        (folder / f"{name}.txt").write_text(made["rst"](*table()))
    (folder / "summary.txt").write_text(made["summary"]() + "\n")


def setup(app: Any) -> None:
    app.connect("builder-inited", write_results)
    app.connect("autodoc-skip-member", skip_foreign)
