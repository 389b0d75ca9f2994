"""The C file without floating point: against the file of 8 bits and exact arithmetic, and on emulated processors."""

from __future__ import annotations

import copy
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from benchmarks.emulator import Device, missing_tools
from sklkd import CPredictor, DistilledClassifier, DistilledRegressor, to_c
from sklkd.export._c_integer_source import fixed_point
from sklkd.export._c_weights import Weights
from sklkd.export._integer import IntegerStudent
from sklkd.export._rows import training_like_rows
from sklkd.students._folded import fold
from tests.frames import frame as of_kinds

from .conftest import PLAIN
from .test_c import AnyClassifier, mixed, numbers, student
from .test_c_in_projects import CPP, C, array_bytes, stated
from .test_range_and_rule import of_range

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None or shutil.which("g++") is None, reason="there are no compilers called cc and g++"
)

CLASSIFIERS = ["numbers", "five", "threshold", "linear", "missing", "mixed", "categories"]
KINDS = [*CLASSIFIERS, "real", "positive", "unit"]
kinds = pytest.mark.parametrize("kind", KINDS)

# reads rows, writes outputs; counts what the file says it counts
PROGRAM = """
#include <stdio.h>
static long products, ratios, sums;
#include "counted.c"
int main(void)
{
    static int32_t row[SKLKD_FEATURES], out[SKLKD_OUTPUTS];
    FILE *rows = fopen("rows.bin", "rb"), *outputs = fopen("outputs.bin", "wb");
    long most[3] = {0, 0, 0};
    while (fread(row, sizeof row, 1, rows)) {
        products = ratios = sums = 0;
        sklkd_predict_one(row, out);
        most[0] = products > most[0] ? products : most[0];
        most[1] = ratios > most[1] ? ratios : most[1];
        most[2] = sums > most[2] ? sums : most[2];
        fwrite(out, sizeof out, 1, outputs);
    }
    fclose(outputs);
    printf("%ld %ld %ld", most[0], most[1], most[2]);
    return 0;
}
"""


@pytest.fixture(scope="module")
def made():
    """An estimator and rows for each kind."""
    X, y = numbers(3000, 6)
    gaps = np.where(np.random.RandomState(1).rand(*X.shape) < 0.1, np.nan, X)
    frame, words = mixed(3000)
    many, five = make_classification(3000, 12, n_informative=8, n_classes=5, random_state=0)
    forest = ExtraTreesClassifier(20, random_state=0)

    def classifier(teacher, X, y, student):
        est = DistilledClassifier(teacher, student, **PLAIN)
        return est.fit(X[:600], y[:600]), X

    found = {
        "numbers": classifier(forest, X, y, student("tiny")),
        "five": classifier(forest, many, five, student("tiny")),
        "linear": classifier(forest, X, y, student(module__hidden=())),
        "missing": classifier(AnyClassifier(), gaps, y, student("tiny")),
        "mixed": classifier(AnyClassifier(), frame, words, student("tiny")),
        "categories": classifier(AnyClassifier(), frame[["word", "city"]], words, student("tiny")),
    }
    found["threshold"] = copy.deepcopy(found["numbers"][0]), X
    found["threshold"][0].threshold_ = 0.3
    regressor = DistilledRegressor(LinearRegression(), student("tiny"), hard_weight=0, blend=0, augment=None,
                                   random_state=0).fit(X[:600], 1e3 + X[:600, :3])  # fmt: skip
    found["real"] = regressor, X
    found["positive"] = of_range(regressor, "positive", 3, 2, weight=1.0, bias=-1.0), X
    found["unit"] = of_range(regressor, "unit", 1, 1, weight=1.0, bias=0.5), X
    return found


def in_integers(est):
    """The student in integers, and the one that its weights stand for."""
    weights = Weights(fold(est.encoder_, est.student_.module_), eight_bits=True)
    return IntegerStudent(weights, est._fitted.task, est._fitted.threshold), weights.stored()


def any_integers(est, n=2000):
    """Rows of any integers, the smallest and largest and codes of categories among them."""
    rng = np.random.RandomState(0)
    rows = rng.randint(-(2**31), 2**31, (n, est.n_features_in_))
    extreme = rng.choice([-(2**31), 1 - 2**31, -1, 0, 1, 2**31 - 1], rows.shape)
    return np.where(rng.rand(*rows.shape) < 0.5, extreme, rows).astype(np.int32)


