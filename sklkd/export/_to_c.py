"""An estimator as one C file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from sklkd import _whole_files
from sklkd.estimators._access import with_fitted
from sklkd.export._c_costs import Costs, IntegerCosts, integer_costs_of
from sklkd.export._c_integer_source import fixed_point, integer_source
from sklkd.export._c_plain import PlainCosts, PlainStudent
from sklkd.export._c_source import c_costs, source
from sklkd.export._c_weights import Weights
from sklkd.export._compare import agreement, largest_difference, outputs_of, rows_to_compare
from sklkd.export._composed import composed
from sklkd.export._file import sealed
from sklkd.export._integer import IntegerStudent
from sklkd.export._source import made_up_rows
from sklkd.export._to_onnx import TOLERANCE
from sklkd.export._wrapped import Calibration, Isotonic, Unwrapped, unwrap
from sklkd.students._folded import fold


@dataclass(frozen=True)
class CReport:
    """What :func:`to_c` has written, and how it compares with the estimator.

    Attributes
    ----------
    path : str
        The file.
    bytes : int
        Size of its constants once compiled: weights, edges, scales. The code adds a few kilobytes.
    quantize : str or None
        As given.
    n_rows : int
        Rows on which the weights, as they are stored, were compared with the estimator's.
    largest_difference : float
        Of all probabilities, or of all values in units of the target's standard deviation, or of their distance from
        its mean where that is larger.
    agreement : float
        Part of the rows with the same label; of regressors, the R2 of the values for the estimator's.
    multiply_adds : int
        With weights, that one row takes at most. The first lines of the file list the other operations.
    stack_bytes : int
        Size of the arrays that one row takes on the stack; those of several rows together stand in the file.
    """

    path: str
    bytes: int
    quantize: str | None
    n_rows: int
    largest_difference: float
    agreement: float
    multiply_adds: int
    stack_bytes: int
    resolution: float | None = None

    def __str__(self) -> str:
        how = f", {self.quantize}" if self.quantize else ""
        return (
            f"{self.path}: {self.bytes / 1e3:,.1f} KB{how} once compiled; on {self.n_rows:,} rows at most "
            f"{self.largest_difference:.1e} from the estimator, agreement {self.agreement:.4%}"
        )


def to_c(
    est: Any,
    path: str | PathLike[str],
    *,
    X: Any = None,
    quantize: str | None = None,
    header: str | PathLike[str] | None = None,
) -> CReport:
    """Write encoding and student as one C99 file: no allocation, no library but libm.

    The file says how it is compiled and called, and what it takes on a device: bytes of flash and stack, and operations
    for one row. It takes the columns in the order of fit as numbers, missing ones as NAN, categories as codes, which
    its function ``sklkd_code`` finds for strings, and gives probabilities in the order of ``classes_``, of which
    ``sklkd_label`` makes the label by the estimator's decision rule, the probability of each of several labels a row,
    or values in the units and the range of y. It is C++ as well, with functions that have C linkage, and compiles
    without warnings. In Python, :class:`CPredictor` compiles and calls it.

    Trees, sums of trees and linear models as students are files of the same form, without bins and layers.

    Parameters
    ----------
    est : DistilledClassifier or DistilledRegressor, or a model around one
        Fitted, with the default student, trees or a linear model. Models around one are a search, ``FrozenEstimator``,
        ``CalibratedClassifierCV`` of one student (by "temperature", of two classes by "sigmoid" too),
        ``FixedThresholdClassifier``, ``TunedThresholdClassifierCV``, ``TransformedTargetRegressor``, a Pipeline that
        ends in one, of scalers, ``SimpleImputer``, and encoders (``OneHotEncoder``, ``OrdinalEncoder``) that take
        unseen categories, and these inside each other. Steps are for the default student alone.
    path : str or path
        File to write.
    X : array or frame of shape (n, n_features), default=None
        Rows on which the stored weights are compared with the estimator's. None: rows made up from what the encoder
        has learnt, with numbers inside and on the edges of every bin, missing values and unseen categories.
    quantize : {"int8", "integer"}, default=None
        ``"int8"``: store weights in 8 bits, with one scale per column or unit that they come from: a quarter of the
        size, and a little less exact. ``"integer"``: the same weights, and nothing but integers elsewhere, for
        processors without floating point: rows and outputs are numbers times a power of 2 (``SKLKD_SHIFTS`` in the
        file), and classifiers give scores, whose softmax are the probabilities. None: 32 bits, within 1e-5 of the
        estimator's probabilities.
    header : str or path, default=None
        Header file to write as well, for code that calls the functions: the C file does not need it.

    Returns
    -------
    CReport

    Raises
    ------
    TypeError
        For an estimator that is not one of sklkd's, or whose student is another network than the default one.
    ValueError
        For another ``quantize``, any where the student is no network, a ``header`` that is ``path``, and for categories
        or classes that are neither strings, numbers nor booleans.
    NotImplementedError
        For ``"integer"``, where the student reads the parts of dates, or a column is so large beside its spread that
        its numbers need more than 32 bits. For students that are neither networks, trees nor linear models.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import ExtraTreesClassifier
    >>> from sklkd import DistilledClassifier
    >>> from sklkd.export import to_c
    >>> X, y = load_iris(return_X_y=True)
    >>> est = DistilledClassifier(ExtraTreesClassifier(random_state=0), "tiny", random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = to_c(est, Path(folder) / "iris.c", X=X, quantize="int8")
    >>> report.bytes < 8_000, report.agreement > 0.95
    (True, True)
    """
    if quantize not in (None, "int8", "integer"):
        raise ValueError(f"quantize must be None, 'int8' or 'integer', got quantize={quantize!r}.")
    if header is not None and Path(header).resolve() == Path(path).resolve():
        raise ValueError(f"header must be another file than path, got header={str(header)!r} for both.")
    unwrapped = unwrap(est)
    student = unwrapped.est
    is_net = student._fitted.is_net
    folded = fold(student.encoder_, student.student_.module_) if is_net else None
    if is_net and folded is None:
        raise TypeError(
            "est must have the default student to become C code, got a network or an encoder of your own: export it "
            "with to_onnx."
        )
    unwrapped.check_quantize(quantize)
    calibration = _linear(unwrapped.calibration)
    whole = unwrapped
    if folded is not None:
        folded = folded if calibration is None else calibration.folded(folded)
        if whole.steps:
            unwrapped, folded = composed(whole, folded)
            student = unwrapped.est
        weights = Weights(folded, eight_bits=quantize is not None)
    else:
        plain = PlainStudent(unwrapped)
    rows = made_up_rows(whole) if X is None else whole.read(X)
    rows, expected = rows_to_compare(est, rows, made_up=X is None)
    read = unwrapped.read(rows)
    in_integers: IntegerStudent | None = None
    costs: Costs | IntegerCosts | PlainCosts
    if not is_net:
        costs = plain.costs
        code, interface = plain.source(Path(path).stem)
        got = unwrapped.of_values(outputs_of(plain.predictor(), read))
        if not (difference := largest_difference(unwrapped, expected, got)) <= TOLERANCE:
            raise ValueError(
                f"est cannot become C code: predictions of it would differ by {difference:.1e} from the estimator's "
                f"on {len(expected):,} rows, more than {TOLERANCE:g}."
            )
    elif quantize == "integer":
        in_integers = _in_integers(unwrapped, weights)
        costs = integer_costs_of(in_integers, student._fitted.task)
        code, interface = integer_source(student, in_integers, Path(path).stem)
        numbers = fixed_point(student, in_integers)
        got = numbers.outputs(in_integers.outputs(numbers.rows(student.encoder_.codec_.transform(read))))
    else:
        costs = c_costs(student, weights)
        code, interface = source(unwrapped, weights, Path(path).stem)
        # categories may be missing also where numbers may not
        stored = with_fitted(student, network=weights.stored(), handles_missing=True)
        got = unwrapped.of_values(outputs_of(stored, read))
    contents = {Path(path): sealed(code.encode("ascii"))}
    if header is not None:
        contents[Path(header)] = interface.encode("ascii")
    files = {place: partial(_write_bytes, content=content) for place, content in contents.items()}
    _whole_files.write(files, "to_c cannot write")
    return CReport(
        path=str(path),
        bytes=costs.constants,
        quantize=quantize,
        n_rows=len(expected),
        largest_difference=largest_difference(unwrapped, expected, got),
        agreement=agreement(unwrapped, expected, got),
        multiply_adds=costs.multiply_adds,
        stack_bytes=costs.stack_one,
        resolution=None if in_integers is None else in_integers.resolution,
    )


def _write_bytes(file: Any, content: bytes) -> None:
    file.write(content)


def _linear(calibration: Calibration | Isotonic | None) -> Calibration | None:
    """A calibration, if it has a form in C."""
    if isinstance(calibration, Isotonic):
        raise TypeError(
            "est must be calibrated by method='sigmoid' or 'temperature' to become C code, got 'isotonic': export it "
            "with to_onnx."
        )
    if calibration is not None and calibration.one_by_one:
        raise TypeError(
            "est must be calibrated by method='temperature' to become C code, where it has more than two classes, "
            "got 'sigmoid': export it with to_onnx."
        )
    return calibration


def _in_integers(unwrapped: Unwrapped, weights: Weights) -> IntegerStudent:
    est = unwrapped.est
    if unwrapped.functions:
        raise NotImplementedError(
            "est makes targets of its values by functions, which are not computed in integers: distil without "
            "TransformedTargetRegressor, or use quantize='int8'."
        )
    if est.encoder_.calendar_:
        column = est.encoder_.calendar_[0][0]
        raise NotImplementedError(
            f"column {column} (from 0) holds dates, whose parts are not computed in integers: give the parts that "
            "matter as columns of numbers, or use quantize='int8'."
        )
    return IntegerStudent(weights, est._fitted.task, est._fitted.threshold)
