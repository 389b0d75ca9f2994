"""
Search over loss, student and teacher
=====================================

A distilled estimator is an ordinary step of a Pipeline, and the parameters of its student, its loss and its teacher are
its own: a grid reaches them all. This example takes pandas.
"""

import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklkd import DistilledClassifier
from sklkd.losses import SoftTargetLoss
from sklkd.students import TabularStudent

# %%
# The data
# --------
# A thousand rows of eight columns, two of which are categories; every tenth label is drawn at random.

X, y = make_classification(
    3000, 8, n_informative=6, n_redundant=0, n_classes=3, flip_y=0.1, class_sep=0.8, random_state=0
)
frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(8)])
frame["x0"] = pd.cut(frame["x0"], [-np.inf, -1, 0, 1, np.inf], labels=["north", "east", "south", "west"])
frame["x1"] = pd.cut(frame["x1"], [-np.inf, 0, np.inf], labels=["old", "new"])
old, old_y, frame, y = frame[:2000], y[:2000], frame[2000:], y[2000:]

columns = make_column_transformer(
    (OneHotEncoder(), make_column_selector(dtype_include="category")),
    (StandardScaler(), make_column_selector(dtype_include="number")),
)
forest = RandomForestClassifier(200, random_state=0)
cv, scoring = 3, "neg_log_loss"
forest_loss = -cross_val_score(make_pipeline(columns, forest), frame, y, cv=cv, scoring=scoring).mean()
print(f"forest: log loss {forest_loss:.3f}")

# %%
# Loss and student
# ----------------
# ``TabularStudent`` is the default student as an object whose parameters can be set; ``student__module__hidden`` are
# the widths of its layers. ``hard_weight`` is the weight of the labels in the loss: at 0 the student learns from the
# forest only, at 1 from labels only (with ``blend=0``, which leaves the forest's outputs as they are). The forest is
# fitted on the rows of every fold anew, so that nothing leaks, but with ``memory`` only once a fold, and not for every
# candidate again. Synthetic rows (``augment``) are left out, for speed.

student = TabularStudent(size="tiny", max_epochs=100)
distilled = DistilledClassifier(forest, student, loss=SoftTargetLoss(), blend=0, augment=None, random_state=0)
pipeline = Pipeline([("columns", columns), ("distilled", distilled)])
grid = {
    "distilled__loss__temperature": [1.0, 4.0],
    "distilled__hard_weight": [0.0, 0.3, 1.0],
    "distilled__student__module__hidden": [(16, 16), (64, 64)],
}
with tempfile.TemporaryDirectory() as folder:
    pipeline.set_params(distilled__memory=folder)
    search = GridSearchCV(pipeline, grid, cv=cv, scoring=scoring).fit(frame, y)
print(f"student: log loss {-search.best_score_:.3f} with {search.best_params_}")

# %%
# Every tenth label is noise, which a wider network memorises more easily: labels only are worse than the forest only.
# Students learn most from both.

results = pd.DataFrame(search.cv_results_)
results.columns = results.columns.str.replace("param_distilled__", "")
_, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for color, (hidden, lines) in zip(("tab:blue", "tab:orange"), results.groupby("student__module__hidden"), strict=True):
    for style, (temperature, line) in zip(("o-", "s--"), lines.groupby("loss__temperature"), strict=True):
        label = f"student {hidden}, temperature {temperature:g}"
        ax.plot(line["hard_weight"], -line["mean_test_score"], style, color=color, label=label)
ax.axhline(forest_loss, color="0.5", linestyle=":", label="forest")
ax.set(xlabel="hard_weight: weight of the labels", ylabel=f"log loss, {cv} folds")
ax.legend()
plt.show()

# %%
# Teacher
# -------
# The teacher is a parameter too. A forest that was fitted on two thousand older rows is kept as it is inside
# ``FrozenEstimator``; without it, the forest would be cloned and fitted on the rows of each fold. It stands in a
# pipeline with its own preprocessing: the student takes the frame as it is. Scores are not measured on older rows; if
# the frozen forest had been fitted on the rows of the search, its scores would be too good.

frozen = FrozenEstimator(make_pipeline(columns, forest).fit(old, old_y))
teachers = {"refitted": make_pipeline(columns, forest), "frozen": frozen}
student = TabularStudent(size="tiny", max_epochs=100, module__hidden=(64, 64))
distilled = DistilledClassifier(forest, student, hard_weight=0.3, blend=0, augment=None, random_state=0)
search = GridSearchCV(distilled, {"teacher": list(teachers.values())}, cv=cv, scoring=scoring).fit(frame, y)
for name, score in zip(teachers, search.cv_results_["mean_test_score"], strict=True):
    print(f"student of the {name} forest: log loss {-score:.3f}")