def program(folder, *flags):
    """The file, run by itself: the figures that it counts; outputs are in ``outputs.bin``."""
    code = (folder / "s.c").read_text()
    code = code.replace("int shift)\n{\n    return", "int shift)\n{\n    products++;\n    return")
    code = code.replace("    int32_t found = 0;\n", "    int32_t found = 0;\n    ratios++;\n")
    code = code.replace("        h[u] += factor * w[u];", "        sums++, h[u] += factor * w[u];")
    code = code.replace("            sum += x[i] * *w++;", "            sums++, sum += x[i] * *w++;")
    (folder / "counted.c").write_text(code)
    (folder / "main.c").write_text(PROGRAM)
    subprocess.run(["cc", "-O1", *flags, "-o", "main", "main.c"], cwd=folder, check=True)
    done = subprocess.run(["./main"], cwd=folder, capture_output=True, text=True, check=True)
    return [int(figure) for figure in done.stdout.split()]


@kinds
def test_close_to_the_file_of_eight_bits(made, tmp_path, kind):
    est, X = made[kind]
    to_c(est, tmp_path / "eight.c", quantize="int8")
    report = to_c(est, tmp_path / "s.c", X=X, quantize="integer")
    eight, whole = CPredictor(tmp_path / "eight.c", flags=C), CPredictor(tmp_path / "s.c", flags=C)
    expected, got = eight._outputs(X), whole._outputs(X)
    if kind in CLASSIFIERS:
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-3)
        scores = np.sort(np.log(expected), axis=1)
        clear = scores[:, -1] - scores[:, -2] > report.resolution
        if kind == "threshold":
            odds = np.log(expected[:, 1]) - np.log(expected[:, 0])
            clear = np.abs(odds - np.log(0.3 / 0.7)) > report.resolution
        assert clear.mean() > 0.98
        np.testing.assert_array_equal(whole.predict(X)[clear], eight.predict(X)[clear])
        assert np.mean(whole.predict(X) == est.predict(X)) == pytest.approx(report.agreement)
    else:
        scale = est._fitted.task.scaling.scale
        np.testing.assert_allclose(got / scale, expected / scale, rtol=1e-3, atol=1e-3)
        assert (got > 0).all() or kind == "real"
        assert report.agreement > 0.95
    assert whole.predict(X).shape == est.predict(X).shape and whole.predict(X).dtype == est.predict(X).dtype


@kinds
def test_scores_within_the_stated_resolution(made, kind):
    est, X = made[kind]
    integers, stored = in_integers(est)
    rows = training_like_rows(est, missing=est._fitted.handles_missing)
    for given in (X, rows):
        Z = est.encoder_.codec_.transform(given)
        fixed = fixed_point(est, integers).rows(Z)
        Z = np.where(fixed == -(2**31), np.nan, np.ldexp(fixed.astype(float), -fixed_point(est, integers).shifts))
        exact = stored.outputs(Z)
        if kind in CLASSIFIERS:
            scores = np.ldexp(integers.outputs(fixed).astype(float), -integers.units[-1])
        else:
            scores = np.ldexp(integers._sums(fixed.astype(np.int64)).astype(float), -integers.units[-1])
        # float32 has fewer digits for numbers than integers of 32 bits
        assert np.abs(scores - exact).max() < integers.resolution / 2 + 1e-5
    assert integers.resolution < 0.05


