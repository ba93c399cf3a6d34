"""`hartley serve`: a target as a small OpenAI-compatible server. Imports what it needs inside, as every command does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hartley.commands import Careful
from hartley.errors import InputError
from hartley.printing import echo

if TYPE_CHECKING:
    from hartley.targets.endpoint.voices import Target

SCRIPT = "scripted:"


@click.command("serve", cls=Careful)
@click.argument("target")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="The port; 0 for any free one.")
@click.option("--to-network", is_flag=True, help="Allow an address that other machines reach. The server knows no accounts.")
def serve(target: str, host: str, port: int, to_network: bool) -> None:
    """Serve TARGET as an OpenAI-compatible server on this machine, until Ctrl-C.

    TARGET is reference:agent, reference:answerer, a local model folder as hf:PATH, or scripted:FILE, which says what a JSON
    file tells it to. Whatever speaks OpenAI's API can then talk to it, and `hartley scan` can attack it over the wire.
    """
    from hartley.runs.worker_pool import interruptible
    from hartley.targets.endpoint.server import Server

    with interruptible():
        server = Server(load(target), host=host, port=port, to_network=to_network, report=lambda line: echo(line, err=True))
        name = server.target_name
        echo(f"serving {name} at {server.url}")
        echo(f"its name as a target: openai:{name}@{server.url}")
        echo("Ctrl-C stops it")
        try:
            server.run()
        except KeyboardInterrupt:
            click.echo("stopped")


def load(name: str) -> Target:
    """The target of that name. Raises InputError where there is none, and where it cannot be served."""
    if name.startswith(SCRIPT):
        from hartley.targets.scripted import ScriptedPolicy

        return ScriptedPolicy.read(Path(name.removeprefix(SCRIPT)))
    from hartley import targets

    found: Any = targets.load(name)
    if not hasattr(found, "respond") and not hasattr(found, "answer"):
        raise InputError(f"{name} neither answers nor calls tools, and so cannot be served")
    served: Target = found
    return served
