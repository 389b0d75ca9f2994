"""sklkd's students: the default one, the tiny one, and the default network on labels alone.

OMP_NUM_THREADS=1 python benchmarks/peers/sklkd_students.py FOLDER [set ...]
"""

from problem import Student, compete, outputs, pickled

from sklkd import DistilledClassifier, DistilledRegressor


def student(size=None, **params):
    def fit(problem):
        estimator = DistilledClassifier if problem.labels else DistilledRegressor
        est = estimator(problem.teacher, size, random_state=problem.seed, **params)
        est.fit(problem.train["frame"], problem.named)
        n_parameters = sum(part.numel() for part in est.student_.module_.parameters())
        return Student(lambda rows: outputs(est, rows, problem.labels), n_parameters, pickled(est.student_))

    return fit


PEERS = {
    "sklkd": student(),
    "sklkd tiny": student("tiny"),
    "labels only": student(hard_weight=1.0, augment=None),
}

if __name__ == "__main__":
    compete(__doc__, "frame", PEERS)
