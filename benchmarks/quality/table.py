"""Turn what ``quality.py --out FILE`` has written into a Markdown table.

python benchmarks/quality/table.py FILE
"""

import json
import sys
from pathlib import Path

import numpy as np

rows = json.loads(Path(sys.argv[1]).read_text())
print("| set | rows | teacher | student alone | distilled | excess | parameters | one row, times faster |")
print("| --- | --: | --: | --: | --: | --: | --: | --: |")
for row in rows:
    losses = " | ".join(f"{row[key]:.4g}" for key in ("teacher", "scratch", "student"))
    faster = row["teacher_one_row_us"] / row["one_row_us"]
    print(
        f"| {row['name']} | {row['rows']:,} | {losses} | {row['excess']:+.1%} | {row['parameters']:,} | {faster:.0f} |"
    )
excess = np.array([row["excess"] for row in rows])
better = np.mean([row["student"] < row["scratch"] for row in rows])
agreement = np.median([row["student_agreement"] for row in rows if "student_agreement" in row])
print(
    f"\nMedian excess {np.median(excess):+.1%}; at most +2 % on {np.mean(excess <= 0.02):.0%}, at most 0 on "
    f"{np.mean(excess <= 0):.0%} of the sets, worst {excess.max():+.1%}; better than the student alone on "
    f"{better:.0%}; median agreement with the teacher {agreement:.1%}; student's fit over teacher's "
    f"{np.median([row['student_fit_s'] / row['teacher_fit_s'] for row in rows]):.1f}."
)
