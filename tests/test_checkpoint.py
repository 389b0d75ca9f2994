"""What is kept in a folder: whole files, or none."""

import errno
import os
import pickle
import signal
import subprocess
import sys
import time

import pytest
import torch

from sklkd._checkpoint import NOTHING_KEPT, OLD, Checkpoint, remove_left_over
from sklkd.exceptions import CheckpointWarning


def counted(value, calls):
    def make():
        calls.append(value)
        return value

    return make


@pytest.mark.parametrize("value", [None, 3, {"a": [1.5]}, [None]])
def test_a_value_is_made_once(tmp_path, value):
    calls = []
    found = [Checkpoint(tmp_path).kept("one", counted(value, calls)) for _ in range(3)]
    assert found == [value] * 3
    assert calls == [value]


def test_without_a_folder_everything_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls = []
    for _ in range(2):
        assert NOTHING_KEPT.part("some").kept("one", counted(1, calls)) == 1
    assert calls == [1, 1]
    assert list(tmp_path.iterdir()) == []


def test_names_of_parts_and_odd_names_are_apart(tmp_path):
    checkpoint = Checkpoint(tmp_path)
    for name in ("one", "a/b", "..", "ä b", "%61"):
        checkpoint.kept(name, lambda name=name: name)
        checkpoint.part("part").kept(name, lambda name=name: f"part {name}")
    for name in ("one", "a/b", "..", "ä b", "%61"):
        assert checkpoint.load(name) == [name]
        assert pickle.loads(pickle.dumps(checkpoint)).part("part").load(name) == [f"part {name}"]
    assert all(path.parent == tmp_path for path in tmp_path.rglob("*"))


@pytest.mark.parametrize("damage", ["cut", "emptied", "changed", "longer"])
def test_a_file_that_was_damaged_is_made_again_with_a_warning(tmp_path, damage):
    checkpoint = Checkpoint(tmp_path)
    checkpoint.keep("one", list(range(1000)))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    damaged = {
        "cut": whole[: len(whole) // 2],
        "emptied": b"",
        "changed": whole[:100] + bytes([whole[100] ^ 1]) + whole[101:],
        "longer": whole + b"x",
    }
    path.write_bytes(damaged[damage])
    with pytest.warns(CheckpointWarning, match="one"):
        assert checkpoint.kept("one", lambda: "again") == "again"
    assert checkpoint.kept("one", lambda: "a third time") == "again"


def test_what_pickle_refuses_is_an_error_and_leaves_the_file_before(tmp_path):
    checkpoint = Checkpoint(tmp_path)
    checkpoint.keep("one", 1)
    with pytest.raises(TypeError, match="checkpoint"):
        checkpoint.keep("one", lambda: 2)
    assert checkpoint.load("one") == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_is_named_and_leaves_the_file_before(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path)
    checkpoint.keep("one", 1)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"checkpoint cannot keep one.*No space left"):
            checkpoint.keep("one", 2)
    assert checkpoint.load("one") == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_held_objects_are_not_written_but_given_back(tmp_path):
    layer, other = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    Checkpoint(tmp_path).keep("one", {"of": layer, "by": {layer.weight: 3}}, {"w": layer.weight, "layer": layer})
    found = Checkpoint(tmp_path).load("one", {"w": other.weight, "layer": other})
    assert found["of"] is other
    assert found["by"] == {other.weight: 3}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a system without SIGKILL")
def test_a_kill_in_the_middle_of_a_write_leaves_the_old_file(tmp_path):
    Checkpoint(tmp_path).keep("one", "old")
    code = """
import os, signal, sys
from pathlib import Path
from sklkd._checkpoint import Checkpoint
class Kills:
    def __reduce__(self):
        os.kill(os.getpid(), signal.SIGKILL)
Checkpoint(Path(sys.argv[1])).keep("one", [bytes(10**6), Kills()])
"""
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert Checkpoint(tmp_path).load("one") == "old"
    left = [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert left  # the file that was being written
    remove_left_over(tmp_path)  # another process may be writing it just now
    assert all(path.exists() for path in left)
    for path in left:
        os.utime(path, (time.time() - 2 * OLD,) * 2)
    remove_left_over(tmp_path)
    assert Checkpoint(tmp_path).load("one") == "old"
    assert len(list(tmp_path.iterdir())) == 1