@kinds
def test_any_integers_give_the_same_everywhere(made, tmp_path, kind):
    """No sum overflows, whatever the row; the stated operations are those that the worst row takes."""
    est, X = made[kind]
    report = to_c(est, tmp_path / "s.c", quantize="integer", header=tmp_path / "s.h")
    integers, _ = in_integers(est)
    usual = CPredictor(tmp_path / "s.c", flags=C).encode(X)
    rows = np.concatenate([usual, any_integers(est), np.full_like(usual[:1], -(2**31))])
    rows.tofile(tmp_path / "rows.bin")
    traps = ("-fsanitize=signed-integer-overflow,shift-exponent,integer-divide-by-zero,bounds",
             "-fsanitize-undefined-trap-on-error")  # fmt: skip
    products, ratios, sums = program(tmp_path, *traps)
    out = np.fromfile(tmp_path / "outputs.bin", dtype=np.int32).reshape(len(rows), -1)
    np.testing.assert_array_equal(out, integers.outputs(rows))
    assert sums == report.multiply_adds == stated(tmp_path / "s.c", "multiply-adds of 32 bits")
    assert ratios == stated(tmp_path / "s.c", "divisions")
    assert 0.9 * stated(tmp_path / "s.c", "products of 64") <= products <= stated(tmp_path / "s.c", "products of 64")


