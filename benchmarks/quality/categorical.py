"""Small tables of categories alone: whether distillation harms beside the same network trained on labels only.

    OMP_NUM_THREADS=1 python benchmarks/quality/categorical.py [--student tiny] [--seeds 3] [--trees 300] [name ...]

Tables whose rows are known without a file: all boards at the end of a game of tic-tac-toe, the three problems of the
monks, a balance with two arms, cars judged by a hierarchy of rules (as the set of that name is made), an 11-bit
multiplexer, sequences of letters with a motif, and a noisy rule. By name also the shared sets of categories alone
(kr_vs_kp, nursery, soybean, connect_4) or others. The teacher is that of quality.py, or a quicker one with
forests of so many trees; 40 % of the rows are for testing.
One line a table: log loss of the teacher, of the network trained on labels only, of the distilled one; "harm" is the
distilled one's loss over that of the network trained on labels only, minus one.
"""

import argparse
import itertools
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from common import load, loss, make_teacher, outputs
from sklearn.model_selection import train_test_split

from sklkd import DistilledClassifier

LINES = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]


def tic_tac_toe():
    """All distinct boards at the end of a game that x begins, and whether x has won: 958 rows."""
    ends = {}

    def play(board, player):
        other = "o" if player == "x" else "x"
        if any(all(board[cell] == other for cell in three) for three in LINES):
            ends[board] = other == "x"
        elif "b" not in board:
            ends[board] = False
        else:
            for cell in [cell for cell, mark in enumerate(board) if mark == "b"]:
                play((*board[:cell], player, *board[cell + 1 :]), other)

    play(("b",) * 9, "x")
    return pd.DataFrame(list(ends)), np.array(list(ends.values()))


def grid(*sizes):
    """Every combination of so many values of each column."""
    return np.array(list(itertools.product(*(range(size) for size in sizes))))


def monks(number):
    """One of the problems of the monks (Thrun et al. 1991) on all 432 rows; the third has 5 % of its labels wrong."""
    Z = grid(3, 3, 2, 3, 4, 2)
    if number == 1:
        y = (Z[:, 0] == Z[:, 1]) | (Z[:, 4] == 0)
    elif number == 2:
        y = (Z == 0).sum(1) == 2
    else:
        y = ((Z[:, 4] == 2) & (Z[:, 3] == 0)) | ((Z[:, 4] != 3) & (Z[:, 1] != 2))
        y = y ^ (np.random.default_rng(0).random(len(Z)) < 0.05)
    return named(Z), y


def balance():
    """Which arm of a balance falls: two weights and two distances of five values each, 625 rows, three classes."""
    Z = grid(5, 5, 5, 5)
    return named(Z), np.sign((Z[:, 0] + 1) * (Z[:, 1] + 1) - (Z[:, 2] + 1) * (Z[:, 3] + 1))


