"""
A tree that explains a stack
============================

A stack of forests and boosters predicts well and says nothing of how. One tree of 31 leaves can be read; fitted on the
labels alone it is another model, fitted on the stack's probabilities it says what *the stack* does. The data are
incomes of 3,000 people in the census of 1994.

**What to see:** both trees have as many leaves and are right as often, but the probabilities of the distilled one are
nearly as good as the stack's: leaves of few people do not claim to be sure. It also agrees a little more often with
the stack.
"""

import matplotlib.pyplot as plt
import numpy as np
from _data import table
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier, plot_tree

from sklkd import DistilledClassifier

X, y, stored = table("adult", load_breast_cancer)
y = y.astype(str).to_numpy()
X, y = X[:6000], y[:6000]
n_train = 3000 if stored else 300

# %%
# Stack and trees, for three splits of the rows
# ---------------------------------------------
# With ``hard_weight=0, blend=0`` the tree imitates the stack and nothing else; ``hard_weight=1`` is an ordinary fit on
# the labels. Fewer synthetic rows than by default make the fits shorter.

codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
encode = make_column_transformer(
    (codes, make_column_selector(dtype_exclude=np.number)), remainder=SimpleImputer(strategy="median")
)
members = [
    ("forest", RandomForestClassifier(100, n_jobs=2, random_state=0)),
    ("extra", ExtraTreesClassifier(100, n_jobs=2, random_state=0)),
    ("booster", HistGradientBoostingClassifier(random_state=0)),
]
tree = DecisionTreeClassifier(max_leaf_nodes=31, random_state=0)
forms = {"tree on labels": {"hard_weight": 1}, "distilled tree": {"hard_weight": 0, "blend": 0}}
scores = {name: [] for name in ("stack", *forms)}
for seed in range(3):
    parts = train_test_split(X, y, train_size=n_train, stratify=y, random_state=seed)
    X_train, X_test, y_train, y_test = parts
    stack = make_pipeline(encode, VotingClassifier(members, voting="soft")).fit(X_train, y_train)
    taught = stack.predict(X_test)
    models = {"stack": stack}
    for name, weights in forms.items():
        est = DistilledClassifier(stack, tree, n_synthetic=10_000, random_state=seed, **weights)
        models[name] = est.fit(X_train, y_train)
    for name, model in models.items():
        predicted = model.predict(X_test)
        found = accuracy_score(y_test, predicted), log_loss(y_test, model.predict_proba(X_test))
        scores[name].append((*found, accuracy_score(taught, predicted)))
explaining = models["distilled tree"]

measures = ("accuracy", "log loss (less is better)", "agreement with the stack")
for name, found in scores.items():
    print(
        f"{name:15s}", ", ".join(f"{one} {value:.3f}" for one, value in zip(measures, np.mean(found, 0), strict=True))
    )

# %%
# Bars are means over the splits, lines reach from the worst to the best one.

colors = {"stack": "#000000", "tree on labels": "#E69F00", "distilled tree": "#0072B2"}
fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for ax, measure, values in zip(axes, measures, np.moveaxis(np.array(list(scores.values())), 2, 0), strict=True):
    mean = values.mean(axis=1)
    reach = np.abs(np.stack([values.min(axis=1), values.max(axis=1)]) - mean)
    ax.bar(list(scores), mean, yerr=reach, capsize=5, color=[colors[name] for name in scores], alpha=0.85)
    ax.set_title(measure, fontsize=11)
    ax.tick_params(axis="x", labelrotation=20, labelsize=10)
    low = 0 if "loss" in measure else values.min() - 0.08
    ax.set_ylim(low, None if "loss" in measure else 1.0)

# %%
# The tree
# --------
# ``est.student_`` is the fitted tree, ``est.encoder_`` names its columns: numbers in their own units, one column for
# each category. Here are its first levels.

names = explaining.encoder_.get_feature_names_out()
fig, ax = plt.subplots(figsize=(11, 5), layout="constrained")
plot_tree(
    explaining.student_,
    max_depth=2,
    feature_names=list(names),
    class_names=list(explaining.classes_),
    impurity=False,
    proportion=True,
    rounded=True,
    filled=True,
    precision=2,
    fontsize=10,
    ax=ax,
)
plt.show()
