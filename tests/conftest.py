"""What all tests share: threads, hypothesis and the folder of data sets."""

from __future__ import annotations

import os
import shutil
import zlib
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

# One thread: results do not depend on the number of cores, and pytest-xdist's workers do not fight over them.
torch.set_num_threads(1)

# No windows, on a screen or without one.
os.environ.setdefault("MPLBACKEND", "Agg")

# The same examples in every run, and no example fails for being slow on a busy machine.
# Another search: pytest --hypothesis-profile=explore.
settings.register_profile(
    "default", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("default")


# Examples that compile a C file, by the names of their tests.
COMPILED = {"sklkd.export._c_predictor.CPredictor", "shipping.rst"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # of the thousands of slow runs of scikit-learn's checks, one in so many; the same ones every time
    one_in = int(os.environ.get("SKLKD_SLOW_CHECKS", "1"))
    left_out = [
        item
        for item in items
        if item.path.name.startswith("test_common")
        and item.get_closest_marker("slow")
        and zlib.crc32(item.nodeid.encode()) % one_in
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    if shutil.which("cc") is None:
        for item in items:
            if item.name in COMPILED:
                item.add_marker(pytest.mark.skip(reason="there is no C compiler called cc"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the data sets that slow tests read: SKLKD_DATA, by default ../shared/data beside the repository."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SKLKD_DATA", default))
    if not folder.is_dir():
        pytest.fail(f"The data sets are not in {folder}: set SKLKD_DATA to their folder.")
    return folder