def cars():
    """Cars that a hierarchy of rules judges (after Bohanec and Rajkovic 1988): 1,728 rows, four classes."""
    Z = grid(4, 4, 4, 3, 3, 3)
    price = np.minimum(Z[:, 0], Z[:, 1]) + (Z[:, 0] + Z[:, 1] > 3)
    comfort = np.minimum(np.minimum(Z[:, 2], 2), Z[:, 3]) + (Z[:, 4] > 0)
    unfit = (Z[:, 3] == 0) | (Z[:, 5] == 0) | (price == 0)
    return named(Z), np.where(unfit, 0, np.clip((price + comfort + Z[:, 5]) // 2 - 1, 0, 3))


def multiplexer():
    """Three bits that say which of eight others is the answer: all 2,048 rows."""
    Z = grid(*[2] * 11)
    return named(Z), Z[np.arange(len(Z)), 3 + Z[:, :3] @ [4, 2, 1]]


def sequences():
    """1,500 sequences of 30 letters out of four, two motifs around the middle or none of them: three classes."""
    rng = np.random.default_rng(0)
    Z, y = rng.integers(4, size=(1_500, 30)), rng.integers(3, size=1_500)
    for kind, motif in ((1, [0, 2, 2, 3, 1]), (2, [2, 3, 0, 2, 3])):
        rows = np.flatnonzero(y == kind)
        Z[rows, 13:18] = np.where(rng.random((len(rows), 5)) < 0.9, motif, Z[rows, 13:18])
    return named(Z), y


def noisy():
    """1,000 rows of eight columns of two to six values; a rule of three of them decides how likely a class is."""
    rng = np.random.default_rng(0)
    Z = np.column_stack([rng.integers(size, size=1_000) for size in (2, 3, 4, 5, 6, 4, 3, 2)])
    share = np.where(Z[:, 1] == 0, 0.85, np.where(Z[:, 3] > 2, 0.6, 0.15)) * np.where(Z[:, 0] == Z[:, 7], 1, 0.6)
    return named(Z), rng.random(1_000) < share


def named(Z):
    return pd.DataFrame({f"c{j}": [f"v{value}" for value in column] for j, column in enumerate(Z.T)})


TABLES = {
    "tic_tac_toe": tic_tac_toe,
    "monks_1": lambda: monks(1),
    "monks_2": lambda: monks(2),
    "monks_3": lambda: monks(3),
    "balance": balance,
    "cars": cars,
    "multiplexer": multiplexer,
    "sequences": sequences,
    "noisy": noisy,
}


def table(name, rows, seed):
    """Frame, labels, and row numbers for training and test: of a table of this file, or of a shared set."""
    if name not in TABLES:
        return load(name, rows, seed)[:4]
    X, y = TABLES[name]()
    X, y = X.astype(str).astype("category"), np.asarray(y).astype(str)
    return X, y, *train_test_split(np.arange(len(y)), test_size=0.4, random_state=seed, stratify=y)


def ensemble(trees, seed):
    """The teacher of quality.py with forests of so many trees; of fewer than 300 a booster of 100 larger steps."""
    teacher = make_teacher("voting", True, seed)
    if trees == 300:
        return teacher
    sizes = {f"{forest}__n_estimators": trees for forest in ("rf", "et")}
    booster = {"hgb__max_iter": 100, "hgb__learning_rate": 0.1}
    return teacher.set_params(**{f"votingclassifier__{name}": value for name, value in (sizes | booster).items()})


def measure(name, rows, seed, student, trees=300):
    X, y, train, test = table(name, rows, seed)
    X_train, y_train, X_test, y_test = X.iloc[train], y[train], X.iloc[test], y[test]
    teacher = ensemble(trees, seed).fit(X_train, y_train)
    found = {"name": name, "seed": seed, "rows": len(train)}
    found["teacher"] = loss(y_test, teacher.predict_proba(X_test), True, teacher.classes_)
    for key, options in {"labels only": {"hard_weight": 1.0, "augment": None}, "distilled": {}}.items():
        est = DistilledClassifier(teacher, student, random_state=seed, **options).fit(X_train, y_train)
        found[key] = loss(y_test, outputs(est, X_test, True), True, est.classes_)
    found["harm"] = found["distilled"] / found["labels only"] - 1
    found["parameters"] = sum(part.numel() for part in est.student_.module_.parameters())
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=list(TABLES))
    parser.add_argument("--rows", type=int, default=6_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--student", help="a preset; the default student if not given")
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    results = []
    print("| table | rows | parameters | teacher | labels only | distilled | harm, by seed |")
    print("| --- | --: | --: | --: | --: | --: | --: |")
    for name in args.names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = [measure(name, args.rows, seed, args.student, args.trees) for seed in range(args.seeds)]
        results += found
        means = [f"{np.mean([one[key] for one in found]):.4g}" for key in ("teacher", "labels only", "distilled")]
        harm = ", ".join(f"{one['harm']:+.1%}" for one in found)
        size = f"{found[0]['rows']:,} | {found[0]['parameters']:,}"
        print(f"| {name} | {size} | {' | '.join(means)} | {harm} |", flush=True)
        if args.out:
            args.out.write_text(json.dumps(results, indent=1))
    harm = np.array([one["harm"] for one in results])
    above = f"above +5 % on {np.mean(harm > 0.05):.0%} of the runs"
    print(f"\nMedian {np.median(harm):+.1%}, worst {harm.max():+.1%}, {above}.")


if __name__ == "__main__":
    main()
