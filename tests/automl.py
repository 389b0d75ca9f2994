"""Stand-ins for predictors of AutoML libraries, with the methods and habits of theirs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.preprocessing import OrdinalEncoder


class TabularPredictor:
    """As AutoGluon's: fitted on a frame with the label, it takes and gives frames, columns by name of class."""

    __module__ = "autogluon.tabular.predictor.predictor"

    def __init__(self, label, problem_type, eval_metric="log_loss", sample_weight=None, quantile_levels=None):
        self.label, self.problem_type, self.sample_weight = label, problem_type, sample_weight
        self.eval_metric, self.quantile_levels = SimpleNamespace(name=eval_metric), quantile_levels
        self.is_fit, self.decision_threshold = False, 0.5

    def fit(self, train_data, num_bag_folds=0):
        X = train_data.drop(columns=self.label)
        self.original_features = list(X.columns)
        self._text = [name for name in X if not pd.api.types.is_numeric_dtype(X[name])]
        self._codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(X[self._text])
        y = train_data[self.label]
        if self.problem_type in ("binary", "multiclass"):
            self.class_labels = sorted(y.unique())
            y = y.map({name: k for k, name in enumerate(self.class_labels)})
        else:
            self.class_labels = None
        self._X, self._y, self._folds = self.transform_features(X), y, num_bag_folds
        model = LogisticRegression(max_iter=500) if self.class_labels else Ridge()
        splits = list(KFold(num_bag_folds).split(X)) if num_bag_folds else [(np.arange(len(X)), [])]
        self._models = [clone(model).fit(self._X.iloc[seen], y.iloc[seen]) for seen, _ in splits]
        self._held = [held for _, held in splits]
        self.is_fit = True
        return self

    def info(self):
        return {"num_bag_folds": self._folds}

    def transform_features(self, X):
        return X[self.original_features].assign(
            **dict(zip(self._text, self._codes.transform(X[self._text]).T, strict=True))
        )

    def load_data_internal(self, data):
        assert data == "train"
        return self._X, self._y

    def transform_labels(self, labels, inverse):
        assert inverse
        return labels if self.class_labels is None else labels.map(dict(enumerate(self.class_labels)))

    def _raw(self, model, X):
        if self.class_labels:
            # columns are to be told by their names
            return pd.DataFrame(model.predict_proba(X), X.index, self.class_labels).iloc[:, ::-1]
        values = pd.Series(model.predict(X), X.index)
        return (
            values
            if self.quantile_levels is None
            else pd.concat({level: values + level for level in self.quantile_levels}, axis=1)
        )

    def _ask(self, X):
        if not isinstance(X, pd.DataFrame):
            raise TypeError("data must be a pd.DataFrame or str file path to data")
        X = self.transform_features(X)
        return sum(self._raw(model, X) for model in self._models) / len(self._models)

    def _oof(self):
        if not self._folds:
            raise AssertionError("Predictor must be in bagged mode to get out-of-fold predictions.")
        parts = [self._raw(one, self._X.iloc[held]) for one, held in zip(self._models, self._held, strict=True)]
        return pd.concat(parts).loc[self._X.index]

    predict_proba, predict_proba_oof, predict_oof = _ask, _oof, _oof

    def predict(self, X):
        asked = self._ask(X)
        if self.problem_type != "binary":
            return asked.idxmax(axis=1) if self.class_labels else asked
        second = asked[self.class_labels[1]] >= self.decision_threshold
        return pd.Series(np.array(self.class_labels)[second.to_numpy().astype(int)], X.index)


class FlamlAutoML(ClassifierMixin, BaseEstimator):
    """As FLAML's AutoML: scikit-learn's methods, and a fit that counts as a search."""

    __module__ = "flaml.automl.automl"

    def __init__(self, searches=None, time_budget=None):
        self.searches, self.time_budget = searches, time_budget

    def fit(self, X, y, time_budget=None):
        self.searches.append(time_budget or self.time_budget)
        self._model = LogisticRegression().fit(X, y)
        self.classes_ = self._model.classes_

    def __sklearn_clone__(self):
        return FlamlAutoML(self.searches, self.time_budget)

    def predict_proba(self, X):
        return self._model.predict_proba(X)

    def predict(self, X):
        return self._model.predict(X)


class MljarAutoML(BaseEstimator):
    """As mljar's AutoML: an attribute of a fit from the start, and a folder of which an earlier run is loaded."""

    __module__ = "supervised.automl"

    def __init__(self, results_path=None):
        self.results_path = results_path
        self.n_features_in_ = None

    def fit(self, X, y):
        if self.results_path is not None:
            folder = Path(self.results_path)
            folder.mkdir(exist_ok=True)
            if any(folder.iterdir()):
                raise AssertionError("an earlier run would be loaded")
            (folder / "model").touch()
        self._model = LogisticRegression().fit(X, y)
        self.n_features_in_ = X.shape[1]
        return self

    def predict_proba(self, X):
        return self._model.predict_proba(X)

    def predict(self, X):
        return self._model.predict(X)
