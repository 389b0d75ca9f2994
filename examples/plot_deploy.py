"""
From a Pipeline to a served file
================================

A Pipeline that ends in a distilled forest becomes one ONNX file, from the columns to the labels. Writing it takes
``sklkd[onnx]``, serving it only ``onnxruntime``, without torch and scikit-learn.

**What to see:** most of the time that a Pipeline takes for one row is spent in Python; the file answers in a small part
of it. The student's file is a small part of the forest's, too, and its C code the fastest of all.
"""

import os
from timeit import timeit

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
import skl2onnx
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklkd import CPredictor, DistilledClassifier, OnnxPredictor, to_c, to_onnx

# %%
# The model
# ---------
# Handwritten digits, 64 columns of numbers, some of which are missing.

X, y = load_digits(return_X_y=True)
X[np.random.default_rng(0).random(X.shape) < 0.05] = np.nan
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)

student = DistilledClassifier(RandomForestClassifier(500, random_state=0), student="small", random_state=0)
model = make_pipeline(SimpleImputer(), StandardScaler(), student).fit(X_train, y_train)
forest = make_pipeline(*model[:-1], student.teacher_)
print(f"forest {forest.score(X_test, y_test):.3f}, student {model.score(X_test, y_test):.3f} of the labels right")

# %%
# The file
# --------
# The graph is compared with the Pipeline on generated rows before it is written, and here on real ones.

print(to_onnx(model, "deploy.onnx"))
predictor = OnnxPredictor("deploy.onnx")
difference = np.abs(predictor.predict_proba(X_test) - model.predict_proba(X_test)).max()
print(f"largest difference on the test rows {difference:.1e}")

# %%
# With weights of 8 bits it is a quarter of the size.

print(to_onnx(model, "deploy_int8.onnx", quantize="int8", X=X_test))

# %%
# The same student as C
# ---------------------
# One C99 file holds encoding and network. Steps before the student stay in Python: the C file takes their output.

print(to_c(student, "deploy.c"))
compiled = CPredictor("deploy.c")
encoded = model[:-1].transform(X_test)
difference = np.abs(compiled.predict_proba(encoded) - model.predict_proba(X_test)).max()
print(f"largest difference on the test rows {difference:.1e}")

# %%
# Prediction times
# ----------------
# One thread each. ONNX Runtime runs forests too, as skl2onnx converts them.

graph = skl2onnx.to_onnx(forest, X_train[:1].astype(np.float32), options={"zipmap": False}).SerializeToString()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
size = {"forest's file": len(graph), "student's file": os.path.getsize("deploy.onnx")}
print(", ".join(f"{name} {n_bytes / 1e3:,.0f} KB" for name, n_bytes in size.items()))

models = {
    "forest": (forest.predict_proba, X_test),
    "forest's graph": (lambda rows: session.run(None, {"X": rows.astype(np.float32)}), X_test),
    "student": (model.predict_proba, X_test),
    "student's graph": (predictor.predict_proba, X_test),
    "student in C, without steps": (compiled.predict_proba, encoded),
}


def microseconds(predict, rows):
    """Per row; the fastest of three."""
    number = 3 if timeit(lambda: predict(rows), number=1) > 0.005 else 300
    return 1e6 * min(timeit(lambda: predict(rows), number=number) for _ in range(3)) / number / len(rows)


repeats = 5000 // len(X_test) + 1
times = {
    name: (microseconds(predict, rows[:1]), microseconds(predict, np.tile(rows, (repeats, 1))))
    for name, (predict, rows) in models.items()
}
for name, (one, many) in times.items():
    print(f"{name:27s} one row {one:10.1f} us, in a batch {many:8.2f} us a row")

# %%
# As a picture: shorter is better; each grid line is ten times the one before. The forest is orange, the
# student blue.

plt.rcParams["font.size"] = 13
names = list(models)[::-1]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
for axis, position, title in zip(
    axes, (0, 1), ("one row", f"a row in a batch of {repeats * len(X_test):,}"), strict=True
):
    values = [times[name][position] for name in names]
    bars = axis.barh(names, values, color=["#0072B2"] * 3 + ["#D55E00"] * 2)
    axis.bar_label(bars, [f"{value:,.0f}" for value in values], padding=3)
    axis.set(xscale="log", xlabel="microseconds", title=title, xlim=(1, 20 * max(values)))
    axis.grid(axis="x", alpha=0.3)
plt.savefig("deploy.png", dpi=150)
plt.show()
