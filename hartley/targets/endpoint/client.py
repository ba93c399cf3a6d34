"""An endpoint as a Policy, an Answerer and a TextEmbedder. The three may share one `Endpoint`, with its cache and its budget."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from hartley.errors import InputError
from hartley.targets.conversation import Conversation, Json, Message, ask
from hartley.targets.endpoint.batch import each, first_failure
from hartley.targets.endpoint.cache import digest
from hartley.targets.endpoint.choices import Said, read_choice
from hartley.targets.endpoint.endpoint import Endpoint
from hartley.targets.endpoint.likelihood import answer_logarithm, requests_for
from hartley.targets.endpoint.outcomes import NotMeasured, Reason
from hartley.targets.endpoint.wire import to_messages, to_vectors
from hartley.targets.tool_calls import Tools

if TYPE_CHECKING:
    from openai import OpenAI
    from torch import Tensor

TEXTS_AT_ONCE = 64


class EndpointPolicy:
    """A model on a server that answers or calls tools; satisfies `Policy`. Only its words come back: capability "text"."""

    capabilities: frozenset[str] = frozenset({"text"})

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.unseen: NotMeasured | None = None

    @property
    def name(self) -> str:
        """openai:MODEL@URL."""
        return str(self.endpoint.address)

    @property
    def fingerprint(self) -> str:
        """A hash of name, URL and settings: what a server does behind its name nobody can see."""
        return self.endpoint.fingerprint

    def respond(self, conversations: Sequence[Conversation], tools: Tools) -> list[Message]:
        """The assistant's next message of each conversation. tools: JSON Schemas in the function format of OpenAI's API.

        Raises the first NotMeasured when any was not answered; `attempt` tells each one's outcome. Raises OutOfBudget.
        """
        return first_failure(self.attempt(conversations, tools))

    def attempt(self, conversations: Sequence[Conversation], tools: Tools) -> list[Message | NotMeasured]:
        """The assistant's next message of each conversation, or why there is none. Raises OutOfBudget."""
        if tools and self.unseen is not None:
            return [self._unasked(self.unseen) for _ in conversations]
        offered: dict[str, Json] = {"tools": [dict(tool) for tool in tools]} if tools else {}

        def job(messages: list[dict[str, Json]]) -> Message:
            return _said(self.endpoint, messages, offered, tools).message

        bodies = [to_messages(conversation) for conversation in conversations]
        return each(self.endpoint, [partial(job, body) for body in bodies])

    def _unasked(self, why: NotMeasured) -> NotMeasured:
        failure = NotMeasured(why.reason, why.detail, 0)
        self.endpoint.given_up(failure)
        return failure

    def probe(self, tools: Tools = ()) -> None:
        """Asks the server itself one short question, so that the latency is known, and whether it takes the tools; and, where the
        server counts what it reads, whether its model is shown them. `unseen` then says what was found.

        Raises NotMeasured when the server gives no answer, OutOfBudget.
        """
        from hartley.targets.endpoint.probing import tools_unseen

        self.unseen = tools_unseen(self.endpoint, tools)


class EndpointAnswerer:
    """A model on a server that answers about pictures and text; satisfies `Answerer`, without gradients and inner states.

    Pictures go out as PNG, so with 8 bits a color. capabilities: {"text"}, and "logprob" once `probe` has found that the
    server scores given answers, as vLLM and our own server do. image_size: (height, width) that all pictures must have.
    """

    def __init__(self, endpoint: Endpoint, *, image_size: tuple[int, int] | None = None) -> None:
        self.endpoint = endpoint
        self.image_size = image_size
        self.capabilities: frozenset[str] = frozenset({"text"})

    @property
    def name(self) -> str:
        """openai:MODEL@URL."""
        return str(self.endpoint.address)

    @property
    def fingerprint(self) -> str:
        """A hash of name, URL and settings."""
        return self.endpoint.fingerprint

    def answer(self, conversations: Sequence[Conversation], pixels: Tensor | None = None, *, longest: int = 48) -> list[str]:
        """n answers of at most `longest` tokens to conversations about pixels (n, k, 3, height, width) in [0, 1]; None: no pictures.

        Raises the first NotMeasured when any was not answered; `attempt` tells each one's outcome. Raises OutOfBudget.
        """
        return first_failure(self.attempt(conversations, pixels, longest=longest))

    def attempt(self, conversations: Sequence[Conversation], pixels: Tensor | None = None, *, longest: int = 48) -> list[str | NotMeasured]:
        """The answer to each conversation, or why there is none. Raises OutOfBudget."""
        bodies = _with_pictures(conversations, pixels)

        def job(messages: list[dict[str, Json]]) -> str:
            return _said(self.endpoint, messages, {}, longest=longest).message.text

        return each(self.endpoint, [partial(job, body) for body in bodies])

    def log_likelihood(self, conversations: Sequence[Conversation], answers: Sequence[str], pixels: Tensor | None = None) -> Tensor:
        """(n,) natural logarithm of the probability of each answer and its end, without gradients.

        Raises NotMeasured (Reason.REJECTED or Reason.SCHEMA) where the server does not score given answers.
        """
        import torch

        bodies = _with_pictures(conversations, pixels)

        def job(messages: list[dict[str, Json]], answer: str) -> float:
            asked = requests_for(messages, answer)
            without, whole = (chat(self.endpoint, turns, 1, more, check=answered) for turns, more in asked)
            return answer_logarithm(without, whole)

        pairs = zip(bodies, answers, strict=True)
        return torch.tensor(first_failure(each(self.endpoint, [partial(job, *pair) for pair in pairs])))

    def image_features(self, pixels: Tensor) -> Tensor:
        """Raises InputError: a server shows no inner states."""
        raise InputError(f"{self.name} is behind a server, which shows no inner states")

    def probe(self) -> None:
        """Asks one short question and whether given answers are scored. Raises NotMeasured when the server gives no answer."""
        chat(self.endpoint, to_messages(ask("Say: ok", pictures=0)), 16, check=answered)
        try:
            self.log_likelihood([ask("Say: ok", pictures=0)], ["ok"])
        except NotMeasured as failure:
            if failure.reason not in (Reason.REJECTED, Reason.SCHEMA, Reason.NOT_FINITE):
                raise
        else:
            self.capabilities = frozenset({"logprob", "text"})


