"""
Search over loss, student and teacher
=====================================

A distilled estimator is an ordinary estimator, and the parameters of its student, its loss and its teacher are its own:
a grid reaches them all. The data are 2,000 customers of a telephone company, of whom one in seven leaves; some columns
are categories. This example takes pandas.

**What to see:** a student that learns from labels only is worst, whatever its size; what the forest and the labels say
together is better than either alone. The defaults, which also have the forest label synthetic rows, are better still,
and a better teacher has a better student.
"""

import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _data import table
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from sklkd import DistilledClassifier
from sklkd.losses import SoftTargetLoss
from sklkd.students import TabularStudent

# %%
# The teachers
# ------------
# Each stands in a Pipeline with the encoding that it needs; students take the frame as it is.

frame, y, _ = table("churn", load_breast_cancer)
frame, y = frame[:2000], y[:2000]


def teacher_of(model):
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    columns = (codes, make_column_selector(dtype_include="category"))
    return make_pipeline(make_column_transformer(columns, remainder="passthrough"), model)


forest = teacher_of(RandomForestClassifier(200, min_samples_leaf=3, random_state=0))
boosting = teacher_of(HistGradientBoostingClassifier(max_iter=50, random_state=0))
cv, scoring = StratifiedKFold(3, shuffle=True, random_state=0), "neg_log_loss"
teacher_loss = {
    name: -cross_val_score(teacher, frame, y, cv=cv, scoring=scoring)
    for name, teacher in (("forest", forest), ("boosting", boosting))
}

# %%
# Loss and student
# ----------------
# ``TabularStudent`` is the default student as an object whose parameters can be set; ``student__module__hidden`` are
# the widths of its layers. ``hard_weight`` is the weight of the labels in the loss: at 0 the student learns from the
# forest only, at 1 from labels only (with ``blend=0``, which leaves the forest's outputs as they are). The forest is
# fitted on the rows of every fold anew, so that nothing leaks, but with ``memory`` only once a fold, and not for every
# candidate again. Synthetic rows (``augment``) are left out, for speed.

distilled = DistilledClassifier(forest, TabularStudent(), loss=SoftTargetLoss(), blend=0, augment=None, random_state=0)
grid = {
    "loss__temperature": [1.0, 4.0],
    "hard_weight": [0.0, 0.5, 1.0],
    "student__module__hidden": [(16,), (64, 64)],
}
with tempfile.TemporaryDirectory() as folder:
    distilled.set_params(memory=folder)
    search = GridSearchCV(distilled, grid, cv=cv, scoring=scoring, refit=False, n_jobs=2).fit(frame, y)
print(f"best of the grid: log loss {-search.cv_results_['mean_test_score'].max():.3f} with {search.best_params_}")

# %%
# Teacher
# -------
# The teacher is a parameter too. Everything else is left at its defaults here.

teachers = {"forest": forest, "boosting": boosting}
defaults = GridSearchCV(
    DistilledClassifier(forest, random_state=0),
    {"teacher": [*teachers.values()]},
    cv=cv,
    scoring=scoring,
    refit=False,
    n_jobs=2,
).fit(frame, y)
folds = [f"split{fold}_test_score" for fold in range(3)]
default_loss = dict(zip(teachers, -np.array([defaults.cv_results_[fold] for fold in folds]).T, strict=True))
for name in teachers:
    print(f"{name:8s} log loss {teacher_loss[name].mean():.3f}, its student {default_loss[name].mean():.3f}")

# %%
# Folds differ more than candidates, and so each candidate is compared with the forest on the same fold. Points are
# means over three folds, bars reach from the best to the worst fold.


def against_forest(ax, across, losses, **style):
    difference = losses - teacher_loss["forest"]
    middle = difference.mean(-1)
    reach = [middle - difference.min(-1), difference.max(-1) - middle]
    ax.errorbar(across, middle, reach, capsize=4, markersize=9, **style)


results = pd.DataFrame(search.cv_results_)
plt.rcParams["font.size"] = 13
figure, axes = plt.subplots(1, 2, figsize=(10, 5), sharey=True, layout="constrained")
styles = {1.0: {"color": "#0072B2", "fmt": "o-"}, 4.0: {"color": "#D55E00", "fmt": "s--"}}
for ax, (hidden, lines) in zip(axes, results.groupby("param_student__module__hidden"), strict=True):
    ax.axhline(0, color="0.4", linestyle=":", label="forest")
    for shift, (temperature, line) in zip((-0.012, 0.012), lines.groupby("param_loss__temperature"), strict=True):
        label = f"temperature {temperature:g}"
        across = line["param_hard_weight"].astype(float) + shift
        against_forest(ax, across, -line[folds].to_numpy(), label=label, **styles[temperature])
    against_forest(ax, [1.2], default_loss["forest"][None], fmt="^", color="#009E73", label="all defaults")
    ax.set(title=f"hidden layers {hidden}", xlabel="hard_weight: weight of the labels")
    ax.set(xticks=[0, 0.5, 1, 1.2], xticklabels=["0", "0.5", "1", "auto"])
axes[0].set_ylabel("log loss minus the forest's\n(lower is better)")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
plt.show()
