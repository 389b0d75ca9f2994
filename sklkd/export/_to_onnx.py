"""An estimator as one ONNX file."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from sklkd import _whole_files
from sklkd._progress import LOGGER
from sklkd.export._compare import agreement, largest_difference, outputs_of, rows_to_compare
from sklkd.export._predictor import OnnxPredictor
from sklkd.export._source import open_source
from sklkd.export._wrapped import Isotonic

TOLERANCE = 1e-5
"""Largest difference of a probability, or of a value in units of the target's standard deviation or, if larger, of its
distance from the mean."""

ADVICE = (
    "Leave the step out, since the estimator takes categories and missing values as they are, or export the estimator "
    "alone and run the steps before it where the rows come from."
)

MARGIN = 5e-6
"""Largest difference with which single precision is enough; the rows made up for it are harder than real ones."""


@dataclass(frozen=True)
class ExportReport:
    """What :func:`to_onnx` has written, and how it compares with the estimator.

    Attributes
    ----------
    path : str
        The file.
    bytes : int
        Its size.
    opset : int
        Version of the standard operators that it uses.
    quantize : str or None
        As given.
    numbers : {"float32", "float64"}
        Type of the numeric inputs. Double where single precision would change predictions: for narrow bins, or numbers
        that are large beside their spread.
    n_rows : int
        Rows on which the file was compared with the estimator.
    largest_difference : float
        Of all probabilities, or of all values in units of the target's standard deviation, or of their distance from
        its mean where that is larger.
    agreement : float
        Part of the rows with the same label; of regressors, the R2 of the file's values for the estimator's.
    """

    path: str
    bytes: int
    opset: int
    quantize: str | None
    numbers: str
    n_rows: int
    largest_difference: float
    agreement: float

    def __str__(self) -> str:
        how = f", {self.quantize}" if self.quantize else ""
        return (
            f"{self.path}: {self.bytes / 1e3:,.1f} KB{how}, opset {self.opset}, {self.numbers} inputs; on "
            f"{self.n_rows:,} rows at most {self.largest_difference:.1e} from the estimator, agreement "
            f"{self.agreement:.4%}"
        )


def to_onnx(
    est: Any, path: str | PathLike[str], *, X: Any = None, quantize: str | None = None, opset: int | None = None
) -> ExportReport:
    """Write encoding and student as one ONNX graph, compared with the estimator before it is written.

    The graph takes the columns as the user has them: one tensor ``"X"`` of shape (n, n_features) where the estimator
    was fitted on numbers in an array, otherwise one input of shape (n, 1) per column, called as the column (``"x0"``,
    ``"x1"``, ... where it has no name): numbers as float (or double, see ``ExportReport.numbers``), with NaN where
    they are missing, dates and durations as seconds (dates since 1970, by their own clock), and categories as strings.
    It gives ``"label"`` (n,), by the estimator's decision rule, and ``"probabilities"`` (n, n_classes), float or, of
    isotonic calibration, double, for several labels a row 0 or 1 and the probability of each, (n, n_labels), or, for
    regressors, ``"value"`` (n, n_outputs) in double, in the range of the estimator's; where a column has such a name,
    with an underscore behind it.

    Students that are no networks are written as they are: trees and their ensembles (of scikit-learn, XGBoost, LightGBM
    and CatBoost) with the thresholds that they compare with, linear models in double precision, others as skl2onnx
    converts them. Their probabilities are double, and so are their numbers where they compare in double precision.

    Parameters
    ----------
    est : DistilledClassifier or DistilledRegressor, or a model around one
        Fitted. Models around one are a Pipeline that ends in it, a search, ``FrozenEstimator``,
        ``CalibratedClassifierCV`` of one student, ``FixedThresholdClassifier``, ``TunedThresholdClassifierCV``,
        ``TransformedTargetRegressor``, and these inside each other. Steps before it are part of the file: scalers,
        imputers, encoders, and transformers of powers, quantiles and splines with all their options, in double
        precision where that is needed, others as skl2onnx converts them.
    path : str or path
        File to write.
    X : array or frame, default=None
        Rows on which the file is compared with the estimator. None: rows made up from what the encoder has learnt,
        with numbers inside and on the edges of every bin, missing values and unseen categories; before steps of a
        Pipeline what these would turn into such rows, with the gaps and categories that they have learnt to treat.
    quantize : {"int8", "float16"}, default=None
        Store weights in 8 bits (one scale per row or column of a matrix; edges of bins in 16) or 16. The runtime
        restores them when it loads the file, so that it is a quarter or half the size, as fast, and a little less
        exact; the report says how much. None: 32 bits.
    opset : int, default=None
        Version of ONNX's standard operators, 13 or newer. None: 18, which runtimes have had since 2023.

    Returns
    -------
    ExportReport

    Raises
    ------
    TypeError
        For an estimator that is not one of sklkd's, and for models around other estimators.
    ValueError
        For parameters out of range, ``quantize`` where the student is no network, and where the graph's predictions
        differ from the estimator's by more than 1e-5 without ``quantize``, with the step that makes the difference;
        nothing is written then.
    NotImplementedError
        For steps of a Pipeline, and students, that cannot be converted, for rows that are texts, and for models around
        several students.
    ImportError
        Where ``sklkd[onnx]`` is not installed.

    Notes
    -----
    A string input spells a missing value as the character U+E000, since ONNX Runtime would read None and NaN as the
    strings "None" and "nan", which may be categories; :class:`OnnxPredictor` does so by itself. Where they are none,
    and no step reads the column, they and "<NA>" are missing values, too. In a column that mixes strings and numbers,
    numbers begin with U+E000. Any other unknown string is an unseen category; where a step takes it for an error,
    probabilities and values are NaN.

    Without ``quantize`` the file's probabilities are within 1e-5 of the estimator's on the compared rows. Labels are
    those of the file's own probabilities: with a threshold (``est.threshold_``) the second class from it on, else the
    largest one; where two logits tie, the first.

    Examples
    --------
    See :class:`OnnxPredictor`.
    """
    try:
        from sklkd.export._write import MAY_BE_ROUNDING, OPSETS, Options, differing_step, write
    except ImportError as error:
        raise ImportError(f"to_onnx needs {error.name}: pip install 'sklkd[onnx]'.") from error
    low, default, high = OPSETS
    opset = default if opset is None else opset
    if not isinstance(opset, int) or not low <= opset <= high:
        raise ValueError(f"opset must be a whole number from {low} to {high}, or None, got opset={opset!r}.")
    if quantize not in (None, "int8", "float16"):
        raise ValueError(f"quantize must be None, 'int8' or 'float16', got quantize={quantize!r}.")
    source = open_source(est, X)
    unwrapped = source.unwrapped
    unwrapped.check_quantize(quantize)
    try:
        rows, expected = rows_to_compare(est, source.rows, made_up=X is None)
    except ValueError as error:
        if X is not None:
            raise
        raise ValueError(f"X must be given, some rows to compare with: made-up ones are refused: {error}") from error
    # seconds since 1970 have more digits than float32, isotonic calibration may be steep, thresholds near numbers
    in_double = source.has_dates or isinstance(unwrapped.calibration, Isotonic) or source.compares_in_double
    for double in (True,) if in_double else (False, True):
        options = Options(opset, double, None)
        content = write(source, options)
        predictor = OnnxPredictor(content)
        try:
            difference = largest_difference(unwrapped, expected, outputs_of(predictor, rows))
        except Exception as error:
            if not double and isinstance(error, MAY_BE_ROUNDING):
                # a number at the end of what a step takes may be rounded beyond it
                LOGGER.info("to_onnx: double precision is tried, as a file in single precision fails: %s", error)
                continue
            where = differing_step(source, options, predictor._feeds(source.rows))
            if not where:
                raise
            raise NotImplementedError(f"est cannot be exported as it is: {where}. {ADVICE}") from error
        if difference <= MARGIN:
            break
    if not difference <= TOLERANCE:
        where = differing_step(source, options, predictor._feeds(source.rows))
        raise ValueError(
            f"est cannot be exported as it is: the graph's predictions differ by {difference:.1e} from the estimator's "
            f"on {len(expected):,} rows, more than {TOLERANCE:g}{'.' if not where else f': {where}. {ADVICE}'}"
        )
    if quantize is not None:
        content = write(source, Options(opset, double, quantize))
    got = outputs_of(OnnxPredictor(content), rows)
    _whole_files.write({Path(path): lambda file: file.write(content)}, "to_onnx cannot write")
    return ExportReport(
        path=str(path),
        bytes=len(content),
        opset=opset,
        quantize=quantize,
        numbers="float64" if double else "float32",
        n_rows=len(expected),
        largest_difference=largest_difference(unwrapped, expected, got),
        agreement=agreement(unwrapped, expected, got),
    )
