"""Unfitted encoders of a frame's columns."""

import numpy as np
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler


def codes():
    """Categories as codes, missing numbers at the median: for trees."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    return make_column_transformer(
        (encoder, make_column_selector(dtype_exclude=np.number)), remainder=SimpleImputer(strategy="median")
    )


def scaled():
    """Categories as 0/1 columns, numbers standardised: for networks."""
    encoder = OneHotEncoder(handle_unknown="ignore", min_frequency=10, sparse_output=False)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return make_column_transformer((encoder, make_column_selector(dtype_exclude=np.number)), remainder=numbers)
