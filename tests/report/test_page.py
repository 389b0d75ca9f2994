"""The page that is written, the model card, and what the fit took."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from math import isnan

import pytest
from sklearn.ensemble import ExtraTreesClassifier

from sklkd import DistilledClassifier, distillation_report


@pytest.fixture(scope="module")
def fitted(flowers, student):
    teacher = ExtraTreesClassifier(10, random_state=0)
    return DistilledClassifier(teacher, student, augment=None, hard_weight=0.0, random_state=0).fit(*flowers[:2])


@pytest.fixture(scope="module")
def report(fitted, flowers):
    X_test, y_test = flowers[2:]
    return distillation_report(fitted, X_test, y_test, False, n_repeats=1, by=X_test[:, 0] > 5.5)


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.texts, self.attributes = [], {}, []

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self.open.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


def parsed(text):
    page = Page()
    page.feed(text)
    assert page.open == []
    return page


def test_a_page_refers_to_nothing_else_and_knows_light_and_dark(report, tmp_path):
    path = tmp_path / "report.html"
    text = report.to_html(path)
    assert path.read_text(encoding="utf-8") == text
    page = parsed(text)
    assert not {"src", "href", "onload"} & {name for name, _ in page.attributes}
    assert "url(" not in text and "@import" not in text
    assert "prefers-color-scheme: dark" in "".join(page.texts["style"])
    assert page.texts["title"] == page.texts["h1"]


def test_page_and_fragment_hold_the_same_numbers(report):
    page, fragment = parsed(report.to_html()), parsed(report._repr_html_())
    assert page.texts["td"] == fragment.texts["td"] and page.texts["li"] == fragment.texts["li"]
    assert page.texts["h2"] == fragment.texts["h4"]
    for verdict in report.verdicts:
        assert verdict in page.texts["li"]
    low, high = report.intervals["student"]["log_loss"]
    assert f"{low:.4f} to {high:.4f}" in page.texts["td"]


def test_text_and_page_have_the_same_sections(report):
    lines = str(report).splitlines()
    headings = parsed(report.to_html()).texts["h2"]
    assert [line for line in lines if line in headings] == headings
    assert max(map(len, lines)) <= 100


def test_seconds_are_those_of_the_fit(fitted, classifier, report, flowers):
    stages = ["teacher", "labelling", "label-only students", "transfer rows", "student"]
    assert list(fitted.fit_seconds_) == stages
    assert all(value > 0 for value in fitted.fit_seconds_.values())
    assert report.seconds == fitted.fit_seconds_
    assert report.rows["teacher"]["fit_seconds"] == fitted.fit_seconds_["teacher"]
    assert fitted.fit_seconds_["student"] >= sum(fitted.history_[:, "dur"])
    # a teacher that was fitted before was not trained in this fit
    kept = distillation_report(classifier, *flowers[2:], False, n_repeats=1)
    assert isnan(kept.rows["teacher"]["fit_seconds"])


def test_frames_of_parts(report):
    differences = report.to_frame("differences")
    assert tuple(differences.loc[("student - teacher", "log_loss")]) == report.differences["teacher"]["log_loss"]
    bins = report.to_frame("reliability")
    assert len(bins) == sum(map(len, report.reliability.values()))
    models = report.to_frame()
    assert (models.loc["student", "kl_low"], models.loc["student", "kl_high"]) == report.intervals["student"]["kl"]
    with pytest.raises(ValueError, match=r"part must be one of .*, got part='rows'"):
        report.to_frame("rows")


@pytest.mark.parametrize("with_model", [True, False])
def test_a_model_card_holds_the_report(report, fitted, with_model):
    pytest.importorskip("skops")
    text = report.to_model_card(fitted.without_teacher() if with_model else None).render()
    for verdict in report.verdicts:
        assert f"- {verdict}" in text
    cells = [cell.strip() for line in text.splitlines() if line.startswith("| accuracy") for cell in line.split("|")]
    assert f"{report.rows['student']['score']:.4f}" in cells
    assert all(line.endswith("|") for line in text.splitlines() if line.startswith("|"))


def test_skops_is_named_where_it_is_missing(monkeypatch, report):
    monkeypatch.setitem(sys.modules, "skops", None)
    with pytest.raises(ImportError, match="pip install skops"):
        report.to_model_card()
