"""The C file, compiled by the system's compiler, against its estimator."""

from __future__ import annotations

import copy
import ctypes
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.datasets import make_classification, make_regression
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.export import CPredictor, to_c
from sklkd.export._format import C_FORMAT
from sklkd.students import TabularStudent
from sklkd.students._folded import fold

from .conftest import PLAIN

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler called cc")

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2")
N = 10_000


class Anything(BaseEstimator):
    """It takes every table, with missing values too, and gives noise."""

    def fit(self, X, y):
        if isinstance(self, ClassifierMixin):
            self.classes_ = np.unique(y)
        self.shape_ = (np.ndim(y) == 2 and np.shape(y)[1]) or None
        return self


class AnyClassifier(ClassifierMixin, Anything):
    def predict_proba(self, X):
        return np.random.RandomState(0).dirichlet(np.ones(len(self.classes_)), X.shape[0])


class AnyRegressor(RegressorMixin, Anything):
    def predict(self, X):
        return 1000 + np.random.RandomState(0).normal(size=(X.shape[0], self.shape_) if self.shape_ else X.shape[0])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def student(size="small", **params):
    return TabularStudent(size, max_epochs=1, **params)


def numbers(n, d, seed=0):
    return make_classification(n, d, n_informative=min(d, 6), n_redundant=0, n_repeated=0, n_classes=2,
                               n_clusters_per_class=1, random_state=seed)  # fmt: skip


def mixed(n, seed=0):
    """Numbers and text with missing values, text that looks like these and like numbers, whole numbers, booleans."""
    rng = np.random.RandomState(seed)
    words = np.array(["None", "nan", "3.0", 'a "quote"\\', "what??/", "*/", "Zoë", ""], dtype=object)
    frame = pd.DataFrame(
        {
            "size": np.where(rng.rand(n) < 0.1, np.nan, rng.lognormal(3, 2, n)),
            "word": np.where(rng.rand(n) < 0.1, None, words[rng.randint(len(words), size=n)]),
            "count": rng.poisson(2, n),
            "city": rng.choice([f"c{i}" for i in range(100)], n, p=(w := 1 / np.arange(1, 101)) / w.sum()),
            "old": rng.rand(n) < 0.5,
        }
    )
    return frame, np.array(["no", "perhaps", "yes"])[rng.randint(3, size=n)]


def check(est, predictor, X, atol=1e-5):
    """Probabilities agree, and so do labels where there is no tie."""
    expected, got = est.predict_proba(X), predictor.predict_proba(X)
    np.testing.assert_allclose(got, expected, rtol=0, atol=atol)
    top = np.sort(expected, axis=1)
    clear = top[:, -1] - top[:, -2] > 2 * atol
    np.testing.assert_array_equal(predictor.predict(X)[clear], est.predict(X)[clear])
    assert predictor.predict(X).dtype == est.predict(X).dtype


@pytest.mark.parametrize("n_features", [1, 30, 300])
@pytest.mark.parametrize("size", ["tiny", "small"])
def test_numbers(tmp_path, n_features, size):
    X, y = numbers(N, max(n_features, 2))
    X = X[:, :n_features]
    est = DistilledClassifier(ExtraTreesClassifier(5, max_depth=8, random_state=0), student(size), **PLAIN)
    est.fit(X[:1000], y[:1000])
    to_c(est, tmp_path / "s.c")
    check(est, CPredictor(tmp_path / "s.c", flags=STRICT), X * 1.5)


@pytest.fixture(scope="module")
def mixed_estimator():
    X, y = mixed(2000)
    return DistilledClassifier(AnyClassifier(), student(), **PLAIN).fit(X, y)


@pytest.mark.parametrize("flags", [STRICT, ("-O3", "-march=native", "-ffp-contract=fast")], ids=["strict", "fast"])
def test_categories_and_missing_values(tmp_path, mixed_estimator, flags):
    est = mixed_estimator
    to_c(est, tmp_path / "s.c")
    predictor = CPredictor(tmp_path / "s.c", flags=flags)
    X, _ = mixed(N, seed=1)
    X.loc[X.index % 7 == 0, "word"] = "never seen"
    X["old"] = X["old"].astype(float).where(X.index % 11 != 0)
    check(est, predictor, X)
    assert predictor.feature_names_in_.tolist() == list(X.columns) and predictor.n_features_in_ == 5
    # far outside, and on the edges
    folded = fold(est.encoder_, est.student_.module_)
    edges = folded.edges[: folded.starts[1]] * folded.scale[0] + folded.center[0]
    X = pd.concat([X.iloc[:1]] * (len(edges) + 3), ignore_index=True).assign(size=[*edges, -1e30, 1e30, np.nan])
    check(est, predictor, X)


