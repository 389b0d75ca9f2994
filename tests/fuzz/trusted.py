"""The types that a file of the estimator that is fuzzed holds, as its owner has read them."""

from tests.estimators.test_saving import CLASSIFIER
from tests.estimators.test_saving import TRUSTED as OURS

TRUSTED = [*OURS, *CLASSIFIER]
