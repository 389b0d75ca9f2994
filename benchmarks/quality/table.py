"""Turn what ``quality.py --out FILE`` has written into a Markdown table of means over seeds.

python benchmarks/quality/table.py FILE
"""

import json
import sys
from itertools import groupby
from pathlib import Path

import numpy as np

runs = json.loads(Path(sys.argv[1]).read_text())
print("| set | rows | teacher | without a teacher | distilled | change, by seed | parameters | one row, times faster |")
print("| --- | --: | --: | --: | --: | --: | --: | --: |")
for name, group in groupby(runs, key=lambda run: run["name"]):
    seeds = list(group)

    def mean(key, seeds=seeds):
        return np.mean([run[key] for run in seeds])

    losses = " | ".join(f"{mean(key):.4g}" for key in ("teacher", "scratch", "student"))
    excesses = ", ".join(f"{100 * run['excess']:+.1f}" for run in seeds)
    faster = np.median([run["teacher_one_row_us"] / run["one_row_us"] for run in seeds])
    print(f"| {name} | {seeds[0]['rows']:,} | {losses} | {excesses} % | {mean('parameters'):,.0f} | {faster:.0f} |")
excess = np.array([run["excess"] for run in runs])
better = np.mean([run["student"] < run["scratch"] for run in runs])
agreement = np.median([run["student_agreement"] for run in runs if "student_agreement" in run])
print(
    f"\nMedian change {np.median(excess):+.1%}; at most +2 % on {np.mean(excess <= 0.02):.0%}, at most 0 on "
    f"{np.mean(excess <= 0):.0%} of the runs, worst {excess.max():+.1%}; better than the baseline on "
    f"{better:.0%}; median agreement with the teacher {agreement:.1%}; student's fit over teacher's "
    f"{np.median([run['student_fit_s'] / run['teacher_fit_s'] for run in runs]):.1f}."
)
