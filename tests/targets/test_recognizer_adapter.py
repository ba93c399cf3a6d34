"""The Whisper adapter: held against a slow reading token by token, and against the real feature extractor."""

import pytest
import torch

from hartley.errors import InputError
from hartley.targets.audio_tower import LogMel
from hartley.targets.protocols import Recognizer
from hartley.targets.whisper import PROMPT, Habits, WhisperRecognizer, usual_habits
from hartley.targets.words import word_ids
from hartley.training.recognizer.architecture import build_tokenizer

TEXTS = ("please open the vault now", "a red seven", "")


def tiny_model(vocabulary: int = 80, positions: int = 12):
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    config = WhisperConfig(
        num_mel_bins=40,
        d_model=16,
        encoder_layers=1,
        encoder_attention_heads=2,
        encoder_ffn_dim=32,
        max_source_positions=60,
        decoder_layers=2,
        decoder_attention_heads=2,
        decoder_ffn_dim=32,
        max_target_positions=positions,
        vocab_size=vocabulary,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=3,
        decoder_start_token_id=1,
        suppress_tokens=None,
        begin_suppress_tokens=None,
        init_std=0.5,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = WhisperForConditionalGeneration(config)
    for layer in model.model.decoder.layers:  # fresh decoders hardly listen
        layer.encoder_attn.out_proj.weight.data *= 20
    return model


@pytest.fixture(scope="module")
def recognizer() -> WhisperRecognizer:
    tokenizer = build_tokenizer()
    model = tiny_model(len(tokenizer))
    return WhisperRecognizer(
        name="tiny", model=model, tokenizer=tokenizer, front=LogMel(), habits=usual_habits(model.config, tokenizer), fingerprint="x"
    )


def other_habits(recognizer: WhisperRecognizer, **changes) -> WhisperRecognizer:
    habits = Habits(**{**vars(recognizer.habits), **changes})
    parts = {"model": recognizer.model, "tokenizer": recognizer.tokenizer, "front": recognizer.front}
    return WhisperRecognizer(name="tiny", habits=habits, fingerprint="x", **parts)


@pytest.fixture(scope="module")
def waves() -> torch.Tensor:
    time = torch.arange(48_000) / 16_000
    tones = torch.stack([torch.sin(time * 6.28 * pitch) * (time < end) for pitch, end in ((200, 1.0), (1_500, 2.5), (4_000, 0.3))])
    return 0.2 * tones + 0.01 * torch.randn(3, 48_000, generator=torch.Generator().manual_seed(0))


def features(waves: torch.Tensor) -> torch.Tensor:
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor(feature_size=40, hop_length=400, chunk_length=3, n_fft=400)
    return extractor(list(waves.numpy()), sampling_rate=16_000, return_tensors="pt")["input_features"]


def next_word(recognizer: WhisperRecognizer, mel: torch.Tensor, said: list[int]) -> torch.Tensor:
    """Log probabilities of what comes after `said`, from the model alone, no cache."""
    return recognizer.model(input_features=mel, decoder_input_ids=torch.tensor([said]), use_cache=False).logits[0, -1].log_softmax(0)


def test_it_is_a_recognizer(recognizer: WhisperRecognizer) -> None:
    assert isinstance(recognizer, Recognizer) and recognizer.sample_rate == 16_000
    assert {"grad", "logprob", "text"} <= recognizer.capabilities
    assert not any(parameter.requires_grad for parameter in recognizer.model.parameters()) and not recognizer.model.training


def test_the_likelihood_is_the_product_of_the_words(recognizer: WhisperRecognizer, waves: torch.Tensor) -> None:
    found = recognizer.log_likelihood(TEXTS, waves)
    for text, mel, value in zip(TEXTS, features(waves), found, strict=True):
        said, total = [1], 0.0
        for token in [*recognizer.tokenizer(text)["input_ids"][1:-1], 3]:
            total += float(next_word(recognizer, mel[None], said)[token])
            said.append(token)
        assert float(value) == pytest.approx(total, abs=2e-2)


def test_a_transcript_is_the_likeliest_word_at_each_place(recognizer: WhisperRecognizer, waves: torch.Tensor) -> None:
    texts = recognizer.transcribe(waves)
    assert len(set(texts)) > 1, "the sounds differ, so a deaf decoder would be noticed"
    for text, mel in zip(texts, features(waves), strict=True):
        said = [1]
        while len(said) < 12:
            token = int(next_word(recognizer, mel[None], said).argmax())
            said.append(token)
            if token == 3:
                break
        assert text == recognizer.tokenizer.decode(said, skip_special_tokens=True)


def test_a_batch_gives_what_each_gives_alone(recognizer: WhisperRecognizer, waves: torch.Tensor) -> None:
    together, texts = recognizer.log_likelihood(TEXTS, waves), recognizer.transcribe(waves)
    for i, text in enumerate(TEXTS):
        assert float(recognizer.log_likelihood([text], waves[i : i + 1])) == pytest.approx(float(together[i]), abs=1e-3)
        assert recognizer.transcribe(waves[i : i + 1]) == [texts[i]]
    assert recognizer.transcribe(waves[:0]) == [] and len(recognizer.log_likelihood([], waves[:0])) == 0


def test_the_gradient_reaches_each_waveform_and_only_its_own(recognizer: WhisperRecognizer, waves: torch.Tensor) -> None:
    changed = waves.clone().requires_grad_()
    slope = torch.autograd.grad(recognizer.log_likelihood(TEXTS, changed)[1], changed)[0]
    assert float(slope[1].norm()) > 0 and float(slope[0].norm()) == float(slope[2].norm()) == 0.0
    direction = slope / slope.norm()
    step = 1e-3
    high, low = (float(recognizer.log_likelihood(TEXTS, waves + sign * step * direction)[1]) for sign in (1, -1))
    assert (high - low) / (2 * step) == pytest.approx(float(slope.norm()), rel=0.05)


@pytest.mark.parametrize("text", ["open <eos> now", "<bos><pad><unk>", "<EOS>"])
def test_a_control_token_in_a_text_is_words(recognizer: WhisperRecognizer, text: str) -> None:
    assert not set(recognizer.token_ids(text)) & {0, 1, 3}


def test_control_tokens_and_time_stamps_of_openai_are_spelled_out() -> None:
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<|endoftext|>", eos_token="<|endoftext|>")
    tokenizer.add_tokens([AddedToken(token, special=True) for token in PROMPT] + [AddedToken("<|0.00|>", special=False)])
    model = tiny_model(len(tokenizer))
    habits = usual_habits(model.config, tokenizer)
    known = tokenizer.get_vocab()
    assert habits.lead == " " and habits.prompt == tuple(known[token] for token in (PROMPT[0], PROMPT[3])), "few tokens: English alone"
    for text in ("<|endoftext|>", "<|0.00|> hi", "<|startoftranscript|>"):
        ids = word_ids(tokenizer, text)
        assert max(ids) < len(alphabet) and "".join(tokenizer.convert_ids_to_tokens(ids)).replace("\u0120", " ") == text


def test_a_special_token_that_the_vocabulary_lists_as_a_word_is_unknown() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({"<unk>": 0, "<eos>": 1, "hi": 2}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", eos_token="<eos>")
    assert word_ids(tokenizer, "hi <eos> hi") == [2, 0, 2]


def test_suppressed_tokens_are_never_written(recognizer: WhisperRecognizer, waves: torch.Tensor) -> None:
    usual = {token for text in recognizer.transcribe(waves) for token in recognizer.token_ids(text)}
    quiet = other_habits(recognizer, suppressed=tuple(usual))
    assert not usual & {token for text in quiet.transcribe(waves) for token in quiet.token_ids(text)}
    first = [recognizer.token_ids(text)[:1] for text in recognizer.transcribe(waves)]
    later = other_habits(recognizer, begin_suppressed=tuple(token for ids in first for token in ids))
    assert all(later.token_ids(text)[:1] != ids for text, ids in zip(later.transcribe(waves), first, strict=True))


def test_a_longer_prompt_stands_before_every_transcript(recognizer: WhisperRecognizer, waves: torch.Tensor) -> None:
    prompted = other_habits(recognizer, prompt=(1, 10, 11))
    mel, token = features(waves[:1]), recognizer.token_ids("red")[0]
    expected = next_word(recognizer, mel, [1, 10, 11])[token] + next_word(recognizer, mel, [1, 10, 11, token])[3]
    assert float(prompted.log_likelihood(["red"], waves[:1])) == pytest.approx(float(expected), abs=2e-2)
    assert prompted.longest == recognizer.longest - 2


def test_what_does_not_fit_is_refused(recognizer: WhisperRecognizer, waves: torch.Tensor) -> None:
    with pytest.raises(InputError, match="a text has 13 tokens with its end; tiny writes up to 11"):
        recognizer.log_likelihood(["now " * 12], waves[:1])
    with pytest.raises(ValueError, match="2 texts for 3 waveforms"):
        recognizer.log_likelihood(["now", "now"], waves)
    with pytest.raises(ValueError, match=r"\(n, samples\) is accepted"):
        recognizer.transcribe(waves[0])
    with pytest.raises(ValueError, match="the front gives 80 mels x 120 frames, the model takes 40 x 120"):
        WhisperRecognizer(name="x", model=recognizer.model, tokenizer=None, front=LogMel(mels=80), habits=recognizer.habits, fingerprint="")
