"""AgentDojo's environments: each text is read once, and every pair gets a copy of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from hartley.targets.agentdojo.extra import need


class Environments:
    """Takes the place of a suite's `load_and_inject_default_environment`, which reads the whole YAML anew for every pair.

    suite   a TaskSuite of AgentDojo. Calls give what the suite's own method gives; tests hold the two against each other.
    """

    def __init__(self, suite: Any) -> None:
        self._load = type(suite).load_and_inject_default_environment
        self._suite = suite
        self._read: dict[frozenset[tuple[str, str]], Any] = {}
        self._planted: dict[frozenset[tuple[str, str]], frozenset[str]] = {}

    def __call__(self, injections: Mapping[str, str]) -> Any:
        """An environment of its own, with the injections at their places. Raises ValueError for a place that there is not."""
        key = frozenset(injections.items())
        if key not in self._read:
            self._read[key] = self._load(self._suite, dict(injections))
        return self._read[key].model_copy(deep=True)

    def planted(self, injections: Mapping[str, str]) -> frozenset[str]:
        """The strings of the environment that the injections changed, each as a whole."""
        key = frozenset(injections.items())
        if key not in self._planted:
            clean, changed = (dict(leaves(self(given))) for given in ({}, injections))
            self._planted[key] = frozenset(text for place, text in changed.items() if clean.get(place) != text)
        return self._planted[key]


def cached(suite: Any) -> Any:
    """The same suite, with environments that are read once."""
    own = suite.get_new_version(suite.benchmark_version)
    own.load_and_inject_default_environment = Environments(own)
    return own


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """(place, string) of every string inside models, mappings and sequences."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, (*place, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from leaves(item, (*place, index))
    elif hasattr(value, "model_dump"):
        yield from leaves(value.model_dump(), place)


@cache
def _writer() -> Any:
    """The C library's YAML writer; the slow one where there is no C library. AgentDojo's words of a fixed set are strings to both."""
    yaml = need("agent_pipeline.tool_execution").yaml
    if not hasattr(yaml, "CSafeDumper"):
        return yaml.SafeDumper
    writer: Any = type("Writer", (yaml.CSafeDumper,), {})
    writer.add_multi_representer(need("strenum").StrEnum, lambda dumper, word: dumper.represent_str(str(word.value)))
    return writer


def quick_yaml(value: Any) -> str:
    """A value as YAML. AgentDojo's own way of writing it takes most of a pair's time."""
    return str(need("agent_pipeline.tool_execution").yaml.dump(value, Dumper=_writer()))


def as_text(result: Any) -> str:
    """A tool's result as AgentDojo shows it."""
    return str(need("agent_pipeline.tool_execution").tool_result_to_str(result, dump_fn=quick_yaml))
