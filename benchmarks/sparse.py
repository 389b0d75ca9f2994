"""Sparse tables: seconds, peak memory and losses of fits, on one thread; each case is a process of its own.

    OMP_NUM_THREADS=1 python benchmarks/sparse.py made --rows 1000 --columns 10000
    OMP_NUM_THREADS=1 python benchmarks/sparse.py banking --teacher forest [--rows 2000] [--ngrams 2] [--dense]
        [--hidden 128 128 128]
    OMP_NUM_THREADS=1 python benchmarks/sparse.py categories --teacher forest [--dense]

``made``: rows of about 60 words each, as frequent as in a language (Zipf), and three classes of which each word is a
hint; teacher: LogisticRegression. ``banking``: TF-IDF of banking77 (77 intents, published split), in SKLKD_DATA.
``categories``: 0/1 columns of 10 categories of 100 levels each, which interact in pairs; 4,000 rows and three classes.
``--dense`` reads the table as one of few columns is read.
"""

import argparse
import os
import resource
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.preprocessing import OneHotEncoder

from sklkd import DistilledClassifier
from sklkd._columns import _tables
from sklkd.students import TabularStudent

TEACHERS = {
    "linear": LogisticRegression(C=10, max_iter=300),
    "forest": RandomForestClassifier(200, min_samples_leaf=2, random_state=0),
}


def made(n_rows, n_columns, words=75):
    rng = np.random.default_rng(0)
    frequency = 1 / (10 + np.arange(n_columns))
    columns = rng.choice(n_columns, size=(n_rows, words), p=frequency / frequency.sum())
    rows = np.repeat(np.arange(n_rows), words)
    X = sparse.csr_array((np.ones(len(rows)), (rows, columns.ravel())), shape=(n_rows, n_columns))
    X.sum_duplicates()
    X.data = 1 + np.log(X.data)
    score = X @ rng.normal(size=(n_columns, 3)) + rng.gumbel(size=(n_rows, 3))
    return X, score.argmax(1)


def banking(n_rows, ngrams):
    import pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer

    rows = pd.read_parquet(Path(os.environ.get("SKLKD_DATA", "../shared/data")) / "banking77.parquet")
    train, test = (rows[rows.part == part] for part in ("train", "test"))
    train = train.sample(n_rows, random_state=0) if n_rows else train
    vectorizer = TfidfVectorizer(ngram_range=(1, ngrams), min_df=2, sublinear_tf=True)
    train_X = vectorizer.fit_transform(train.text)
    return train_X, train.target.astype(str), vectorizer.transform(test.text), test.target.astype(str)


def categories():
    rng = np.random.RandomState(0)
    codes = rng.randint(100, size=(6_000, 10))
    a, b, c, d, e, f, g = (codes % 4).T[:7]
    score = 2.0 * (a == b) + 2 * (c > 1) * (d > 1) - 2 * (e == 0) * (f < 2) + (g - 1.5) / 2
    y = np.digitize(score + 0.3 * rng.normal(size=6_000), [0.5, 2.0])
    X = OneHotEncoder().fit_transform(codes)
    return X[:4_000], y[:4_000], X[4_000:], y[4_000:]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=["made", "banking", "categories"])
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--columns", type=int, default=10_000)
    parser.add_argument("--teacher", choices=TEACHERS, default="linear")
    parser.add_argument("--ngrams", type=int, default=1)
    parser.add_argument("--hidden", type=int, nargs="*")
    parser.add_argument("--dense", action="store_true")
    given = parser.parse_args()
    if given.dense:
        _tables.WIDE = 10**9
    if given.case == "banking":
        X, y, test_X, test_y = banking(given.rows, given.ngrams)
    elif given.case == "categories":
        X, y, test_X, test_y = categories()
    else:
        n_test = given.rows // 10
        X, y = made(given.rows + n_test, given.columns)
        X, y, test_X, test_y = X[:-n_test], y[:-n_test], X[-n_test:], y[-n_test:]
    student = None if given.hidden is None else TabularStudent(module__hidden=tuple(given.hidden))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu = time.perf_counter(), time.process_time()
    est = DistilledClassifier(TEACHERS[given.teacher], student, random_state=0).fit(X, y)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{X.shape[0]:,} x {X.shape[1]:,}, {X.nnz / X.shape[0]:.0f} entries a row, {given}")
    memory = f"peak {peak / 2**20:.2f} GiB (before the fit {before / 2**20:.2f})"
    print(f"fit {seconds:.0f} s ({cpu:.0f} of the processor), {memory}")
    for name, model in (("teacher", est.teacher_), ("student", est)):
        found = model.predict_proba(test_X)
        accuracy = accuracy_score(test_y, est.classes_[found.argmax(1)])
        print(f"{name}: log loss {log_loss(test_y, found, labels=est.classes_):.3f}, accuracy {accuracy:.3f}")
    module = est.student_.module_
    print(
        f"hidden {[layer[0].out_features for layer in module.hidden]}, {sum(p.numel() for p in module.parameters()):,}"
    )
    print(est.account_, flush=True)


if __name__ == "__main__":
    main()
