"""
Search over teacher, student and loss
=====================================

A distilled estimator is an ordinary step of a Pipeline: a grid reaches the temperature of the loss, the weight of the
labels, the width of the student and the teacher itself, which is fitted once per fold and cached.
"""

import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklkd import DistilledClassifier
from sklkd.losses import SoftTargetLoss
from sklkd.students import TabularStudent

# %%
# Six numbers and a category that interacts with them.
X, y = make_classification(600, 6, n_informative=5, n_redundant=0, n_classes=3, random_state=0)
frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(6)])
frame["kind"] = pd.Categorical(np.where(X[:, 0] + X[:, 1] > 0, "plus", "minus"))

columns = make_column_transformer(
    (OneHotEncoder(), make_column_selector(dtype_include="category")), remainder=StandardScaler()
)

# %%
# The teacher arrives unfitted in each fold, so nothing leaks; ``memory`` fits each fold's teacher once for the whole
# grid over loss and student.
with tempfile.TemporaryDirectory() as folder:
    distilled = DistilledClassifier(
        RandomForestClassifier(100, random_state=0),
        TabularStudent(size="tiny", max_epochs=10),
        loss=SoftTargetLoss(),
        augment=None,
        memory=folder,
        random_state=0,
    )
    grid = {
        "distil__loss__temperature": [1.0, 3.0],
        "distil__hard_weight": [0.0, 0.3],
        "distil__student__module__hidden": [(16,), (32, 32)],
    }
    search = GridSearchCV(Pipeline([("columns", columns), ("distil", distilled)]), grid, cv=2).fit(frame, y)
print(search.best_params_, round(search.best_score_, 3))

# %%
# A teacher that must not be fitted again stays as it is inside ``FrozenEstimator``. Score such a search on rows that
# the teacher has not seen, else its own knowledge of them leaks through the student.
known, new = frame.iloc[:300], frame.iloc[300:]
encoder = columns.fit(known)
teacher = RandomForestClassifier(100, random_state=0).fit(encoder.transform(known), y[:300])
frozen = DistilledClassifier(
    FrozenEstimator(teacher), TabularStudent(size="tiny", max_epochs=10), hard_weight=0.1, augment=None, random_state=0
)
hidden = [(8,), (16,), (32,)]
widths = GridSearchCV(frozen, {"student__module__hidden": hidden}, cv=2).fit(encoder.transform(new), y[300:])

# %%
# Accuracy against the width of the student's hidden layer.
plt.plot([width for (width,) in hidden], widths.cv_results_["mean_test_score"], "o-")
plt.xlabel("units of the hidden layer")
plt.ylabel("accuracy, mean of two folds")
plt.show()
