import io

from hartley.runs.events import Event
from hartley.runs.plan import Cell
from hartley.runs.terminal import Terminal

CELL = Cell("t", "sga", "jpeg", 0, "quick")


class Screen(io.StringIO):
    def isatty(self):
        return True


def events(terminal, clock):
    terminal(Event("loading", 0, 2))
    terminal(Event("begun", 0, 2))
    terminal(Event("note", 0, 2, why="no prompts given"))
    terminal(Event("started", 0, 2, CELL))
    for step in range(100):
        clock[0] += 1
        terminal(Event("step", 0, 2, CELL, what="pgd", step=step, steps=100))
    terminal(Event("retried", 0, 2, CELL, why="it broke"))
    terminal(Event("finished", 1, 2, CELL, status="failed", why="it \x1b[31mbroke\nagain", seconds=100))


def test_plain_lines_are_few_and_harmless():
    stream, clock = io.StringIO(), [0.0]
    with Terminal(stream, lambda: clock[0]) as terminal:
        events(terminal, clock)
    lines = stream.getvalue().splitlines()
    assert lines[:3] == ["loading the target ...", "2 cells", "note: no prompts given"]
    assert lines[-2:] == [
        "sga with jpeg, seed 0: it broke; trying again",
        "[1/2] sga with jpeg, seed 0: failed in 100.0 s: it [ESC][31mbroke[LF]again",
    ]
    steps = [line for line in lines if "pgd" in line]
    assert 5 <= len(steps) <= 8, "one line about every 15 s"
    assert steps[0] == "  sga with jpeg, seed 0 pgd 14/100, about 1:26 left of this part"


def after(*steps):
    """What stands last in a log after steps (seconds from before, what, step, of how many) of one cell."""
    stream, clock = io.StringIO(), [0.0]
    with Terminal(stream, lambda: clock[0]) as terminal:
        terminal(Event("started", 0, 2, CELL))
        for seconds, what, step, of in steps:
            clock[0] += seconds
            terminal(Event("step", 0, 2, CELL, what=what, step=step, steps=of))
    return stream.getvalue().splitlines()[-1].removeprefix("  sga with jpeg, seed 0 ")


def test_the_time_left_of_an_arm_on_a_slow_server():
    begins, slow = (0, "attacked", 0, 64), (40, "attacked", 16, 64)
    assert after(begins, slow) == "attacked 16/64, about 2:00 left of this part"
    assert after(begins, slow, (30, "attacked, 21 answers,", 16, 64)) == "attacked, 21 answers, 16/64, about 1:30 left of this part"
    assert after(begins, slow, (40, "attacked", 32, 64), (40, "attacked", 48, 64)) == "attacked 48/64, about 0:40 left of this part"
    assert after(begins, slow, (900, "attacked", 16, 64)) == "attacked 16/64, about 0:00 left of this part", "never less than nothing"


def test_no_time_is_told_before_it_is_known_and_each_part_has_its_own():
    begins, slow = (0, "clean", 0, 64), (20, "clean", 64, 64)
    assert after((16, "trying the server out, 3 answers,", 0, 1)) == "trying the server out, 3 answers, 0/1"
    assert after(begins, slow) == "clean 64/64"
    assert after(begins, slow, (16, "attacked", 0, 64)) == "attacked 0/64"
    assert after(begins, slow, (0, "attacked", 0, 64), (32, "attacked", 16, 64)) == "attacked 16/64, about 1:36 left of this part"
    assert after((0, "clean", 0, 0), (20, "clean", 0, 0)) == "clean 0/0"


def test_a_terminal_gets_a_bar():
    stream, clock = Screen(), [0.0]
    with Terminal(stream, lambda: clock[0]) as terminal:
        events(terminal, clock)
        assert terminal.bar is not None and terminal.bar.n == 1
    assert "1/2" in stream.getvalue()
    assert "\x1b[31m" not in stream.getvalue()
    assert terminal.bar is None


def test_nothing_to_do_shows_no_bar():
    terminal = Terminal(Screen())
    terminal(Event("begun", 2, 2))
    assert terminal.bar is None
