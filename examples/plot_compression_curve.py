"""
How small can the student be?
=============================

A budget says how large the student may be; the compression curve shows what a budget costs. The data are the median
prices of houses in 20,640 districts of California, of which 3,000 train.

**What to see:** a student of 2,000 parameters errs less than its teacher, a forest of 100 trees, and at every size a
student that learns from the forest errs less than the same network that learns from labels only.
"""

import matplotlib.pyplot as plt
import numpy as np
from _data import table
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import train_test_split

from sklkd import CompressionCurveDisplay, DistilledRegressor

frame, y, stored = table("california_housing", load_diabetes)
X, y = frame.select_dtypes("number").to_numpy(), y.to_numpy()
y, unit, n_train = (y / 1000, "$1,000", 3000) if stored else (y, "points", 300)

# %%
# The curve
# ---------
# The forest is fitted once for each of three splits of the rows; then four students learn from it, and four more of the
# same sizes learn from labels only. All are scored on test rows. An integer in ``sizes`` is a number of parameters that
# the student may not exceed. Fewer synthetic rows than by default make the fits shorter.

displays = []
for seed in range(3):
    X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=n_train, random_state=seed)
    forest = RandomForestRegressor(100, n_jobs=2, random_state=seed)
    display = CompressionCurveDisplay.from_estimator(
        DistilledRegressor(forest, n_synthetic=n_train, random_state=seed),
        X_train,
        y_train,
        X_test=X_test,
        y_test=y_test,
        sizes=[500, 2_000, 10_000, 50_000],
        scoring="neg_root_mean_squared_error",
    )
    plt.close(display.figure_)
    displays.append(display)

errors = {
    "same network, labels only": -np.array([display.baseline_scores for display in displays]),
    "distilled student": -np.array([display.scores for display in displays]),
}
teacher = -np.array([display.teacher_score for display in displays])
print(f"RMSE at {', '.join(f'{size:,.0f}' for size in displays[0].parameters)} parameters")
for name, values in errors.items():
    print(f"{name:26s}", ", ".join(f"{mean:.1f}" for mean in values.mean(0)))
print(f"{'teacher':26s} {teacher.mean():.1f}")

# %%
# Points are means over the splits; bars, and the band of the teacher, reach from the best to the worst split.

plt.rcParams["font.size"] = 13
_, ax = plt.subplots(figsize=(6.8, 4.6), layout="constrained")
ax.axhspan(teacher.min(), teacher.max(), color="0.4", alpha=0.15, linewidth=0)
ax.axhline(teacher.mean(), color="0.4", linestyle=":", label="teacher: forest of 100 trees")
for (style, color), (label, values) in zip((("s--", "#D55E00"), ("o-", "#0072B2")), errors.items(), strict=True):
    middle = values.mean(0)
    reach = [middle - values.min(0), values.max(0) - middle]
    ax.errorbar(displays[0].parameters, middle, reach, fmt=style, color=color, capsize=4, markersize=8, label=label)
ax.set(xscale="log", xlabel="parameters of the network", ylabel=f"test RMSE, {unit} (lower is better)")
ax.legend(frameon=False)
plt.show()

# %%
# One split, or other costs
# -------------------------
# Where one split is enough, a display draws itself. It also has the bytes of each network, and the measured
# microseconds to predict one row.

_, ax = plt.subplots(figsize=(6.8, 5.2), layout="constrained")
display.plot(ax, x="bytes", negate_score=True)
plt.show()
for size, n_bytes, latency in zip(display.parameters, display.n_bytes, display.latency_us, strict=True):
    print(f"{size:7,.0f} parameters: {n_bytes:7,} bytes, {latency:.0f} us for one row")

# %%
# To fit one student within a budget, pass ``student=TabularStudent(max_parameters=2_000)``, or ``max_bytes``. The
# budget is a parameter that a search can choose on the training rows, as ``student__max_parameters``.
