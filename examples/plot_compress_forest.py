"""
Compress a forest
=================

A forest of 500 trees becomes a small network, which is shipped as one file. The data are the handwritten digits that
scikit-learn bundles: 64 columns, 10 classes.

**What to see:** the student has a lower log loss than the forest and nearly as many labels right, is better than the
same network without a teacher, many times smaller than the forest, and many times faster.

A table of your own is compressed instead where it is given as argument: a parquet file of features, and a column
``target`` of labels. Its categories and missing values are left as they are. This takes pandas, and longer::

    python plot_compress_forest.py table.parquet
"""

import sys
from timeit import repeat

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_digits
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from sklkd import DistilledClassifier, OnnxPredictor, distillation_report, to_onnx

# %%
# The teacher
# -----------
# Five forests of 100 extremely randomised trees, each calibrated on a fifth of the rows: forests are
# underconfident, and a network that imitates one would be so, too.


def digits():
    return *load_digits(return_X_y=True), CalibratedClassifierCV(ExtraTreesClassifier(100, random_state=0), cv=5)


def table(path):
    import pandas as pd

    X = pd.read_parquet(path)
    y = X.pop("target").astype(str).to_numpy()
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    encode = make_column_transformer((codes, make_column_selector(dtype_exclude=np.number)), remainder="passthrough")
    forest = ExtraTreesClassifier(100, min_samples_leaf=3, n_jobs=2, random_state=0)
    return X, y, make_pipeline(encode, CalibratedClassifierCV(forest, cv=5))


X, y, forest = table(sys.argv[1]) if len(sys.argv) > 1 else digits()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
forest.fit(X_train, y_train)

# %%
# The student
# -----------
# Every default: the forest is used as it stands, it labels synthetic rows, and a small network learns its
# probabilities. The network is given the columns as the forest was.

student = DistilledClassifier(forest, random_state=0)
student.fit(X_train, y_train)

# %%
# What is left of the teacher
# ---------------------------
# The baseline is the same network, trained on labels only; given the training rows, the report can train it on the same
# data. All models are compared on test rows.

report = distillation_report(student, X_test, y_test, X_train=X_train, y_train=y_train)
print(report)

# %%
# The same as a picture: the further to the left, the faster; the further down, the better.

plt.rcParams["font.size"] = 12
report.plot()
plt.savefig("compress_forest.png", dpi=150)
plt.show()

# %%
# Shipping it
# -----------
# Encoding and network become one ONNX file, which is compared with the student before it is written.

print(to_onnx(student, "compress_forest.onnx"))

# %%
# It predicts without torch and scikit-learn: here one row, a thousand times.

predictor = OnnxPredictor("compress_forest.onnx")
one_row = X_test[:1]
microseconds = 1e3 * min(repeat(lambda: predictor.predict_proba(one_row), number=1000, repeat=3))
print(f"One row from the file: {microseconds:.0f} us.")

# %%
# ``student.without_teacher()`` is the estimator to pickle: it predicts the same and does not contain the forest.

light = student.without_teacher()
assert np.array_equal(light.predict_proba(X_test), student.predict_proba(X_test))