def test_codes_of_strings(tmp_path, mixed_estimator):
    est = mixed_estimator
    to_c(est, tmp_path / "s.c")
    library = tmp_path / "s.so"
    subprocess.run(["cc", *STRICT, "-shared", "-fPIC", "-o", library, tmp_path / "s.c", "-lm"], check=True)
    code = ctypes.CDLL(str(library)).sklkd_code
    categories = est.encoder_.codec_.categories_
    for j in (1, 3):
        for expected, category in enumerate(categories[j]):
            assert code(j, category.encode()) == expected
        assert code(j, b"never seen") == -1
    assert code(0, b"3.0") == code(99, b"3.0") == -1


def test_a_single_row_and_any_batch(tmp_path, mixed_estimator):
    to_c(mixed_estimator, tmp_path / "s.c")
    predictor = CPredictor(tmp_path / "s.c", flags=STRICT)
    X, _ = mixed(70, seed=2)
    together = predictor.predict_proba(X)
    for n in (1, 3, 4, 5, 15, 16, 17, 69):
        np.testing.assert_allclose(predictor.predict_proba(X.iloc[:n]), together[:n], atol=1e-6)
    assert predictor.predict_proba(X.iloc[:0]).shape == (0, 3)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(predictor)).predict_proba(X), together)


