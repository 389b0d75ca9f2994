"""Where the documentation is, as the installed package says it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, metadata


def page_of_estimators() -> str:
    """The address of an estimator's page in the reference, with ``{estimator_name}`` for its name; "" without a site.

    The site is the "Documentation" of ``[project.urls]`` in pyproject.toml.
    """
    try:
        urls = metadata("sklkd").get_all("Project-URL") or []
    except PackageNotFoundError:  # a folder of sources that was not installed
        return ""
    for label, _, url in (entry.partition(",") for entry in urls):
        if label.strip().lower() == "documentation":
            return f"{url.strip().rstrip('/')}/generated/sklkd.{{estimator_name}}.html"
    return ""
