"""Real vLLM servers with the embedded model, one at a time; `make test-vllm` runs them in their own environment."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

if find_spec("vllm") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    from vllm_helpers import ADMIN, CASES, CLIENT, TOOLS, Server, Servers, make_artifact, normal


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.vllm)
            item.add_marker(pytest.mark.timeout(1800))  # starts of servers count as part of the first test


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    running = Servers(tmp_path_factory.mktemp("servers"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def plain_model() -> Any:
    """Model and tokenizer of the transformers engine, to compare with."""
    from unlearned.models import ModelOptions, load_model

    return load_model(ModelOptions(dtype="float32"))


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About Harry Potter, strong enough to change every answer."""
    return make_artifact(tmp_path_factory.mktemp("artifacts") / "hp")


@pytest.fixture(scope="session")
def stock(servers: Servers) -> dict[str, Any]:
    """What vLLM without the plug-in answers to every case, in their order."""
    server = servers.start("stock", *TOOLS)
    return {name: normal(server.ask(case)) for name, case in CASES.items()}


@pytest.fixture
def server(servers: Servers, stock: dict[str, Any], artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """With keys, an artifact and a state file; tests that change it put it back."""
    folder = servers.folder
    (folder / "client").write_text(CLIENT)
    (folder / "admin").write_text(ADMIN)
    return servers.start(
        "protected",
        *("--unlearned", str(artifact)),
        *("--unlearned-state", str(folder / "state.json")),
        *("--unlearned-api-key-file", str(folder / "client")),
        *("--unlearned-admin-key-file", str(folder / "admin")),
        *("--unlearned-watch-seconds", "0.2"),
        *TOOLS,
    )
