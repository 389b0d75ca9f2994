"""What a report looks like: table, frame, HTML and picture."""

from __future__ import annotations

import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import takewhile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from sklkd import DistillationReport
from sklkd.estimators.offline._account import DistillationAccount
from sklkd.teachers import Estimand

NAN = float("nan")
QUALITY = {"score": 0.9, "log_loss": 0.3, "brier": 0.1, "ece": 0.05, "gain_retained": NAN, "agreement": NAN, "kl": NAN}
COST = {"parameters": 2_500_000, "bytes": 30_900_000, "fit_seconds": NAN, "us_one_row": 28_600.0, "us_per_row": 72.4}
STUDENT = {"log_loss": 0.32, "gain_retained": 0.875, "agreement": 0.984, "kl": 0.0178}
SMALL = {"parameters": 99_978, "bytes": 463_000, "fit_seconds": 1.84, "us_one_row": 326.2, "us_per_row": 7.96}


@pytest.fixture
def report():
    return DistillationReport(
        task="classification",
        rows={
            "teacher": QUALITY | COST,
            "student": QUALITY | STUDENT | COST | SMALL,
            "baseline": QUALITY | {"log_loss": 0.46, "agreement": 0.9, "kl": 1.2} | COST | SMALL,
        },
        names={"teacher": "Forest", "student": "TabularNet", "baseline": "A<B>"},
        n_rows=12_345,
        n_batch=10_000,
        chosen={"cv": "oob", "hard_weight": "0.1"},
        notes=["Mind the <rest> & more. " * 10],
    )


@pytest.fixture
def regression():
    quality = {
        "score": 0.9,
        "rmse": 52843.1,
        "gain_retained": NAN,
        "rmse_to_teacher": 3.5,
        "correlation_to_teacher": 0.99,
    }
    return DistillationReport("regression", {"student": quality | COST | SMALL}, {"student": "Net"}, 20, 20)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def table(report):
    return list(takewhile(lambda line: line != "Notes", str(report).splitlines()))


def test_table(report):
    assert table(report)[:3] == [
        "Distillation report: classification, 12,345 rows",
        "                          teacher     student  baseline",
        "                           Forest  TabularNet      A<B>",
    ]
    cells = {line[:24].strip(): line[24:].split("  ") for line in table(report)[3:]}
    cells = {name: [cell.strip() for cell in parts if cell.strip()] for name, parts in cells.items()}
    assert cells == {
        "accuracy": ["0.9000", "0.9000", "0.9000"],
        "log loss": ["0.3000", "0.3200", "0.4600"],
        "Brier score": ["0.1000"] * 3,
        "calibration error": ["0.0500"] * 3,
        "gain retained": ["-", "88%", "-"],
        "agreement with teacher": ["-", "98.4%", "90.0%"],
        "KL from teacher": ["-", "0.0178", "1.2000"],
        "parameters": ["2,500,000", "99,978", "99,978"],
        "pickled": ["30.9 MB", "463 kB", "463 kB"],
        "training": ["-", "1.84 s", "1.84 s"],
        "one row": ["28,600 µs", "326 µs", "326 µs"],
        "per row of 10,000": ["72 µs", "8.0 µs", "8.0 µs"],
    }


def test_columns_are_aligned_and_narrow(report):
    lines = str(report).splitlines()
    assert len({len(line) for line in table(report)[1:]}) == 1
    assert max(map(len, lines)) <= 100
    assert repr(report) == str(report)


def test_more_models_than_fit_a_page_go_on_below(report):
    many = report.rows | {f"peer number {k}": report.rows["student"] | {"score": k / 10} for k in range(9)}
    names = report.names | {name: "TabularNet" for name in many if name not in report.names}
    lines = table(replace(report, rows=many, names=names))
    assert max(map(len, lines)) <= 100
    heads = [[name for name in many if name in line] for line in lines if "student" in line or "peer" in line]
    assert [name for head in heads for name in head] == list(many) and len(heads) > 1
    scores = [word for line in lines if line.startswith("accuracy") for word in line.split()[1:]]
    assert scores == [f"{row['score']:.4f}" for row in many.values()]


