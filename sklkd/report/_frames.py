"""A report's numbers as pandas DataFrames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklkd.report._contents import Contents
from sklkd.report._intervals import Estimate, Interval
from sklkd.report._reliability import ReliabilityBin


def check_part(part: str) -> str:
    """Raise unless a frame can be made of it."""
    if part not in FRAMES:
        raise ValueError(f"part must be one of {list(FRAMES)}, got part={part!r}.")
    return part


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "DistillationReport.to_frame needs pandas: pip install 'sklkd[pandas]'. The same numbers are in rows."
        ) from error
    return pd


def _with_ends(row: dict[str, float], intervals: dict[str, Interval]) -> dict[str, float]:
    ends = {f"{name}_{end}": getattr(one, end) for name, one in intervals.items() for end in Interval._fields}
    return row | ends


def _models(report: Contents) -> Any:
    rows = {model: _with_ends(row, report.intervals.get(model, {})) for model, row in report.rows.items()}
    ends = [name for name in rows["student"] if name not in report.rows["student"]]
    frame = _pandas().DataFrame.from_dict(rows, orient="index", columns=[*report.columns, *ends])
    return frame.astype({"parameters": "Int64", "bytes": "Int64"})


def _differences(report: Contents) -> Any:
    found = {
        (f"student - {other}", name): one for other, pairs in report.differences.items() for name, one in pairs.items()
    }
    return _indexed(list(found), list(found.values()), ("difference", "measure"), list(Estimate._fields))


def _groups(report: Contents) -> Any:
    index, rows = [], []
    for group in report.groups:
        for model, row in group.results.rows.items():
            index.append((group.name, model))
            rows.append({"n_rows": group.n_rows} | _with_ends(row, group.results.intervals.get(model, {})))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return _indexed(index, rows, ("group", "model"), columns)


def _reliability(report: Contents) -> Any:
    bins = [(model, k, one) for model, found in report.reliability.items() for k, one in enumerate(found)]
    index = [(model, k) for model, k, _ in bins]
    return _indexed(index, [one for _, _, one in bins], ("model", "bin"), list(ReliabilityBin._fields))


def _indexed(index: list[tuple], rows: list[Any], names: tuple[str, str], columns: list[str]) -> Any:
    pd = _pandas()
    return pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(index, names=names), columns=columns)


FRAMES: dict[str, Callable[[Any], Any]] = {
    "models": _models,
    "differences": _differences,
    "groups": _groups,
    "reliability": _reliability,
}
