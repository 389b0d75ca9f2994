"""Arrays in memory and in files."""

import errno
import gc
import os
import subprocess
import sys
import tempfile

import numpy as np
import pytest

from sklkd._storage import Storage, bytes_of, memory_of_process

BUDGETS = {"7": 7, "500MB": 500_000_000, "1.5 GiB": 3 * 2**29, "2kb": 2_000, "3g": 3 * 10**9}


def in_memory(array):
    return not isinstance(array, np.memmap)


@pytest.mark.parametrize(("given", "expected"), [(0, 0), (1_500, 1_500), *BUDGETS.items()])
def test_budgets_are_read(given, expected):
    assert bytes_of(given) == expected


@pytest.mark.parametrize("given", ["much", "-1", "4 apples", "", "GiB"])
def test_other_budgets_are_refused(given):
    with pytest.raises(ValueError, match=r"memory_limit must be .* got"):
        bytes_of(given)


def test_the_default_is_part_of_the_memory():
    assert 0 < bytes_of("auto") < memory_of_process()


def test_arrays_go_to_files_past_the_budget_and_come_back_when_others_are_gone():
    storage = Storage(900)
    first, second = storage.empty((10, 10), np.float64), storage.empty((50,), np.float32)
    third = storage.empty((50,), np.float32)
    assert in_memory(first) and not in_memory(second)
    del first
    gc.collect()
    fourth = storage.empty((100,), np.float32)
    assert in_memory(fourth)
    for array, value in ((second, 2), (third, 3), (fourth, 4)):
        array[:] = value
    assert second.sum() == 100 and third.sum() == 150 and fourth.sum() == 400
    assert second.dtype == np.float32 and second.shape == (50,)


def test_empty_arrays_need_no_file():
    assert Storage(0).empty((0, 3), np.float32).shape == (0, 3)


PROGRAM = """
import os, signal, sys
import numpy as np
from sklkd._storage import Storage
array = Storage(0).empty((1_000_000,), np.float32)
array[:] = 1
if sys.argv[1] == "raises":
    raise RuntimeError
os.kill(os.getpid(), getattr(signal, sys.argv[1]))
"""


@pytest.mark.parametrize("ends", ["raises", "SIGINT", "SIGTERM", "SIGKILL"])
def test_nothing_is_left_however_the_process_ends(ends, tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM, ends], env=environment, capture_output=True, check=False)
    assert done.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=r"memory_limit sends an array of 800 bytes to a file in .*raise memory_limit"):
        Storage(0).empty((100,), np.float64)


def test_the_folder_may_go_while_an_array_is_used(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    array = Storage(0).empty((1_000,), np.int64)
    folder.rmdir()
    array[:] = np.arange(1_000)
    assert array.sum() == 499_500
