"""The classes of tabicl and tabpfn as teachers, with small networks of random weights in place of theirs.

They run where the packages are installed: ``pip install tabicl tabpfn``.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.teachers import is_costly, learns_in_context

from ..problems import classes, quick, targets

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def of_tabicl(folder, regression):
    tabicl = pytest.importorskip("tabicl")
    from tabicl._model.tabicl import TabICL

    config = {"embed_dim": 16, "col_num_blocks": 1, "col_nhead": 2, "col_num_inds": 8, "row_num_blocks": 1}
    config |= {"row_nhead": 2, "row_num_cls": 2, "icl_num_blocks": 1, "icl_nhead": 2}
    config |= {"max_classes": 0, "num_quantiles": 19} if regression else {"max_classes": 10}
    path = folder / "random.ckpt"
    torch.save({"config": config, "state_dict": TabICL(**config).state_dict()}, path)
    kind = tabicl.TabICLRegressor if regression else tabicl.TabICLClassifier
    return kind(n_estimators=2, model_path=str(path), device="cpu", random_state=0)


def of_tabpfn(folder, regression):
    tabpfn = pytest.importorskip("tabpfn")
    from tabpfn.architectures import tabpfn_v2

    if regression:
        pytest.skip("its regressor's checkpoint holds the borders of targets too")
    config = {"max_num_classes": 10, "emsize": 24, "nlayers": 1, "nhead": 2}
    model = tabpfn_v2.get_architecture(tabpfn_v2.parse_config(config)[0])
    path = folder / "random-classifier.ckpt"
    torch.save({"config": config, "state_dict": model.state_dict()}, path)
    return tabpfn.TabPFNClassifier(n_estimators=2, model_path=str(path), device="cpu", random_state=0)


@pytest.fixture(params=[of_tabicl, of_tabpfn], ids=["tabicl", "tabpfn"])
def made(request):
    return request.param


@pytest.fixture
def calls(monkeypatch):
    """Rows of each call of a class's method."""
    found = []

    def count(kind, method):
        original = getattr(kind, method)

        def counted(self, X, *args, **options):
            found.append(len(X))
            return original(self, X, *args, **options)

        monkeypatch.setattr(kind, method, counted)

    found_in = type("Calls", (), {"rows": found, "count": staticmethod(count)})
    return found_in


@pytest.mark.parametrize("regression", [False, True])
def test_a_student_of_it(tmp_path, made, calls, regression):
    torch.manual_seed(0)
    teacher = made(tmp_path, regression)
    assert is_costly(teacher) and learns_in_context(teacher)
    X, y = targets(100) if regression else classes(100, labels=["ant", "bee"])
    method = "predict" if regression else "predict_proba"
    calls.count(type(teacher), method)
    est = (DistilledRegressor if regression else DistilledClassifier)(teacher, quick(), random_state=0)
    est.set_params(memory=str(tmp_path / "cache")).fit(X, y)
    assert est.cv_ == "cross-fit" and calls.rows[:5] == [20] * 5 and sum(calls.rows) <= 5 * len(X)
    # a second student asks for a label or a missing value at most
    calls.rows.clear()
    clone(est).set_params(student__max_epochs=1).fit(X, y)
    assert sum(calls.rows) <= 20
    # fitted by the user
    kept = clone(teacher).fit(X, y)
    calls.rows.clear()
    est = (DistilledRegressor if regression else DistilledClassifier)(kept, quick(1), random_state=0).fit(X, y)
    assert est.cv_ == "in-sample" and sum(calls.rows) <= 5 * len(X) and est.teacher_ is kept
    assert np.isfinite(est.predict_proba(X) if not regression else est.predict(X)).all()