@kinds
def test_warnings_bytes_and_libraries(made, tmp_path, kind):
    est, X = made[kind]
    report = to_c(est, tmp_path / "s.c", quantize="integer", header=tmp_path / "s.h")
    in_c, in_cpp = CPredictor(tmp_path / "s.c", flags=C), CPredictor(tmp_path / "s.c", compiler="g++", flags=CPP)
    np.testing.assert_array_equal(in_cpp._outputs(X), in_c._outputs(X))
    (tmp_path / "both.c").write_text('#include "s.h"\n#include "s.c"\n')
    for command in (["cc", *C], ["g++", *CPP]):
        subprocess.run([*command, "-fsyntax-only", "both.c"], cwd=tmp_path, check=True)
    assert report.bytes == array_bytes(tmp_path / "s.c") == stated(tmp_path / "s.c", "(?:bytes; the|bytes, and)")
    subprocess.run(["cc", "-std=c99", "-O0", "-fstack-usage", "-c", "s.c"], cwd=tmp_path, check=True)
    frames = dict(line.split("\t")[:2] for line in (tmp_path / "s.su").read_text().splitlines())
    frame = next(int(size) for name, size in frames.items() if name.endswith(":sklkd_predict_one"))
    assert report.stack_bytes <= frame <= report.stack_bytes + 80
    needed = subprocess.run(["nm", "-u", "s.o"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert set(needed.split()) <= {"U", "memcpy", "strcmp", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}
    code = (tmp_path / "s.c").read_text()
    assert "float" not in code[code.index("#include") :] and "double" not in code[code.index("#include") :]


def test_labels_in_c_and_a_row_at_a_time(made, tmp_path):
    for kind in ("five", "threshold"):
        est, X = made[kind]
        to_c(est, tmp_path / "s.c", quantize="integer")
        predictor = CPredictor(tmp_path / "s.c", flags=C)
        label, given = predictor._library.sklkd_label, predictor.encode(X[:500])
        out = in_integers(est)[0].outputs(given)
        labels = [label(np.ascontiguousarray(one).ctypes.data_as(predictor._predict.argtypes[0])) for one in out]
        np.testing.assert_array_equal(predictor.classes_[labels], predictor.predict(X[:500]))
        one_by_one = [predictor.predict_proba(X[i : i + 1])[0] for i in range(20)]
        np.testing.assert_array_equal(one_by_one, predictor.predict_proba(X[:20]))
        assert predictor.predict_proba(X[:0]).shape == (0, est.classes_.size)


def test_rows_in_fixed_point(made, tmp_path):
    est, X = made["mixed"]
    to_c(est, tmp_path / "s.c", quantize="integer")
    predictor = CPredictor(tmp_path / "s.c", flags=C)
    given = predictor.encode(X)
    assert given.dtype == np.int32
    shift = fixed_point(est, in_integers(est)[0]).shifts[0]
    size = X["size"].to_numpy()
    missing, inside = np.isnan(size), size < 2.0 ** (31 - shift) - 1
    back = np.ldexp(given[:, 0].astype(float), -shift)
    np.testing.assert_allclose(back[inside], size[inside], rtol=0, atol=2.0 ** -(shift + 1))
    assert inside.mean() > 0.85
    assert (given[missing, 0] == -(2**31)).all()
    beyond = predictor.encode(X[:1].assign(size=1e300, word="never seen", city=None))[0]
    assert beyond.tolist()[:2] == [2**31 - 1, -1] and beyond[3] == -(2**31)


def test_missing_values_and_infinity_where_they_are_not_welcome(tmp_path):
    X, y = numbers(300, 4)
    est = DistilledClassifier(LogisticRegression(), student("tiny"), **PLAIN).fit(X, y)
    to_c(est, tmp_path / "s.c", quantize="integer")
    predictor = CPredictor(tmp_path / "s.c", flags=C)
    for bad, words in ((np.nan, "contains NaN or another missing value"), (np.inf, "contains infinity")):
        rows = X[:3].copy()
        rows[0, 1] = bad
        with pytest.raises(ValueError, match=words):
            predictor.predict(rows)


def test_what_integers_cannot_hold(tmp_path):
    X, y = numbers(300, 3)
    far = X + np.array([0, 1e9, 0])
    est = DistilledClassifier(LogisticRegression(), student("tiny"), **PLAIN).fit(far, y)
    with pytest.raises(NotImplementedError, match=r"column 1 \(from 0\) is too large .* Subtract the median"):
        to_c(est, tmp_path / "s.c", quantize="integer")
    dates = of_kinds(300, names=["word", "when"])
    assert isinstance(dates, pd.DataFrame)
    est = DistilledClassifier(AnyClassifier(), student("tiny"), **PLAIN).fit(dates, y)
    with pytest.raises(NotImplementedError, match=r"column 1 \(from 0\) holds dates.*quantize='int8'"):
        to_c(est, tmp_path / "s.c", quantize="integer")
    assert not (tmp_path / "s.c").exists()


@pytest.fixture(scope="module")
def tiny():
    """A tiny student that has been trained to the end, and 10,000 rows that it has not seen."""
    X, y = make_classification(12_000, 30, n_informative=10, n_classes=5, random_state=0)
    forest = ExtraTreesClassifier(100, random_state=0)
    est = DistilledClassifier(forest, "tiny", hard_weight=0.1, blend=0, random_state=0).fit(X[:2000], y[:2000])
    return est, X[2000:]


@pytest.mark.slow
@pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")
@pytest.mark.parametrize("cpu", ["cortex-m0plus", "cortex-m4"])
def test_on_an_emulated_processor(tiny, tmp_path, cpu):
    est, X = tiny
    report = to_c(est, tmp_path / "s.c", X=X, quantize="integer", header=tmp_path / "s.h")
    to_c(est, tmp_path / "eight.c", quantize="int8")
    whole, eight = CPredictor(tmp_path / "s.c", flags=C), CPredictor(tmp_path / "eight.c", flags=C)
    device = Device(tmp_path, cpu)
    # of integers alone: no software for floating point
    integers_only = {"memcpy", "__aeabi_lmul", "__aeabi_lasr", "__aeabi_llsl", "__aeabi_llsr"}
    assert set(device.undefined()) <= integers_only
    assert device.flash_bytes() < 16 * 1024
    out, labels, stack, _ = device.run(whole.encode(X))
    np.testing.assert_array_equal(out, in_integers(est)[0].outputs(whole.encode(X)))
    assert report.stack_bytes <= stack < 1024
    scores = np.log(eight.predict_proba(X))
    top = np.sort(scores, axis=1)
    tie = top[:, -1] - top[:, -2] <= report.resolution
    assert len(X) == 10_000 and tie.sum() < 100
    np.testing.assert_array_equal(labels[~tie], scores.argmax(axis=1)[~tie])
    np.testing.assert_array_equal(est.classes_[labels], whole.predict(X))


@pytest.mark.slow
@pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")
def test_floats_on_an_emulated_processor(tiny, tmp_path):
    """The file of 8 bits, on a processor that has floats and no doubles."""
    est, X = tiny
    to_c(est, tmp_path / "s.c", quantize="int8", header=tmp_path / "s.h")
    expected = CPredictor(tmp_path / "s.c", flags=C).predict_proba(X.astype(np.float32))
    device = Device(tmp_path, "cortex-m4")
    out, labels, _, _ = device.run(X)
    np.testing.assert_allclose(out, expected, atol=1e-4)
    np.testing.assert_array_equal(labels, out.argmax(axis=1))
    assert device.flash_bytes() < 16 * 1024
