"""`hartley serve`: a server that says where it is, answers, and stops on Ctrl-C."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from hartley.errors import InputError
from hartley.serve_command import load, serve
from hartley.targets.conversation import Call, Message, ask
from hartley.targets.endpoint.client import EndpointAnswerer, EndpointPolicy
from hartley.targets.endpoint.endpoint import Endpoint
from hartley.targets.endpoint.server import Server
from hartley.targets.scripted import ScriptedPolicy

SCRIPT = {
    "pay anna": [{"text": "at once", "calls": [{"name": "pay", "arguments": {"to": "anna"}}]}, {"text": "done"}],
    "": [{"text": "hello"}],
}
RUN = "from hartley.serve_command import serve; serve()"
TOOL = {"type": "function", "function": {"name": "pay", "parameters": {"properties": {"to": {"type": "string"}}}}}


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.json"
    path.write_text(json.dumps(SCRIPT))
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(script: Path, number: int) -> None:
    command = [sys.executable, "-uc", RUN, f"scripted:{script}", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            first, second, third = (process.stdout.readline() for _ in range(3))
            assert re.fullmatch(r"serving scripted:script\.json at http://127\.0\.0\.1:[0-9]+/v1\n", first)
            assert third == "Ctrl-C stops it\n"
            name = second.removeprefix("its name as a target: ").strip()
            policy = EndpointPolicy(Endpoint(name))
            message = policy.respond([ask("pay anna", pictures=0)], [TOOL])[0]
            assert (message.text, message.calls[0].name, message.calls[0].arguments) == ("at once", "pay", {"to": "anna"})
            process.send_signal(number)
            assert process.stdout.read() == "stopped\n"
            assert process.wait(60) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()


def test_a_script_is_what_it_says(script: Path) -> None:
    policy = load(f"scripted:{script}")
    assert isinstance(policy, ScriptedPolicy)
    call = Call("pay", {"to": "anna"})
    first, second = Message("assistant", "at once", calls=(call,)), Message("assistant", "done")
    conversation = ask("pay anna", pictures=0)
    turns = [conversation, (*conversation, first), (*conversation, first, Message("tool", "ok"), second), ask("what", pictures=0), ()]
    assert policy.respond(turns, []) == [first, second, Message("assistant"), Message("assistant", "hello"), Message("assistant", "hello")]
    assert policy.fingerprint == ScriptedPolicy.read(script).fingerprint != ScriptedPolicy({}).fingerprint
    with pytest.raises(ValueError, match="assistant's turns alone"):
        ScriptedPolicy({"": [Message("user", "a")]})


@pytest.mark.parametrize(
    "content", ["", "[]", '{"a": 3}', '{"a": [3]}', '{"a": [{"text": 3}]}', '{"a": [{"calls": [{}]}]}', '{"a": [{"calls": [{"name": 3}]}]}']
)
def test_a_malformed_script_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "script.json"
    path.write_text(content)
    with pytest.raises(InputError, match="it takes JSON of the form"):
        load(f"scripted:{path}")
    with pytest.raises(InputError, match="no such file"):
        load(f"scripted:{tmp_path / 'missing'}")


def test_what_cannot_be_served(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: str) -> str:
        result = CliRunner().invoke(serve, [*arguments])
        assert isinstance(result.exception, InputError)
        assert str(result.exception).isprintable()
        return str(result.exception)

    assert "unknown target" in refused("nothing")
    assert "reached from other machines" in refused(f"scripted:{script}", "--host", "0.0.0.0")
    monkeypatch.setattr("hartley.targets.load", lambda _: object())
    assert "neither answers nor calls tools" in refused("reference:encoder")


@pytest.mark.slow
def test_the_reference_answerer_says_over_the_wire_what_it_says_here() -> None:
    answerer: Any = load("reference:answerer")
    remote_pixels = torch.randint(0, 256, (2, 1, 3, *answerer.image_size), generator=torch.Generator().manual_seed(0)).float() / 255
    conversations = [ask("what digit is this ?"), ask("describe the picture")]
    with Server(answerer) as server:
        remote = EndpointAnswerer(Endpoint(f"openai:{server.target_name}@{server.url}"))
        remote.probe()
        assert remote.capabilities == {"logprob", "text"}
        assert remote.answer(conversations, remote_pixels) == answerer.answer(conversations, remote_pixels)
        here = answerer.log_likelihood(conversations, ["a 3", "a red 3"], remote_pixels)
        there = remote.log_likelihood(conversations, ["a 3", "a red 3"], remote_pixels)
    assert there.tolist() == pytest.approx(here.tolist(), abs=1e-3)
