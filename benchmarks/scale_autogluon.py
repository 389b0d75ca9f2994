"""Time and memory of AutoGluon's distill for one case of scale.py, which calls this in an environment of its own.

    python -m venv .venv-autogluon
    .venv-autogluon/bin/pip install autogluon.tabular==1.6.3 "torch>=2.10,<2.14"
    SKLKD_AUTOGLUON=.venv-autogluon/bin/python python benchmarks/scale.py rows

The teacher of the case is wrapped as a model of AutoGluon; the student is its NN_TORCH with every default.
"""

import argparse
import json
import tempfile
import warnings

import numpy as np
import pandas as pd
from autogluon.core.models import AbstractModel
from autogluon.tabular import TabularPredictor
from scale import Peak, made, make_teacher


class Teacher(AbstractModel):
    """The teacher of a case as a model of AutoGluon's."""

    ag_key = "TEACHER"

    def _fit(self, X, y, X_val=None, y_val=None, **kwargs):
        X, y = (part if held is None else pd.concat([part, held]) for part, held in ((X, X_val), (y, y_val)))
        self.model = make_teacher(self._get_model_params()["trees"]).fit(self.preprocess(X), y)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("rows", "columns", "classes", "trees"):
        parser.add_argument(f"--{name}", type=int)
    case = parser.parse_args()
    warnings.simplefilter("ignore")
    X, y = made(case.rows, case.columns, case.classes)
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(case.columns)]).assign(target=y)
    problem = "binary" if len(np.unique(y)) == 2 else "multiclass"
    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor("target", problem_type=problem, eval_metric="log_loss", path=folder, verbosity=0)
        teacher = {Teacher: {"trees": case.trees}}
        predictor.fit(frame, hyperparameters=teacher, fit_weighted_ensemble=False)
        with Peak() as peak:
            predictor.distill(hyperparameters={"NN_TORCH": {}})
    print(json.dumps({"autogluon_seconds": peak.seconds, "autogluon_bytes": peak.bytes}))


if __name__ == "__main__":
    main()