class EndpointEmbedder:
    """A model on a server that maps texts to vectors; satisfies `TextEmbedder`."""

    capabilities: frozenset[str] = frozenset({"text"})

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    @property
    def name(self) -> str:
        """openai:MODEL@URL."""
        return str(self.endpoint.address)

    @property
    def fingerprint(self) -> str:
        """A hash of name and URL; no setting changes a vector."""
        return digest({"name": self.name, "url": self.endpoint.address.url, "what": "embeddings"})

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """n strings to (n, d), unit norm. Raises NotMeasured, OutOfBudget."""
        import torch

        def job(part: list[str]) -> list[list[float]]:
            body: dict[str, Json] = {"model": self.endpoint.address.model, "input": [*part], "encoding_format": "float"}
            found = self.endpoint.ask(_embeddings, body, lambda answer: to_vectors(answer, len(part)), most_written=0)
            return to_vectors(found, len(part))

        parts = [list(texts[start : start + TEXTS_AT_ONCE]) for start in range(0, len(texts), TEXTS_AT_ONCE)]
        found = first_failure(each(self.endpoint, [partial(job, part) for part in parts]))
        vectors = [vector for part in found for vector in part]
        if len({len(vector) for vector in vectors}) > 1:
            raise NotMeasured(Reason.SCHEMA, "the embeddings differ in size")
        whole = torch.tensor(vectors, dtype=torch.float64)
        # no entry above 1, so that no length overflows or vanishes
        return torch.nn.functional.normalize(whole / whole.abs().amax(dim=-1, keepdim=True), dim=-1).float()


def _said(
    endpoint: Endpoint, messages: list[dict[str, Json]], more: Mapping[str, Json], tools: Tools = (), longest: int | None = None
) -> Said:
    """What the model says next. After a tool's answer, or its own words, it may say nothing: then its work is done."""

    def read(answer: Mapping[str, Json]) -> Said:
        silent = messages[-1]["role"] != "user"
        return read_choice(answer, tools, thinking_counts=endpoint.settings.thinking_counts, may_be_silent=silent)

    said = read(chat(endpoint, messages, longest or endpoint.settings.longest, more, check=read))
    endpoint.notices.note(said, offered=bool(tools))
    return said


def answered(answer: Mapping[str, Json]) -> None:
    """Raises NotMeasured for what is no answer, though not for one without words: where it is not they that are asked for."""
    try:
        read_choice(answer)
    except NotMeasured as failure:
        if failure.reason not in (Reason.LENGTH, Reason.EMPTY):
            raise


def chat(
    endpoint: Endpoint,
    messages: list[dict[str, Json]],
    longest: int,
    more: Mapping[str, Json] | None = None,
    *,
    check: Callable[[dict[str, Json]], object],
    fresh: bool = False,
) -> dict[str, Json]:
    """The server's answer to a chat request of at most `longest` tokens; `check` and `fresh` as `Endpoint.ask` has them."""
    settings = endpoint.settings
    body: dict[str, Json] = {"model": endpoint.address.model, "messages": [*messages], **(more or {})}
    # OpenAI's newer models refuse the old name; many servers do not know the new one.
    body["max_completion_tokens" if endpoint.address.official else "max_tokens"] = longest
    body |= {name: value for name, value in (("temperature", settings.temperature), ("seed", settings.seed)) if value is not None}
    shown = sum(isinstance(part, dict) and "image_url" in part for message in messages for part in _parts(message))
    return endpoint.ask(_completions, body, check, most_written=longest, pictures=shown, fresh=fresh)


def _parts(message: Mapping[str, Json]) -> list[Json]:
    content = message["content"]
    return content if isinstance(content, list) else []


def _completions(client: OpenAI) -> Any:
    return client.chat.completions.with_raw_response.create


def _embeddings(client: OpenAI) -> Any:
    return client.embeddings.with_raw_response.create


def _with_pictures(conversations: Sequence[Conversation], pixels: Tensor | None) -> list[list[dict[str, Json]]]:
    if pixels is not None and (pixels.ndim != 5 or pixels.shape[2] != 3 or len(pixels) != len(conversations)):
        raise ValueError(f"pixels is {tuple(pixels.shape)}; ({len(conversations)}, k, 3, height, width) is needed")
    shown = [[]] * len(conversations) if pixels is None else [[data_url(picture) for picture in row] for row in pixels]
    return [to_messages(conversation, urls) for conversation, urls in zip(conversations, shown, strict=True)]


def data_url(picture: Tensor) -> str:
    """A picture (3, height, width) in [0, 1] as the data URL of a PNG."""
    from PIL import Image

    levels = (picture.detach().cpu().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