def test_remarks(report):
    text = str(report)
    assert "Student against teacher: 67 times smaller, 88 times as fast for one row, 9.1 times in a batch." in text
    assert "Chosen by auto: cv=oob, hard_weight=0.1." in text
    assert "Mind the <rest> & more." in text
    unknown = replace(report, rows=report.rows | {"teacher": report.rows["teacher"] | {"bytes": NAN}}, chosen={})
    assert "Student against teacher: 88 times as fast" in str(unknown)
    assert "Chosen" not in str(unknown)


def test_regression_table(regression):
    text = str(regression)
    assert "R2" in text and "52,843" in text and "3.500" in text
    assert "gain" not in text and "against" not in text and "log loss" not in text


@pytest.mark.parametrize(
    "size, text",
    [(514, "514 B"), (999.6, "1 kB"), (1000, "1 kB"), (19_500, "19.5 kB"), (999_600, "1 MB"), (2.5e12, "2.5e+03 GB")],
)
def test_sizes(report, size, text):
    assert text in str(replace(report, rows={"student": report.rows["student"] | {"bytes": size}}))


@pytest.mark.parametrize(
    "gain, text", [(0.875, " 88%"), (-0.5, " -50%"), (2, " 200%"), (10.6, " >200%"), (-7, " <-200%")]
)
def test_gains(report, gain, text):
    assert text in str(replace(report, rows={"student": report.rows["student"] | {"gain_retained": gain}}))


def test_frame(report):
    frame = report.to_frame()
    assert list(frame.index) == ["teacher", "student", "baseline"]
    assert list(frame.columns) == list(report.rows["student"])
    assert frame.loc["student", "log_loss"] == 0.32
    assert frame["parameters"].tolist() == [2_500_000, 99_978, 99_978]
    assert frame["bytes"].dtype == "Int64"
    assert np.isnan(frame.loc["teacher", "kl"])


def test_frame_of_unknown_sizes(report):
    rows = report.rows | {"teacher": report.rows["teacher"] | {"parameters": NAN}}
    assert replace(report, rows=rows).to_frame()["parameters"].isna().tolist() == [True, False, False]
    assert pd.api.types.is_integer_dtype(replace(report, rows=rows).to_frame()["parameters"])


class Cells(HTMLParser):
    def __init__(self):
        super().__init__()
        self.cells, self.open = {"caption": [], "th": [], "td": [], "li": [], "h4": []}, []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag in self.cells:
            self.cells[tag].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.cells[self.open[-1]][-1] += data


def test_html(report):
    parser = Cells()
    parser.feed(report._repr_html_())
    assert parser.open == []
    cells = parser.cells
    assert cells["caption"] == ["Distillation report: classification, 12,345 rows"]
    assert cells["th"][:6] == [
        "",
        "teacher (Forest)",
        "student (TabularNet)",
        "baseline (A<B>)",
        "accuracy",
        "log loss",
    ]
    assert cells["td"][3:6] == ["0.3000", "0.3200", "0.4600"]
    assert len(cells["td"]) == 3 * 12
    assert [remark.split()[0] for remark in cells["li"]] == ["Student", "Chosen", "Mind"]


def test_the_account_has_its_own_heading(report):
    losses = {"teacher": 0.3, "label-only students": 0.5, "mixture": 0.25}
    estimand = Estimand("quantile", "Booster(alpha=0.9)", (0.9,))
    account = DistillationAccount(estimand, 0.3, 0.1, "a <reason> " * 20, 500, losses, ("A note & more",))
    text, page = str(replace(report, account=account)), replace(report, account=account)._repr_html_()
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    start = lines.index("What the fit decided")
    printed = " ".join(" ".join(lines[start + 1 :]).split())
    parser = Cells()
    parser.feed(page)
    for line in str(account).splitlines():
        assert " ".join(line.split()) in printed
        assert line in parser.cells["li"]
    assert "What the fit decided" not in str(report) and "What the fit decided" not in report._repr_html_()


