"""What can be said of a student on the rows that it was measured on, in sentences."""

from __future__ import annotations

import numpy as np

from sklkd.report._comparison import Results
from sklkd.report._formats import bound, label, level, percent, signed, written

AGAINST = {"teacher": "the teacher", "baseline": "the same student without a teacher"}


def verdicts(results: Results, task: str, loss: str, n_rows: int, confidence: float) -> list[str]:
    """One sentence for each that the student is compared with, and one on agreement; empty without intervals."""
    sentences = []
    called, rows, sure = label(loss, task), f"these {n_rows:,} rows", level(confidence)
    for other, name in AGAINST.items():
        found = results.differences.get(other, {}).get(loss)
        if found is None or np.isnan(found.low):
            continue
        values = [written(loss, results.rows[model][loss]) for model in ("student", other)]
        numbers = (
            f"{called} {values[0]} against {values[1]}, difference {signed(loss, found.value)}, {sure} interval "
            f"{signed(loss, found.low)} to {signed(loss, found.high)}"
        )
        if not found.interval.excludes(0):
            sentences.append(f"The student is not distinguishable from {name} on {rows}: {numbers}.")
        else:
            sentences.append(f"The student is {'better' if found.value < 0 else 'worse'} than {name}: {numbers}.")
    agreement = results.rows["student"].get("agreement", np.nan)
    if np.isnan(agreement) or not results.intervals:
        return sentences
    share = percent(agreement)
    if np.isfinite(results.agreement_at_least):
        at_least = bound(results.agreement_at_least)
        sentences.append(
            f"The student's label is the teacher's in {share} of {rows}: in at least {at_least} of such rows, with "
            f"{sure} confidence."
        )
    else:
        low, high = results.intervals["student"]["agreement"]
        labels = "labels are" if task == "multilabel" else "label is"
        of = f"{share}, mean over labels and rows" if task == "multilabel" else f"{share} of the rows' weight"
        sentences.append(
            f"The student's {labels} the teacher's in {of}: {sure} interval {percent(low)} to {percent(high)}, by the "
            "bootstrap, since exact bounds need rows that count the same and have one label."
        )
    return sentences
