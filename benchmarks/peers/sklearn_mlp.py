"""scikit-learn's own network on soft targets: the quick way to distil with nothing else installed.

    OMP_NUM_THREADS=1 python benchmarks/peers/sklearn_mlp.py FOLDER [set ...]

MLPRegressor with early stopping learns the teacher's log-probabilities, which a softmax turns into probabilities again,
or its standardised predictions. The teacher predicts the rows that it was fitted on; in the second peer its clones
predict rows that they have not seen.
"""

import numpy as np
from problem import Student, compete, pickled
from scipy.special import softmax
from sklearn.neural_network import MLPRegressor

LOWEST = 0.01  # of a probability: logarithms of less would count for most of the squared error


def mlp(source):
    def fit(problem):
        taught = problem.train[source]
        target = np.log(np.clip(taught, LOWEST, 1)) if problem.labels else taught
        mean, scale = target.mean(axis=0), target.std() if problem.labels else target.std(axis=0)
        model = MLPRegressor(
            hidden_layer_sizes=(256, 256), early_stopping=True, max_iter=500, random_state=problem.seed
        )
        model.fit(problem.train["scaled"], (target - mean) / scale)

        def answer(rows):
            out = model.predict(rows).reshape(len(rows), -1) * scale + mean
            return softmax(out, axis=1) if problem.labels else out

        n_parameters = sum(part.size for part in (*model.coefs_, *model.intercepts_))
        return Student(answer, n_parameters, pickled(model))

    return fit


PEERS = {"scikit-learn MLP": mlp("taught"), "scikit-learn MLP, out-of-sample": mlp("out_of_sample")}

if __name__ == "__main__":
    compete(__doc__, "scaled", PEERS)
