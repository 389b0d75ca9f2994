"""What a fit says while it runs: the parts that need no fit."""

from __future__ import annotations

import io
import logging
import pickle
import sys
import threading

import pytest

from sklkd._progress import Progress


class Terminal(io.StringIO):
    """Standard error as a terminal."""

    def isatty(self):
        return True

    @property
    def lines(self):
        """What each line showed, one list for each; it may have been drawn over itself."""
        return [line.split("\r")[1:] or [line] for line in self.getvalue().rstrip("\n").split("\n")]


def on_terminal(monkeypatch):
    """Let standard error be a terminal; not in a fixture, after which pytest captures it again."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def percent(shown):
    return int(shown.split("]")[1].split("%")[0])


def run(progress):
    with progress.fit():
        for stage in progress.stages:
            with progress.stage(stage):
                for advance in [progress.advances(2)] * 2:
                    for _ in range(4 if advance else 0):
                        advance(0.25)


def test_the_bar_grows_over_all_stages_and_ends_at_100(monkeypatch):
    terminal = on_terminal(monkeypatch)
    run(Progress("Fit", ["one", "two", "three"], 1))
    (shown,) = terminal.lines
    found = [percent(one) for one in shown]
    # eight steps in each of three stages, rounded down
    expected = {0} | {100 * step // 24 for step in range(1, 25)}
    assert found == sorted(found) and set(found) == expected
    assert all(abs(one.count("#") / 24 - p / 100) < 0.06 for one, p in zip(shown, found, strict=True))
    labels = [one.split("%")[1].split(",")[0].strip() for one in shown]
    assert list(dict.fromkeys(labels)) == ["one", "two", "three", "fitted"]
    assert max(map(len, shown)) < 80


def test_a_longer_label_is_erased(monkeypatch):
    terminal = on_terminal(monkeypatch)
    run(Progress("Fit", ["a stage with a long name", "b"], 1))
    (shown,) = terminal.lines
    screen = ""
    for one in shown:
        screen = one + screen[len(one) :]
    assert screen.rstrip().endswith(" s") and "name" not in screen


def test_stages_that_are_left_out_are_passed_by(monkeypatch):
    terminal = on_terminal(monkeypatch)
    progress = Progress("Fit", ["one", "two", "three", "four"], 1)
    with progress.fit(), progress.stage("three"):
        pass
    (shown,) = terminal.lines
    assert [percent(one) for one in shown] == [50, 75, 100]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_fit_that_fails_ends_its_line_and_lets_the_next_one_draw(monkeypatch, error):
    terminal = on_terminal(monkeypatch)
    progress = Progress("Fit", ["one", "two"], 1)
    with pytest.raises(error), progress.fit(), progress.stage("one"):
        raise error
    assert terminal.getvalue().endswith("\n") and percent(terminal.lines[0][-1]) == 0
    run(Progress("Fit", ["one"], 1))
    assert percent(terminal.lines[1][-1]) == 100


def test_of_fits_inside_each_other_the_outer_one_draws(monkeypatch):
    terminal = on_terminal(monkeypatch)
    outer, inner = Progress("Outer", ["one", "two"], 1), Progress("Inner", ["three"], 1)
    with outer.fit(), outer.stage("one"):
        thread = threading.Thread(target=run, args=(inner,))
        thread.start()
        thread.join()
    (shown,) = terminal.lines
    assert not any("three" in one for one in shown) and percent(shown[-1]) == 100


def test_without_a_terminal_there_is_a_line_for_each_stage(capsys):
    run(Progress("Fit", ["one", "two"], 1))
    out, err = capsys.readouterr()
    assert out == "" and [line.rpartition(",")[0] for line in err.splitlines()] == ["Fit: one", "Fit: two", "Fit: fit"]


def test_more_than_1_shows_lines_on_a_terminal_too(monkeypatch):
    terminal = on_terminal(monkeypatch)
    run(Progress("Fit", ["one"], 2))
    assert "\r" not in terminal.getvalue() and len(terminal.lines) == 2


@pytest.mark.parametrize("stream", [None, "terminal"])
def test_0_shows_nothing_and_without_standard_error_nothing_is_missed(monkeypatch, stream):
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", None if stream is None else shown)
    run(Progress("Fit", ["one"], 1 if stream is None else 0))
    assert shown.getvalue() == ""


def test_records_name_the_stage_and_its_seconds(caplog):
    with caplog.at_level(logging.INFO, logger="sklkd"):
        run(Progress("Fit", ["one", "two"]))
    assert [(one.name, one.stage) for one in caplog.records] == [("sklkd", s) for s in ("one", "two", "fit")]
    one, two, fit = (record.seconds for record in caplog.records)
    assert one >= 0 and two >= 0 and fit >= one + two


def test_in_another_process_it_is_silent(monkeypatch, caplog):
    terminal = on_terminal(monkeypatch)
    with caplog.at_level(logging.DEBUG, logger="sklkd"):
        progress = Progress("Fit", ["one"], 1)
        with progress.fit(), progress.stage("one"):
            before = terminal.getvalue(), len(caplog.records)
            sent, advance = pickle.loads(pickle.dumps((progress, progress.advances())))
            with sent.stage("one"):
                sent.note("nothing")
                advance(0.5)
            assert (terminal.getvalue(), len(caplog.records)) == before


def test_the_time_that_is_left_is_told_while_it_is_worth_it(monkeypatch):
    terminal = on_terminal(monkeypatch)
    progress = Progress("Fit", ["one", "two"], 1)
    with progress.fit(), progress.stage("one"):
        for left in (123.4, 12.3, 0.4, None):
            progress.advance(0.25, left=left)
    (shown,) = terminal.lines
    assert ["about" in one for one in shown[:5]] == [False, True, True, False, False]
    assert "one, about 123 s left" in shown[1] and "one, about 12 s left" in shown[2]
    assert [percent(one) for one in shown[:5]] == [0, 12, 25, 37, 50] and max(map(len, shown)) < 80


def test_pieces_take_as_long_as_those_before(monkeypatch):
    terminal = on_terminal(monkeypatch)
    progress = Progress("Fit", ["one"], 1)
    with progress.fit(), progress.stage("one"):
        pieces = progress.pieces(3)
        # as if it had begun so long ago
        pieces.began -= 100.0
        for _ in range(3):
            pieces.advance()
    (shown,) = terminal.lines
    assert "about 200 s left" in shown[1] and "about 50 s left" in shown[2] and "left" not in shown[-1]
    assert [percent(one) for one in shown[:4]] == [0, 33, 66, 100]


def test_lines_tell_the_time_that_is_left_too(capsys):
    progress = Progress("Fit", ["one"], 1)
    with progress.fit(), progress.stage("one"):
        pieces = progress.pieces(2)
        pieces.began -= 60.0
        pickle.loads(pickle.dumps(pieces)).advance()
        pieces.advance()
    assert capsys.readouterr().err.splitlines()[0] == "Fit: one, about 60 s left"
