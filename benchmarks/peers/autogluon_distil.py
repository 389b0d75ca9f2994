"""AutoGluon's distill, with our fitted teacher: an optional job in an environment of its own.

    .venv-autogluon/bin/pip install autogluon.tabular==1.6.3 "torch>=2.10,<2.14" scikit-learn==1.9.1
    OMP_NUM_THREADS=1 .venv-autogluon/bin/python benchmarks/peers/autogluon_distil.py FOLDER [set ...]

The fitted teacher is wrapped as the one model of AutoGluon's predictor; columns are left as they are, so that it can
predict the rows which ``distill`` makes. The student is its NN_TORCH with every default of ``distill``, but for a limit
of 300 seconds.
"""

import tempfile
from pathlib import Path

from autogluon.core.models import AbstractModel
from autogluon.features.generators import IdentityFeatureGenerator
from autogluon.tabular import TabularPredictor
from problem import Problem, Student, compete

SECONDS = 300


class Teacher(AbstractModel):
    """The teacher of a problem, as a model of AutoGluon's that is fitted already."""

    ag_key = "TEACHER"

    def _fit(self, X, y, **kwargs):
        self.model = Problem.read(Path(self._get_model_params()["folder"])).teacher


def distil(problem):
    kind = "regression" if not problem.labels else "binary" if len(problem.teacher.classes_) == 2 else "multiclass"
    metric = "log_loss" if problem.labels else "root_mean_squared_error"
    frame = problem.train["frame"].assign(target=problem.train["y"])
    # it deletes itself with the predictor
    folder = tempfile.TemporaryDirectory()
    predictor = TabularPredictor("target", problem_type=kind, eval_metric=metric, path=folder.name, verbosity=0)
    predictor.fit(
        frame,
        # the teacher is given columns of a single value, too
        hyperparameters={Teacher: {"folder": str(problem.folder), "ag_args_fit": {"drop_unique": False}}},
        fit_weighted_ensemble=False,
        feature_generator=IdentityFeatureGenerator(),
    )
    made = predictor.distill(time_limit=SECONDS, hyperparameters={"NN_TORCH": {}})
    # its default adds a weighted ensemble of the students, which is not the network
    name = next(one for one in made if "Ensemble" not in one)

    def answer(rows):
        if problem.labels:
            return predictor.predict_proba(rows, model=name)[range(problem.test["taught"].shape[1])].to_numpy()
        return predictor.predict(rows, model=name).to_numpy()

    answer.folder = folder
    kept = Path(folder.name, "models", name)
    return Student(answer, None, sum(file.stat().st_size for file in kept.rglob("*") if file.is_file()))


PEERS = {"AutoGluon distill": distil}

if __name__ == "__main__":
    compete(__doc__, "frame", PEERS)
