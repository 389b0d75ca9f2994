"""imodels' DistilledRegressor, with its FIGS as the student: an optional job in an environment of its own.

    .venv-imodels/bin/pip install imodels==3.0.4 pyarrow
    OMP_NUM_THREADS=1 .venv-imodels/bin/python benchmarks/peers/imodels_figs.py FOLDER [set ...]

It takes regression and two classes; with more there is one of them a class, and their outputs are made to sum to one.
All its parameters are defaults.
"""

import numpy as np
from imodels import DistilledRegressor, FIGSRegressor
from problem import Student, compete, pickled
from sklearn.base import BaseEstimator, RegressorMixin


class Known(RegressorMixin, BaseEstimator):
    """A teacher whose predictions for the training rows are known."""

    def __init__(self, predictions):
        self.predictions = predictions

    def fit(self, X, y):
        return self

    def predict(self, X):
        return self.predictions


def figs(problem):
    taught, rows = problem.train["taught"], problem.train["codes"]
    columns = taught[:, 1:] if taught.shape[1] == 2 else taught
    models = [
        DistilledRegressor(Known(column), FIGSRegressor(random_state=problem.seed)).fit(rows, column)
        for column in columns.T
    ]

    def answer(rows):
        out = np.column_stack([model.predict(rows) for model in models])
        if not problem.labels:
            return out
        out = np.clip(out, 0, 1)
        if out.shape[1] == 1:
            return np.column_stack([1 - out, out])
        return np.clip(out, 1e-7, 1) / np.clip(out, 1e-7, 1).sum(axis=1, keepdims=True)

    return Student(answer, None, pickled([model.student for model in models]))


PEERS = {"imodels FIGS": figs}

if __name__ == "__main__":
    compete(__doc__, "codes", PEERS)
