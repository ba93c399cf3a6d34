"""The reference answerers' shapes: configuration, tokenizer, and how a conversation is laid out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hartley.targets.conversation import Conversation
from hartley.targets.reference.answerer.words import vocabulary
from hartley.targets.reference.encoder.architecture import BOS, EOS, PAD, SPECIAL_TOKENS, UNKNOWN

IMAGE, SYSTEM, USER, ASSISTANT = TURN_TOKENS = ("<image>", "<system>", "<user>", "<assistant>")
ROLES = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}
POSITIONS = 512


@dataclass(frozen=True)
class Shape:
    """What tells the answerers of the family apart, beside their seeds; the vocabulary is the same.

    encoder        the member of the family whose vision tower this one starts from.
    width, layers  of the language model.
    steps          lengths of the five stages, in their order.
    """

    encoder: str
    width: int
    layers: int
    steps: tuple[int, int, int, int, int]


SHAPES = {
    "answerer": Shape("encoder", 112, 4, (400, 500, 2_000, 300, 800)),
    "answerer-b": Shape("encoder-b", 96, 4, (300, 500, 1_500, 250, 600)),
}


def build_tokenizer() -> Any:
    """A word-level tokenizer over `words.vocabulary()`: lower case, without the marks that end sentences; nothing is added around."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    table = {token: index for index, token in enumerate((*SPECIAL_TOKENS, *TURN_TOKENS, *vocabulary()))}
    inner = Tokenizer(models.WordLevel(table, unk_token=UNKNOWN))
    inner.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(Regex("[.,!?;\"']"), " ")])
    # Splits off every mark, so that not even "<image>" is a word of the table.
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=PAD,
        bos_token=BOS,
        unk_token=UNKNOWN,
        eos_token=EOS,
        extra_special_tokens=list(TURN_TOKENS),
        model_max_length=POSITIONS,
        padding_side="left",
    )


def build_llava(vision_config: Any, vocabulary_size: int, *, width: int, layers: int) -> Any:
    """An untrained LlavaForConditionalGeneration over a vision tower of `vision_config`.

    The patches come from the layer before the last and from the last, and the class token is kept: nothing in CLIP's loss
    trains the last layer's patches, and nothing but its class token has seen the whole digit.
    """
    from transformers import LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    text = LlamaConfig(
        vocab_size=vocabulary_size,
        hidden_size=width,
        intermediate_size=width * 8 // 3 // 16 * 16,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=POSITIONS,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=3,
        tie_word_embeddings=True,
    )
    tokens = (vision_config.image_size // vision_config.patch_size) ** 2 + 1
    config = LlavaConfig(
        vision_config=vision_config,
        text_config=text,
        image_token_index=len(SPECIAL_TOKENS),
        vision_feature_layer=[-2, -1],
        vision_feature_select_strategy="full",
        image_seq_length=tokens,
        tie_word_embeddings=True,
    )
    return LlavaForConditionalGeneration(config)


def layout(conversation: Conversation, encode: Callable[[str], list[int]]) -> tuple[list[int], list[bool]]:
    """The token ids of a conversation, each turn after its role's token, and which of them an assistant says, ends included.

    A picture is one image token. encode: a text to ids. Raises ValueError for a tool's turn and for an assistant's calls.
    """
    ids, said = [SPECIAL_TOKENS.index(BOS)], [False]
    for message in conversation:
        if message.role not in ROLES or message.calls:
            raise ValueError("the reference answerer takes system, user and assistant turns, without tools")
        words = encode(message.text)
        spoken = message.role == "assistant"
        turn = [ROLE_IDS[message.role], *[IMAGE_ID] * message.pictures, *words]
        ids += [*turn, END_ID] if spoken else turn
        said += [False] * (len(turn) - len(words)) + [spoken] * (len(words) + spoken)
    return ids, said


IMAGE_ID = len(SPECIAL_TOKENS)
ROLE_IDS = {role: IMAGE_ID + TURN_TOKENS.index(token) for role, token in ROLES.items()}
END_ID = SPECIAL_TOKENS.index(EOS)


def renderer(encode: Callable[[str], list[int]]) -> Callable[[Conversation], list[int]]:
    """What `LlavaAnswerer` takes as `render`: the conversation so far, and the assistant's turn begun."""

    def render(conversation: Conversation) -> list[int]:
        return [*layout(conversation, encode)[0], ROLE_IDS["assistant"]]

    return render
