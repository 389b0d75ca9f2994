"""The C file among a project's own: warnings, C++, the header, and what the file takes."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LinearRegression

from sklkd import CPredictor, DistilledClassifier, DistilledRegressor, to_c
from tests.frames import frame as of_kinds

from .conftest import PLAIN
from .test_c import AnyClassifier, mixed, numbers, student
from .test_range_and_rule import of_range

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None or shutil.which("g++") is None, reason="there are no compilers called cc and g++"
)

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror")
C = ("-std=c99", *WARNINGS, "-O1")
CPP = ("-std=c++11", *WARNINGS, "-O1", "-x", "c++")
KINDS = ["numbers", "linear", "missing", "mixed", "categories", "real", "positive", "unit"]
files = pytest.mark.parametrize("quantize", [None, "int8"])
kinds = pytest.mark.parametrize("kind", KINDS)
kinds_with_dates = pytest.mark.parametrize("kind", [*KINDS, "dates"])

CALLER = """
#include <cstdio>
#include "s.h"
#include "s.h"

int main()
{
    sklkd_real rows[2 * SKLKD_FEATURES] = {0}, out[2 * SKLKD_OUTPUTS];
    rows[1] = sklkd_code(1, "3.0");
    rows[SKLKD_FEATURES + 3] = sklkd_code(3, "c2");
    sklkd_predict_one(rows, out);
    sklkd_predict(rows + SKLKD_FEATURES, 1, out + SKLKD_OUTPUTS);
    for (sklkd_real one : out)
        std::printf("%.17g ", one);
    std::printf("%d %d", sklkd_label(out), sklkd_label(out + SKLKD_OUTPUTS));
}
"""

COUNTED = """
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
static long products, divisions, roots, at_least;
struct Counted {
    float value;
    Counted() = default;
    Counted(float given) : value(given) {}
    explicit operator int() const { return (int)value; }
};
#define OPERATOR(returned, sign, count) \\
    static inline returned operator sign(Counted a, Counted b) { count++; return a.value sign b.value; }
static long others;
OPERATOR(Counted, +, others) OPERATOR(Counted, -, others) OPERATOR(Counted, *, products)
OPERATOR(Counted, /, divisions) OPERATOR(bool, >=, at_least) OPERATOR(bool, >, others) OPERATOR(bool, <, others)
OPERATOR(bool, !=, others)
static inline Counted operator-(Counted a) { return -a.value; }
static inline Counted &operator+=(Counted &a, Counted b) { return a = a + b; }
static inline Counted &operator-=(Counted &a, Counted b) { return a = a - b; }
static inline Counted sqrtf(Counted a) { roots++; return sqrtf(a.value); }
#define float Counted
#define SKLKD_REAL Counted
#include "s.c"