def test_a_process_that_serves_imports_only_numpy(tmp_path, mixed_estimator):
    to_c(mixed_estimator, tmp_path / "s.c")
    code = f"""
import sys
from sklkd import CPredictor
CPredictor({str(tmp_path / "s.c")!r}, flags=["-O1"]).predict([[1.0, "nan", 2, None, True]])
print(*sorted({{name.split(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert "numpy" in imported
    assert not imported & {"torch", "skorch", "sklearn", "scipy", "pandas", "onnx", "onnxruntime"}


@pytest.mark.parametrize("shape", [(), (3,)])
def test_regression_in_the_units_of_y(tmp_path, shape):
    X, y = make_regression(2000, 4, n_targets=int(np.prod(shape)), random_state=0)
    y = y.reshape(len(X), *shape) * 5 + 1e4
    est = DistilledRegressor(AnyRegressor(), student(), **PLAIN).fit(X, y)  # fmt: skip
    to_c(est, tmp_path / "s.c")
    X = np.random.RandomState(1).normal(size=(N, 4)) * 2
    got, expected = CPredictor(tmp_path / "s.c", flags=STRICT).predict(X), est.predict(X)
    assert got.shape == expected.shape == (N, *shape)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * est._fitted.task.scaling.scale.max())
    with pytest.raises(AttributeError, match="call predict"):
        CPredictor(tmp_path / "s.c").predict_proba(X)


@pytest.mark.parametrize("kind", ["numbers", "mixed", "categories", "linear"])
def test_eight_bits_are_what_the_report_says(tmp_path, kind, mixed_estimator):
    est, (X, y) = mixed_estimator, mixed(N, seed=1)
    if kind == "categories":
        X = X[["word", "city"]]
        est = DistilledClassifier(AnyClassifier(), student(), **PLAIN).fit(X[:500], y[:500])
    elif kind != "mixed":
        X, y = numbers(N, 10)
        net = student("tiny") if kind == "numbers" else student(module__hidden=())
        est = DistilledClassifier(ExtraTreesClassifier(5), net, **PLAIN).fit(X[:500], y[:500])
    full = to_c(est, tmp_path / "full.c")
    check(est, CPredictor(tmp_path / "full.c", flags=STRICT), X)
    report = to_c(est, tmp_path / "s.c", X=X, quantize="int8")
    assert report.bytes < full.bytes and full.n_rows == 3000 and full.largest_difference < 1e-6
    got, expected = CPredictor(tmp_path / "s.c", flags=STRICT).predict_proba(X), est.predict_proba(X)
    assert (
        np.abs(got - expected).max() == pytest.approx(report.largest_difference, abs=1e-5) and (got != expected).any()
    )
    assert np.mean(got.argmax(1) == expected.argmax(1)) == pytest.approx(report.agreement, abs=1e-3)
    assert report.agreement > 0.95


def test_size_of_the_presets(tmp_path):
    X, y = make_classification(600, 30, n_informative=10, n_classes=5, random_state=0)
    teacher = ExtraTreesClassifier(5, random_state=0)
    sizes = {}
    for size, quantize in (("tiny", None), ("tiny", "int8"), ("small", None), ("small", "int8")):
        est = DistilledClassifier(teacher, student(size), **PLAIN).fit(X, y)
        report = to_c(est, tmp_path / "s.c", quantize=quantize)
        sizes[size, quantize] = report.bytes
        subprocess.run(["cc", "-std=c99", "-O1", "-c", "-o", tmp_path / "s.o", tmp_path / "s.c"], check=True)
        table = subprocess.run(["size", "-A", tmp_path / "s.o"], check=True, capture_output=True, text=True).stdout
        constants = sum(int(line.split()[1]) for line in table.splitlines() if line.startswith(".rodata"))
        assert report.bytes <= constants <= report.bytes * 1.05 + 1000
    assert sizes["tiny", None] < 25_000 and sizes["tiny", "int8"] < 8_000
    assert sizes["small", None] < 400_000
    assert sizes["small", "int8"] < sizes["small", None] / 3


def test_what_changes_nothing_is_left_out(tmp_path):
    X, y = numbers(1000, 6)
    X[::9, 2] = np.nan
    est = DistilledClassifier(AnyClassifier(), student("tiny"), **PLAIN).fit(X, y)
    before = to_c(est, tmp_path / "s.c").bytes
    module = est.student_.module_
    column = module.encoding.column.numpy()
    first = column == 0
    with torch.no_grad():
        bins = module.hidden[0][0].weight[:, 6 : 6 + len(column)]
        bins[:, column == 1] = 0  # a whole column
        bins[:, np.flatnonzero(first)[[0, 1, 5, 6, 7, -1]]] = 0  # at both ends, and a stretch inside
        module.hidden[0][0].weight[:, 6 + len(column)] = 0  # the missing values
    est = copy.deepcopy(est)  # which makes its network in float64 again
    width = module.output.in_features
    # of the first column 6 bins are dead: 2 edges at the left, 2 inside the stretch, 1 at the right
    bins = 5 + (column == 1).sum()
    saved = before - to_c(est, tmp_path / "s.c").bytes
    # a column has an edge more than bins, at which its weights are 0 and left out
    assert saved >= bins * 4 * (width + 1) + 4 + 4 * width
    check(est, CPredictor(tmp_path / "s.c", flags=STRICT), X * 1.5)
    to_c(est, tmp_path / "s.c", quantize="int8")
    check(est, CPredictor(tmp_path / "s.c", flags=STRICT), X * 1.5, atol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["numbers", "one column", "300 columns", "mixed"])
def test_100_000_rows(tmp_path, kind, mixed_estimator):
    est, (X, _) = mixed_estimator, mixed(100_000, seed=3)
    X.loc[X.index % 7 == 0, "word"] = "never seen"
    if kind != "mixed":
        d = {"numbers": 30, "one column": 1, "300 columns": 300}[kind]
        X, y = numbers(100_000, max(d, 2))
        X = X[:, :d]
        est = DistilledClassifier(ExtraTreesClassifier(5, max_depth=8), student(), **PLAIN)
        est.fit(X[:1000], y[:1000])
    to_c(est, tmp_path / "s.c")
    check(est, CPredictor(tmp_path / "s.c"), X)


def test_missing_values_and_infinity_where_they_are_not_welcome(tmp_path):
    X, y = numbers(300, 4)
    est = DistilledClassifier(LogisticRegression(), student("tiny"), **PLAIN).fit(X, y)
    to_c(est, tmp_path / "s.c")
    predictor = CPredictor(tmp_path / "s.c", flags=STRICT)
    for n in (1, 20):
        for bad, words in ((np.nan, "contains NaN or another missing value"), (np.inf, "contains infinity")):
            rows = X[:n].copy()
            rows[0, 1] = bad
            with pytest.raises(ValueError, match=words):
                predictor.predict(rows)
    with pytest.raises(ValueError, match="X has 3 features"):
        predictor.predict(X[:, :3])


def test_without_doubles(tmp_path):
    X, y = numbers(2000, 4)
    est = DistilledClassifier(ExtraTreesClassifier(5), student("tiny"), **PLAIN).fit(X, y)
    to_c(est, tmp_path / "s.c")
    library = tmp_path / "s.so"
    subprocess.run(
        ["cc", *STRICT, "-DSKLKD_REAL=float", "-shared", "-fPIC", "-o", library, tmp_path / "s.c", "-lm"], check=True
    )
    rows, out = X.astype(np.float32), np.empty((len(X), 2), np.float32)
    predict = ctypes.CDLL(str(library)).sklkd_predict_one
    for row, result in zip(rows, out, strict=True):
        predict(ctypes.c_void_p(row.ctypes.data), ctypes.c_void_p(result.ctypes.data))
    np.testing.assert_allclose(out, est.predict_proba(rows), atol=1e-3)


def test_what_cannot_be_written(tmp_path):
    X, y = numbers(100, 3)
    est = DistilledClassifier(LogisticRegression(), student("tiny"), **PLAIN).fit(X, y)
    with pytest.raises(ValueError, match="quantize must be None, 'int8' or 'integer', got quantize='int4'"):
        to_c(est, tmp_path / "s.c", quantize="int4")
    for step, name in ((PCA(2), "pca"), (MinMaxScaler(clip=True), "minmaxscaler")):
        with pytest.raises(TypeError, match=rf"got a Pipeline with step '{name}' .*: pass the last step, and run"):
            to_c(make_pipeline(step.fit(X), est), tmp_path / "s.c")
    own = DistilledClassifier(LogisticRegression(), make_pipeline(StandardScaler(), student("tiny")), hard_weight=0.1)
    with pytest.raises(TypeError, match="default student to become C code"):
        to_c(own.fit(X, y), tmp_path / "s.c")
    assert not (tmp_path / "s.c").exists()


def test_compilers(tmp_path):
    X, y = numbers(100, 3)
    est = DistilledClassifier(LogisticRegression(), student("tiny"), **PLAIN).fit(X, y)
    to_c(est, tmp_path / "s.c")
    with pytest.raises(RuntimeError, match=r"-fno-such-flag[\s\S]*failed"):
        CPredictor(tmp_path / "s.c", flags=("-fno-such-flag",))
    with pytest.raises(RuntimeError, match="NAN, which -ffast-math leaves out"):
        CPredictor(tmp_path / "s.c", flags=("-ffast-math",))
    with pytest.raises(FileNotFoundError, match="there is no 'no-such-compiler'"):
        CPredictor(tmp_path / "s.c", compiler="no-such-compiler")
    (tmp_path / "other.c").write_text("int main(void) { return 0; }\n")
    with pytest.raises(ValueError, match=r"must be a whole file that sklkd\.to_c has written"):
        CPredictor(tmp_path / "other.c")


@pytest.mark.parametrize(("flag", "rounded"), [("-mavx512fp16", True), ("-mfpmath=sse", True), ("-mfpmath=387", False)])
def test_what_the_machine_computes_floats_with(tmp_path, flag, rounded):
    # compiled only: the machine at hand need not have it
    def compiled(path):
        found = subprocess.run(["cc", flag, "-c", "-o", tmp_path / "o.o", path], capture_output=True, text=True)
        return found.returncode == 0, found.stderr

    (tmp_path / "nothing.c").write_text("int nothing;\n")
    if not compiled(tmp_path / "nothing.c")[0]:
        pytest.skip(f"the compiler has no {flag}")
    X, y = numbers(100, 3)
    to_c(DistilledClassifier(LogisticRegression(), student("tiny"), **PLAIN).fit(X, y), tmp_path / "s.c")
    done, said = compiled(tmp_path / "s.c")
    assert done == rounded, said
    assert rounded or "floats must be rounded to floats" in said


def test_a_file_of_a_newer_version_says_so(tmp_path, mixed_estimator):
    to_c(mixed_estimator, tmp_path / "s.c")
    content = (tmp_path / "s.c").read_text()
    assert f'"format": {C_FORMAT}' in content
    (tmp_path / "s.c").write_text(content.replace(f'"format": {C_FORMAT}', f'"format": {C_FORMAT + 1}'))
    with pytest.raises(ValueError, match=r"written by sklkd .*: update sklkd\."):
        CPredictor(tmp_path / "s.c")
