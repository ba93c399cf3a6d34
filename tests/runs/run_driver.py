"""A scan in a process of its own, to be killed or interrupted: python run_driver.py OUT WORKERS THREATS [EVENT]

With EVENT (like "finished:2" or "step:0": a kind of event and a number of cells done) the scan kills itself there.
"""

import os
import signal
import sys
from pathlib import Path

from run_fakes import FAKES

from hartley.runs.local import Limits, run
from hartley.runs.plan import Plan


def main():
    out, workers, threats, *death = sys.argv[1:]
    kind, done = ([*death[0].split(":"), "0"])[:2] if death else ("never", "0")

    def watch(event):
        print(event.kind, event.done, event.cell.label if event.cell else "", flush=True)
        if event.kind == kind and event.done == int(done):
            os.kill(os.getpid(), signal.SIGKILL)

    plan = Plan(tuple(threats.split(",")), "fake:encoder", "fake", ("shield",), effort={"trials": 40})
    try:
        run(plan, Path(out), workers=int(workers), progress=watch, limits=Limits(), parts=FAKES)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
