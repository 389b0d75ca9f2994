"""
How small can the student be?
=============================

A budget says how large the student may be; the compression curve shows what a budget costs. The data are those of
diabetes patients that scikit-learn bundles: 10 columns, 442 rows, and a target that is mostly noise.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import GridSearchCV, train_test_split

from sklkd import CompressionCurveDisplay, DistilledRegressor
from sklkd.students import TabularStudent

# %%
# The curve
# ---------
# The forest is fitted once; then five students learn from it, and five more of the same sizes learn from labels
# only. Both are scored on test rows. An integer in ``sizes`` is a number of parameters that the
# student may not exceed.

X_train, X_test, y_train, y_test = train_test_split(*load_diabetes(return_X_y=True), test_size=0.5, random_state=0)
distilled = DistilledRegressor(RandomForestRegressor(300, random_state=0), random_state=0)
display = CompressionCurveDisplay.from_estimator(
    distilled,
    X_train,
    y_train,
    X_test=X_test,
    y_test=y_test,
    sizes=[500, 2_000, 8_000, 30_000, 100_000],
    scoring="neg_root_mean_squared_error",
    negate_score=True,
)
plt.show()

# %%
# With so few rows and so much noise, a larger network is worse if it learns from labels only. With the forest's
# predictions, also for synthetic rows, all sizes do about as well as the forest. The same students over other costs of
# their size: bytes of the network, and measured microseconds for one row.

figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for ax, x in zip(axes, ("bytes", "latency"), strict=True):
    display.plot(ax, x=x, negate_score=True)
plt.show()

# %%
# A budget in a search
# --------------------
# ``max_parameters`` is a parameter of the default student, and so is ``max_bytes``; given together, both are kept.
# Cross-validation on the training rows chooses the budget without the test rows. The forest is refitted on every fold;
# ``memory`` would save this where candidates are many.

distilled = DistilledRegressor(
    RandomForestRegressor(100, random_state=0), TabularStudent(max_bytes=200_000), augment=None, random_state=0
)
search = GridSearchCV(
    distilled, {"student__max_parameters": [500, 8_000]}, cv=3, scoring="neg_root_mean_squared_error"
).fit(X_train, y_train)
student = search.best_estimator_
for budget, score in zip((500, 8_000), search.cv_results_["mean_test_score"], strict=True):
    print(f"at most {budget:,} parameters: RMSE {-score:.1f}")
print(f"chosen: {sum(part.numel() for part in student.student_.module_.parameters()):,} parameters")
