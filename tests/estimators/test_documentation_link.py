"""The link to the documentation in the diagrams of estimators."""

from __future__ import annotations

import sys

import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklkd

from .problems import classes, quick

SITE = "https://somewhere.example/stable"
ESTIMATORS = {
    "DistilledClassifier": sklkd.DistilledClassifier(LogisticRegression()),
    "DistilledRegressor": sklkd.DistilledRegressor(Ridge()),
    "OnlineDistilledClassifier": sklkd.OnlineDistilledClassifier(),
    "OnlineDistilledRegressor": sklkd.OnlineDistilledRegressor(),
    "SelfDistilledClassifier": sklkd.SelfDistilledClassifier(),
    "SelfDistilledRegressor": sklkd.SelfDistilledRegressor(),
}


def installed(monkeypatch, folder, *urls):
    """As if the package had been installed with these addresses in its metadata."""
    info = folder / "sklkd-99.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.4", "Name: sklkd", "Version: 99", *(f"Project-URL: {one}" for one in urls)]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])


@pytest.mark.parametrize("name", list(ESTIMATORS))
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_diagram_links_to_the_configured_documentation(name, slash, tmp_path, monkeypatch):
    installed(monkeypatch, tmp_path, "Source, https://elsewhere.example", f"Documentation, {SITE}{slash}")
    page = f'href="{SITE}/generated/sklkd.{name}.html"'
    assert page in ESTIMATORS[name]._repr_html_()
    assert page in make_pipeline(StandardScaler(), ESTIMATORS[name])._repr_html_()


def test_a_fitted_estimator_links_too_and_its_teacher_to_its_own(tmp_path, monkeypatch):
    installed(monkeypatch, tmp_path, f"Documentation, {SITE}")
    est = sklkd.DistilledClassifier(LogisticRegression(), quick(), augment=None).fit(*classes())
    html = est._repr_html_()
    assert f"{SITE}/generated/sklkd.DistilledClassifier.html" in html
    assert f"{SITE}/generated/sklkd.LogisticRegression" not in html


@pytest.mark.parametrize("urls", [(), ("Source, https://elsewhere.example",)])
def test_without_an_address_there_is_no_link(urls, tmp_path, monkeypatch):
    installed(monkeypatch, tmp_path, *urls)
    html = sklkd.DistilledClassifier(LogisticRegression())._repr_html_()
    assert "generated/sklkd" not in html and "elsewhere.example" not in html and 'href=""' not in html
