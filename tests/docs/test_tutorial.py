"""The tutorial: its commands are those that there are, and run one after the other as they stand, with fewer trials and another port."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hartley.cli import main
from hartley.runs.folder import Run

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial" / "red-team-your-agent.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TUTORIAL.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
TRIALS = 8
SECONDS = 1200


def test_every_command_and_option_of_the_tutorial_is_there() -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    used = [shlex.split(line) for block in BLOCKS for line in block.splitlines() if line.startswith("hartley ")]
    assert [words[1] for words in used] == ["serve", "scan", "scan", "scan", "check"]
    for words in used:
        options = {name for parameter in main.commands[words[1]].params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options
    scan = {name for parameter in main.commands["scan"].params for name in parameter.opts}
    said = {word.rstrip(",") for word in re.findall(r"`(--[a-z-]+)", text)}
    assert said - scan == {"--enable-auto-tool-choice"}, "what a server of somebody else's is started with"


def smaller(block: str) -> str:
    """The same commands with few trials, and the long scan without its safeguard."""
    return re.sub(r"--trials \d+", f"--trials {TRIALS}", block).replace("--defenses spotlighting", "--defenses none")


def run_block(block: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    bash = ["bash", "-ec", block]
    return subprocess.run(bash, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.mark.slow
def test_the_tutorial_runs_from_its_first_command_to_its_last(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    command = bin_folder / "hartley"
    command.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -uc 'from hartley.cli import main; main()' \"$@\"\n")
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    server, *others = [smaller(block).replace("8000", str(port)) for block in BLOCKS]
    with subprocess.Popen(shlex.split(server), cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        try:
            while "Ctrl-C stops it" not in (line := serving.stdout.readline()):
                assert line, "the server ended before it served"
            done = [run_block(block, tmp_path, environment) for block in others]
        finally:
            serving.send_signal(signal.SIGINT)
            last = serving.stdout.read()
    assert (last, serving.returncode) == ("stopped\n", 0)
    assert [one.returncode for one in done] == [0, 0, 0, 0], [one.stdout + one.stderr for one in done]
    estimate, notes, injection, check = done
    assert re.search(r"estimate: about [0-9,]+ requests: about .*, [0-9,]+ tokens", estimate.stdout)
    for scan, folder, cells in ((notes, "notes", 2), (injection, "injection", 1)):
        run = tmp_path / "runs" / folder
        assert [record["status"] for record in Run.open(run).cells()] == ["measured"] * cells
        spent = json.loads((run / "endpoint" / "spent.json").read_text())
        assert f"spent: {spent['requests']:,} requests" in scan.stdout and spent["requests"] > 20
        assert f"report: runs/{folder}/report.html" in scan.stdout
    assert "0 broken, 0 not measured, of 1 rules" in check.stdout
