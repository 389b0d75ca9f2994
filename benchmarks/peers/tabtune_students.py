"""TabTune's student classes on our teacher's soft labels: an optional job in an environment of its own.

    .venv-tabtune/bin/pip install torch==2.13.0 scikit-learn==1.9.1 pandas pyarrow joblib lightgbm
    .venv-tabtune/bin/pip install --no-deps tabtune==0.2.1
    OMP_NUM_THREADS=1 .venv-tabtune/bin/python benchmarks/peers/tabtune_students.py FOLDER [set ...]

The students need none of its other dependencies. They get what its TabDistiller gives them by default: soft labels for
rows that the teacher has not seen, temperatures by row, weights by confidence, and 15 % of the rows held out for the
network. Targets of a regression are standardised, which TabTune leaves to its user.
"""

import numpy as np
from problem import Student, compete, pickled
from sklearn.model_selection import train_test_split
from tabtune.distillation.losses import compute_adaptive_temperatures, compute_confidence_weights
from tabtune.distillation.students import GBDTStudent, MLPStudent


def student(kind, temperature=None):
    """A peer; a ``temperature`` is one for all rows, in place of TabTune's by row."""

    def fit(problem):
        labels, X, y, taught = problem.labels, *(problem.train[key] for key in ("scaled", "y", "out_of_sample"))
        mean, scale = (0, 1) if labels else (y.mean(), y.std())
        y, taught = (y - mean) / scale, (taught - mean) / scale
        weights = temperatures = None
        if labels:
            # as TabDistiller prepares them
            taught = np.clip(taught, 1e-8, 1) / np.clip(taught, 1e-8, 1).sum(axis=1, keepdims=True)
            weights = compute_confidence_weights(taught)
            temperatures = compute_adaptive_temperatures(taught) if temperature is None else None
        else:
            taught, y = taught[:, 0], y.astype(np.float32)
        rows, held_out = train_test_split(
            np.arange(len(X)), test_size=0.15, random_state=problem.seed, stratify=y if labels else None
        )
        about = {"task_type": "classification" if labels else "regression", "random_state": problem.seed}
        of_rows = [None if one is None else one[rows] for one in (weights, temperatures)]
        if kind == "mlp":
            softened = {} if temperature is None else {"temperature": temperature}
            model = MLPStudent(n_features=X.shape[1], **softened, **about)
            model.fit(X[rows], y[rows], taught[rows], X[held_out], y[held_out], *of_rows)
            n_parameters, kept = sum(part.numel() for part in model.model_.parameters()), model.model_
        else:
            model = GBDTStudent(n_classes=taught.shape[1] if labels else None, **about)
            model.fit(X[rows], y[rows], taught[rows], of_rows[0])
            n_parameters, kept = None, model.models_

        def answer(rows):
            return model.predict_proba(rows) if labels else np.asarray(model.predict(rows), float) * scale + mean

        return Student(answer, n_parameters, pickled(kept))

    return fit


PEERS = {
    "TabTune MLP": student("mlp"),
    "TabTune MLP, temperature 1": student("mlp", 1.0),
    "TabTune LightGBM": student("lgbm"),
}

if __name__ == "__main__":
    compete(__doc__, "scaled", PEERS)
