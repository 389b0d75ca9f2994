"""A student's C file beside LightGBM of 500 trees, compiled by lleaves: processor time of one thread, in one process.

    python benchmarks/lleaves_booster.py student.c

It runs in an environment of its own, since lleaves 1.3 needs llvmlite < 0.44: ``pip install lleaves "llvmlite<0.44"
lightgbm scikit-learn``, and sklkd on PYTHONPATH, of which :class:`~sklkd.CPredictor` needs no more than NumPy. The file
is of a student for 30 columns and 5 classes, such as ``to_c`` writes in ``answer.py``. The 500 trees, 100 for each
class, are 31 leaves each; lleaves takes a minute to compile them.
"""

import sys
import tempfile
import time
from pathlib import Path

import lightgbm
import lleaves
from sklearn.datasets import make_classification

from sklkd import CPredictor

X, y = make_classification(20_000, 30, n_informative=15, n_classes=5, random_state=0)
params = {"objective": "multiclass", "num_class": 5, "num_threads": 1, "verbose": -1}
booster = lightgbm.train(params, lightgbm.Dataset(X, y), num_boost_round=100)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "booster.txt"
    booster.save_model(path)
    compiled = lleaves.Model(model_file=str(path))
    compiled.compile()


def microseconds(call, rows, calls):
    call(rows)
    times = []
    for _ in range(9):
        start = time.process_time()
        for _ in range(calls):
            call(rows)
        times.append((time.process_time() - start) / calls)
    return 1e6 * min(times) / len(rows)


one, many = X[:1].copy(), X[:10_000].copy()
calls = {"lleaves": lambda rows: compiled.predict(rows, n_jobs=1), "C file": CPredictor(sys.argv[1]).predict_proba}
for name, call in calls.items():
    print(
        f"{name}: one row {microseconds(call, one, 300):.2f} us, a row of 10,000 {microseconds(call, many, 1):.3f} us"
    )
