"""Which installed releases are not the lock's: `python locks/compare.py [--exact] LOCK`, of the Python that runs it."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

OWN = {"unlearned", "vllm"}
"""Installed from this folder."""


def pins(lock: str) -> dict[str, Version]:
    """Package -> release, of the lines of a lock whose markers hold for this Python and platform."""
    requirements = [Requirement(line) for line in lock.splitlines() if line and not line.lstrip().startswith("#")]
    return {
        canonicalize_name(found.name): Version(next(iter(found.specifier)).version)
        for found in requirements
        if found.marker is None or found.marker.evaluate()
    }


def installed() -> dict[str, Version]:
    """Package -> release, without the build's name (`+cpu`): a lock holds for all builds."""
    found = {canonicalize_name(one.name): Version(one.version) for one in distributions()}
    return {name: Version(version.public) for name, version in found.items() if name not in OWN}


def main() -> int:
    """Print the differences; 1 if `--exact` was asked for and there are any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lock", type=Path)
    parser.add_argument("--exact", action="store_true", help="fail if a package of the lock has another release")
    asked = parser.parse_args()
    locked, here = pins(asked.lock.read_text(encoding="utf-8")), installed()
    other = {name: version for name, version in here.items() if name in locked and version != locked[name]}
    unknown = sorted(here.keys() - locked.keys())
    width = max(map(len, other), default=0)
    for name, version in sorted(other.items()):
        print(f"{name:{width}}  {version} here, {locked[name]} in {asked.lock}")
    if unknown:
        print(f"not in {asked.lock}: {', '.join(f'{name} {here[name]}' for name in unknown)}")
    if not asked.exact:
        print(f"{len(other)} of {len(here)} packages have another release than {asked.lock}.")
    elif other:
        print("This environment is not the lock's. `make clean`, and try again.")
    return int(asked.exact and bool(other))


if __name__ == "__main__":
    sys.exit(main())