int main()
{
    Counted row[SKLKD_FEATURES], out[SKLKD_OUTPUTS];
    for (Counted &one : row)
        one.value = WORST;
    sklkd_predict_one(row, out);
    printf("%ld %ld %ld %ld", products, divisions, roots, at_least);
}
"""


@pytest.fixture(scope="module")
def students():
    """An estimator and rows for each kind."""
    X, y = numbers(300, 6)
    gaps = np.where(np.random.RandomState(1).rand(*X.shape) < 0.1, np.nan, X)
    frame, words = mixed(300)

    def classifier(teacher, X, y, student):
        return DistilledClassifier(teacher, student, **PLAIN).fit(X, y), X

    made = {
        "numbers": classifier(ExtraTreesClassifier(5), X, y, student("tiny")),
        "linear": classifier(ExtraTreesClassifier(5), X, y, student(module__hidden=())),
        "missing": classifier(AnyClassifier(), gaps, y, student("tiny")),
        "mixed": classifier(AnyClassifier(), frame, words, student("tiny")),
        "categories": classifier(AnyClassifier(), frame[["word", "city"]], words, student("tiny")),
        "dates": classifier(
            AnyClassifier(), of_kinds(300, names=["when", "word", "day", "took"]), words, student("tiny")
        ),
    }
    made["numbers"][0].threshold_ = 0.3
    regressor = DistilledRegressor(LinearRegression(), student("tiny"), hard_weight=0, blend=0, augment=None,
                                   random_state=0).fit(X, X[:, :3])  # fmt: skip
    made["real"] = copy.copy(regressor), X
    made["positive"] = of_range(regressor, "positive", 3, 2), X
    made["unit"] = of_range(regressor, "unit", 1, 1), X
    return made


@files
@kinds_with_dates
def test_c_and_cpp_without_warnings_give_the_same(students, tmp_path, kind, quantize):
    est, X = students[kind]
    to_c(est, tmp_path / "s.c", quantize=quantize, header=tmp_path / "s.h")
    in_c = CPredictor(tmp_path / "s.c", flags=C)
    in_cpp = CPredictor(tmp_path / "s.c", compiler="g++", flags=CPP)
    np.testing.assert_array_equal(in_cpp._outputs(X), in_c._outputs(X))
    np.testing.assert_array_equal(in_cpp.predict(X[:1]), in_c.predict(X[:1]))
    if quantize is None and est._fitted.task.classification:
        np.testing.assert_allclose(in_cpp.predict_proba(X), est.predict_proba(X), rtol=0, atol=1e-5)
    # floats throughout, and beside its header
    (tmp_path / "both.c").write_text('#include "s.h"\n#include "s.c"\n')
    floats = ("-DSKLKD_REAL=float", "-Wdouble-promotion", "-fsyntax-only", tmp_path / "both.c")
    for command in (["cc", *C, *floats], ["g++", *CPP, *floats]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        # seconds since 1970 are no floats, and the file says so
        assert "dates_need_a_double" in done.stderr if kind == "dates" else done.returncode == 0, done.stderr


@pytest.mark.parametrize("compiler", [("cc", *C), ("g++", *CPP)], ids=["C", "C++"])
def test_a_caller_in_cpp(students, tmp_path, compiler):
    est, _ = students["mixed"]
    to_c(est, tmp_path / "s.c", header=tmp_path / "s.h")
    (tmp_path / "main.cpp").write_text(CALLER)
    subprocess.run([*compiler, "-c", "-o", "s.o", "s.c"], cwd=tmp_path, check=True)
    subprocess.run(["g++", *CPP, "-c", "-o", "main.o", "main.cpp"], cwd=tmp_path, check=True)
    subprocess.run(["g++", "-o", "main", "main.o", "s.o", "-lm"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    categories = est.encoder_.codec_.categories_
    rows = np.zeros((2, 5))
    rows[0, 1], rows[1, 3] = categories[1].tolist().index("3.0"), categories[3].tolist().index("c2")
    frame = {name: rows[:, j] for j, name in enumerate(est.feature_names_in_)}
    for j in (1, 3):
        frame[est.feature_names_in_[j]] = categories[j][rows[:, j].astype(int)]
    frame["old"] = np.array([categories[4][0]] * 2) if categories[4] is not None else rows[:, 4]
    expected = CPredictor(tmp_path / "s.c", flags=C).predict_proba(type(students["mixed"][1])(frame))
    printed = [float(figure) for figure in done.stdout.split()]
    np.testing.assert_allclose(printed[:6], expected.ravel(), rtol=1e-12)
    assert printed[6:] == expected.argmax(axis=1).tolist()


def test_a_header_of_a_regressor_has_no_labels(students, tmp_path):
    to_c(students["real"][0], tmp_path / "s.c", header=tmp_path / "s.h")
    (tmp_path / "main.c").write_text('#include "s.h"\nint main(void) { return sklkd_label(NULL); }\n')
    done = subprocess.run(["cc", *C, "-c", "main.c"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode and "sklkd_label" in done.stderr


def test_the_header_is_another_file(students, tmp_path):
    with pytest.raises(ValueError, match="header must be another file than path"):
        to_c(students["real"][0], tmp_path / "s.c", header=str(tmp_path / "s.c"))
    assert not (tmp_path / "s.c").exists()


def stated(path, words):
    """A figure of the file's first comment."""
    return int(re.search(rf"([\d,]+) {words}", path.read_text()).group(1).replace(",", ""))


