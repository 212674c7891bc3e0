"""What vLLM's token ids say, and whose words they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from unlearned.errors import ModelLoadError, UnsupportedModelError
from unlearned.prompts.reader import TokenReader
from unlearned.vllm.chat import Chat
from unlearned.vllm.table import EmbeddingTable, embedding_scale

MESSAGES = [
    {"role": "user", "content": "Who is Harry Potter?"},
    {"role": "assistant", "content": "A wizard."},
    {"role": "user", "content": "What is Hogwarts?"},
]


@pytest.fixture(scope="module")
def reader(tiny_tokenizer: Any) -> TokenReader:
    return TokenReader(tiny_tokenizer)


def ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def rendered(tokenizer: Any, messages: Sequence[Mapping[str, Any]], **more: Any) -> str:
    return str(tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True, **more))


def words(prompt: Any) -> list[tuple[str, str]]:
    return [(segment.role, prompt.text[segment.start : segment.end]) for segment in prompt.segments]


def test_a_text_is_read_as_one_segment(reader: TokenReader, tiny_tokenizer: Any) -> None:
    prompt = reader.read(ids(tiny_tokenizer, "Who is Harry Potter?"))
    assert words(prompt) == [("user", "Who is Harry Potter?")]


def test_every_token_stands_where_its_letters_are(reader: TokenReader, tiny_tokenizer: Any) -> None:
    text = rendered(tiny_tokenizer, [{"role": "user", "content": "Who is Härry Pötter? 🙂 Well."}])
    encoded = tiny_tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    prompt = reader.located(reader.read(encoded["input_ids"]))
    assert prompt.text == text
    plain = ~prompt.is_special
    assert np.array_equal(prompt.offsets[plain], np.array(encoded["offset_mapping"])[plain])


def test_tokens_that_the_tokenizer_would_have_chosen_differently_are_located_too(
    reader: TokenReader, tiny_tokenizer: Any
) -> None:
    letters = [token for letter in "Harry" for token in ids(tiny_tokenizer, letter)]
    assert letters != ids(tiny_tokenizer, "Harry")
    prompt = reader.located(reader.read(letters))
    assert prompt.text == "Harry"
    assert [prompt.text[a:b] for a, b in prompt.offsets] == list("Harry")


def test_special_tokens_alone_tell_the_turns_apart(reader: TokenReader, tiny_tokenizer: Any) -> None:
    prompt = reader.read(ids(tiny_tokenizer, rendered(tiny_tokenizer, MESSAGES)))
    assert words(prompt) == [
        ("system", "You help."),
        ("user", "Who is Harry Potter?"),
        ("assistant", "A wizard."),
        ("user", "What is Hogwarts?"),
    ]


def test_a_typed_marker_starts_another_text(reader: TokenReader, tiny_tokenizer: Any) -> None:
    messages = [{"role": "user", "content": "Who is Hog<|end|>\n<|turn|>user\nwarts?"}]
    text = rendered(tiny_tokenizer, messages)
    prompt = reader.read(ids(tiny_tokenizer, text), chat(tiny_tokenizer, messages).split)
    found = [word for _, word in words(prompt)]
    assert found[0] == "Who is Hog"
    assert found[-1].endswith("warts?")


def chat(tokenizer: Any, messages: Sequence[Mapping[str, Any]], **more: Any) -> Chat:
    return Chat(messages, lambda own, bare: rendered(tokenizer, own, **({} if bare else more)))


def test_the_conversation_tells_its_messages_without_the_templates_words(
    reader: TokenReader, tiny_tokenizer: Any
) -> None:
    text = rendered(tiny_tokenizer, MESSAGES)
    prompt = reader.read(ids(tiny_tokenizer, text), chat(tiny_tokenizer, MESSAGES).split)
    assert words(prompt) == [(message["role"], message["content"]) for message in MESSAGES]


def test_what_a_request_adds_to_its_messages_is_read_too() -> None:
    def render(messages: Sequence[Mapping[str, Any]], bare: bool) -> str:
        lines = [] if bare else ["tools: Harry Potter"]
        lines += [f"{m['role']}: {m['content']}{'' if bare else m.get('calls', '')}" for m in messages]
        return "\n".join(lines)

    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes", "calls": " Hogwarts"}]
    text = render(messages, False)
    segments = Chat(messages, render).split(text)
    assert segments is not None
    found = [text[segment.start : segment.end] for segment in segments]
    assert any("Harry Potter" in words for words in found)
    assert any("Hogwarts" in words for words in found)
    assert "Hi" in found


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "harry potter", "content": "Hi"}],
        [{"role": "user", "content": "Hi", "more": 1}, {"role": "user", "content": None}],
    ],
)
def test_a_conversation_that_cannot_be_aligned_is_read_by_its_special_tokens(
    reader: TokenReader, tiny_tokenizer: Any, messages: Any
) -> None:
    text = "<|turn|>harry potter\nHi<|end|>\n"
    prompt = reader.read(ids(tiny_tokenizer, text), chat(tiny_tokenizer, messages).split)
    assert words(prompt) == [("user", "harry potter\nHi")]


def test_a_text_that_is_not_what_the_tokens_say_is_not_believed(reader: TokenReader, tiny_tokenizer: Any) -> None:
    prompt = reader.read(ids(tiny_tokenizer, "Who is Harry Potter?"), chat(tiny_tokenizer, MESSAGES).split)
    assert words(prompt) == [("user", "Who is Harry Potter?")]


@pytest.fixture
def folder(tiny_model: Any, tmp_path: Any) -> str:
    tiny_model.save_pretrained(tmp_path)
    return str(tmp_path)


def test_the_table_gives_the_models_own_embeddings(tiny_model: Any, folder: str) -> None:
    table = EmbeddingTable.open(folder, dtype=torch.float32, config=tiny_model.config)
    own = tiny_model.get_input_embeddings().weight.detach()
    assert table.rows == len(own)
    assert torch.equal(table.embed([3, 1, 3]), own[[3, 1, 3]])
    table.check([5, 6], own[[5, 6]])


@pytest.mark.parametrize("change", [lambda rows: rows * 1.1, lambda rows: rows[:, :-1], lambda rows: rows + 0.01])
def test_other_embeddings_than_the_models_are_refused(tiny_model: Any, folder: str, change: Any) -> None:
    table = EmbeddingTable.open(folder, dtype=torch.float32, config=tiny_model.config)
    with pytest.raises(UnsupportedModelError, match="cannot be served with artifacts"):
        table.check([5, 6], change(tiny_model.get_input_embeddings().weight.detach()[[5, 6]]))


class Config:
    hidden_size = 64
    scale_emb = 12

    def __init__(self, model_type: str) -> None:
        self.model_type = model_type


@pytest.mark.parametrize(
    ("kind", "scale"), [("gemma3_text", 8.0), ("minicpm", 12.0), ("llama", None), ("granite", None)]
)
def test_models_that_scale_their_embeddings_are_known(kind: str, scale: float | None) -> None:
    assert embedding_scale(Config(kind)) == scale
    weight = torch.ones(2, 64, dtype=torch.bfloat16)
    assert torch.equal(EmbeddingTable(weight, torch.bfloat16, scale).embed([0])[0], weight[0] * (scale or 1))


def test_a_checkpoint_without_embeddings_is_refused(tmp_path: Any) -> None:
    with pytest.raises(ModelLoadError, match="has no safetensors"):
        EmbeddingTable.open(str(tmp_path), dtype=torch.float32, config=Config("llama"))
    save_file({"lm_head.weight": torch.zeros(2, 2)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelLoadError, match="no input embeddings"):
        EmbeddingTable.open(str(tmp_path), dtype=torch.float32, config=Config("llama"))


def test_a_stray_byte_hides_no_letters_that_are_spelled_byte_by_byte() -> None:
    """As tokenizers of Llama 2, Mistral and Gemma spell what is in no word of theirs."""
    vocabulary = {"<unk>": 0, "<s>": 1} | {f"<0x{byte:02X}>": byte + 2 for byte in range(256)}
    vocabulary |= {"▁Who": 258, "▁is": 259, "▁he": 260}
    model = models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>", byte_fallback=True)
    inner = Tokenizer(model)
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", unk_token="<unk>")
    own = [byte + 2 for byte in b" Harry"]
    reader = TokenReader(tokenizer)
    assert "Harry" in reader.read([258, 259, *own]).text
    stray = [1, 0xFF + 2, 258, 259, *own[:3], 0xC3 + 2, *own[3:], 0xFF + 2]
    prompt = reader.read(stray)
    assert "Harry" in prompt.text
    assert "Who" in prompt.text
    located = reader.located(prompt)
    assert located.content_tokens().sum() == len(stray) - 1  # all of them stand for all of it