def test_quantiles_are_drawn_by_their_own_loss(regression):
    row = regression.rows["student"] | {"pinball": 12.5, "coverage 0.1": 0.12, "coverage 0.9": 0.88}
    several = replace(regression, rows={"student": row})
    assert several.loss == "pinball" and regression.loss == "rmse"
    cells = {line[:24].strip(): line[24:].strip() for line in table(several)[3:]}
    assert cells["targets at or below 0.1"] == "12.0%" and cells["targets at or below 0.9"] == "88.0%"
    assert several.to_frame().loc["student", "coverage 0.9"] == 0.88
    assert several.plot().get_ylabel() == "pinball loss (lower is better)"
    assert several.plot(y="coverage 0.1").get_ylabel() == "targets at or below 0.1"


def points(ax):
    return {
        line.get_label(): (line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if line.get_marker() in "so"
    }


def test_picture(report):
    ax = report.plot()
    assert isinstance(ax, Axes)
    assert points(ax) == {"teacher": (28_600, 0.3), "student": (326.2, 0.32), "baseline": (326.2, 0.46)}
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "microseconds to predict one row"
    assert ax.get_ylabel() == "log loss (lower is better)"
    level = next(line for line in ax.lines if line.get_linestyle() == ":")
    assert set(level.get_ydata()) == {0.3}
    texts = {text.xy: text.get_text() for text in ax.texts}
    assert texts == {
        (28_600, 0.3): "teacher\nForest\n28,600 µs",
        (326.2, 0.32): "distilled student\nTabularNet\n326 µs",
        (326.2, 0.46): "same student\nwithout a teacher\nA<B>\n326 µs",
    }


@pytest.mark.parametrize("losses", [(0.3, 0.32, 0.46), (0.3, 0.32, 0.321), (0.5, 0.3, 0.4), (0.3, 0.3, 0.3)])
@pytest.mark.parametrize("teacher_us", [28_600.0, 400.0, 20.0])
def test_texts_meet_neither_each_other_nor_the_frame(report, losses, teacher_us):
    rows = {name: row | {"log_loss": loss} for (name, row), loss in zip(report.rows.items(), losses, strict=True)}
    rows["teacher"]["us_one_row"] = teacher_us
    names = dict.fromkeys(rows, "CalibratedClassifierCV")
    ax = replace(report, rows=rows, names=names).plot()
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    frame = ax.figure.bbox
    for i, box in enumerate(boxes):
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_axes_and_columns_of_ones_own(report):
    _, own = plt.subplots()
    ax = report.plot(own, x="bytes", y="agreement")
    assert ax is own
    assert points(ax) == {"student": (463_000, 0.984), "baseline": (463_000, 0.9)}
    assert ax.get_xlabel() == "bytes, pickled"
    assert ax.get_ylabel() == "agreement with teacher (higher is better)"
    assert report.plot(x="us_per_row").get_xlabel() == "microseconds per row of a batch of 10,000"


def test_picture_of_one_point(regression):
    ax = regression.plot()
    assert points(ax) == {"student": (326.2, 52843.1)}
    assert ax.get_ylabel() == "RMSE (lower is better)"
    assert regression.plot(y="score").get_ylabel() == "R2 (higher is better)"


@pytest.mark.parametrize("axis, name", [("x", "log_loss"), ("y", "bytes"), ("x", "speed"), ("y", "rmse")])
def test_other_columns_are_refused(report, axis, name):
    with pytest.raises(ValueError, match=f"{axis} must be one of .*, got {axis}='{name}'"):
        report.plot(**{axis: name})


def test_nothing_to_draw(regression):
    with pytest.raises(ValueError, match="no model has both 'us_one_row' and 'gain_retained'"):
        regression.plot(y="gain_retained")


def test_missing_packages_are_named_with_their_extra(monkeypatch, report):
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'sklkd\[pandas\]'"):
        report.to_frame()
    with pytest.raises(ImportError, match=r"pip install 'sklkd\[plot\]'"):
        report.plot()