def array_bytes(path):
    """Size of all arrays of numbers that the file defines."""
    code = path.read_text()
    sizes = {"float": 4, "sklkd_real": 8, "unsigned char": 1, "unsigned short": 2, "int": 4, "int8_t": 1, "int32_t": 4}
    sizes["weight"] = 1 if "typedef signed char weight" in code else 4
    found = re.findall(r"static const ([\w ]+) \w+\[\] = \{\n([^}]*)\}", code)
    return sum(sizes[kind] * (body.count(",") + 1) for kind, body in found)


@kinds
def test_vectors_of_weights_straddle_no_cache_line(students, tmp_path, kind):
    to_c(students[kind][0], tmp_path / "s.c")
    names = re.findall(r"static const weight (\w+)\[\]", (tmp_path / "s.c").read_text())
    sums = " + ".join(f"(uintptr_t){name} % 64" for name in names)
    (tmp_path / "main.c").write_text(f'#include "s.c"\nint main(void) {{ return ({sums}) != 0; }}\n')
    subprocess.run(["cc", "-O0", "-w", "-o", "main", "main.c", "-lm"], cwd=tmp_path, check=True)
    assert names
    subprocess.run([tmp_path / "main"], check=True)


@files
@kinds_with_dates
def test_stated_bytes(students, tmp_path, kind, quantize):
    est, _ = students[kind]
    path = tmp_path / "s.c"
    report = to_c(est, path, quantize=quantize)
    assert report.bytes == array_bytes(path)
    assert f"{report.bytes:,} bytes" in path.read_text() and f"{report.stack_bytes:,} bytes" in path.read_text()
    subprocess.run(["cc", "-std=c99", "-O0", "-fstack-usage", "-c", "s.c"], cwd=tmp_path, check=True)
    lines = [line.split("\t") for line in (tmp_path / "s.su").read_text().splitlines()]
    frames = {name.rsplit(":", 1)[1]: int(size) for name, size, _ in lines}
    inner = frames.get("add_categories", 0)
    assert report.stack_bytes <= frames["sklkd_predict_one"] + inner <= report.stack_bytes + 300
    many = stated(path, "in sklkd_predict\\.")
    assert many <= frames["predict_block"] + inner + frames.get("find_many", 0) <= many + 500


@files
@kinds
def test_stated_operations(students, tmp_path, kind, quantize):
    """The code counts them, with a type of number of its own."""
    est, _ = students[kind]
    path = tmp_path / "s.c"
    report = to_c(est, path, quantize=quantize)
    (tmp_path / "main.cpp").write_text(COUNTED)
    worst = "NAN" if est._fitted.handles_missing else "1.0f"  # missing values add most
    command = ["g++", "-std=c++11", "-w", "-O0", f"-DWORST={worst}", "-o", "main", "main.cpp", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    products, divisions, roots, at_least = map(int, done.stdout.split())
    exponentials = stated(path, "exponentials")
    assert (divisions, roots) == (stated(path, "divisions"), stated(path, "square roots"))
    assert f" {report.multiply_adds:,} multiply-adds" in path.read_text()
    categorical = len(est.encoder_.codec_._lookups)  # NAN is not compared with codes
    assert at_least - (0 if est._fitted.handles_missing else categorical) == stated(path, "comparisons")
    # beside weights: 8 of an exponential, 2 of a clipped number, 3 of a target, in 8 bits the scales of values
    beside = 8 * exponentials + 2 * roots + 3 * (est._fitted.task.scaling is not None) * est._fitted.task.n_outputs
    scales = 0 if quantize is None else 4 * est.n_features_in_ + exponentials
    assert report.multiply_adds <= products <= report.multiply_adds + beside + scales
