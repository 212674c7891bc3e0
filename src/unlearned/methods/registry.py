"""Which methods there are: those of this package, and what installed packages add.

A package adds one by an entry point of the group `unlearned.methods`: the name that users type, and a subclass of
`Method`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from importlib.metadata import EntryPoint, entry_points
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from unlearned.errors import ConfigError, UnknownNameError, first_line
from unlearned.methods.base import Method
from unlearned.registry import Registry

GROUP = "unlearned.methods"

BUILT_IN = {
    "ft": "gradient:Finetune",
    "ga": "gradient:GradientAscent",
    "gd": "gradient:GradientDifference",
    "kl": "gradient:AscentKL",
    "po": "preference:IDK",
    "rl": "preference:RandomLabels",
    "dpo": "preference:DPO",
    "npo": "npo:NPO",
    "npo-gd": "npo:NPORetain",
    "npo-kl": "npo:NPOKL",
    "simnpo": "npo:SimNPO",
    "undial": "undial:UNDIAL",
    "rmu": "rmu:RMU",
    "mismatch": "mismatch:Mismatch",
    "llmu": "llmu:LLMU",
    "scrub": "scrub:SCRUB",
    "sku": "sku:SKU",
    "task-vector": "task_vector:TaskVector",
    "ssd": "ssd:SSD",
}


def methods() -> Registry[type[Method]]:
    """All methods by name. Read anew at every call: what was installed meanwhile counts.

    Raises:
        ConfigError: two packages give the same name.
    """
    registry: Registry[type[Method]] = Registry("method")
    for name, place in BUILT_IN.items():
        registry.register(name, f"unlearned.methods.{place}")
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            registry.register(point.name, f"{point.module}:{point.attr}")
        except ConfigError as error:
            raise ConfigError(
                f"The package {_package(point)} adds a method {point.name!r}, but there is one of this name already. "
                "Uninstall the package, or rename its entry point."
            ) from error
    return registry


def method_type(name: str) -> type[Method]:
    """The class of the method called `name`.

    Raises:
        UnknownNameError: there is none.
        ConfigError: the package that adds it gives something that cannot be used.
    """
    registry = methods()
    try:
        found: Any = registry.get(name)
    except UnknownNameError:
        raise
    except Exception as error:  # whatever the code of another package does
        raise ConfigError(
            f"The method {name!r} cannot be imported: {first_line(error).rstrip('.')}. Repair or remove its package."
        ) from error
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise ConfigError(f"The method {name!r} is {found!r}, but must be a subclass of unlearned.methods.base.Method.")
    missing = [attribute for attribute in ("summary", "paper", "formula") if not hasattr(found, attribute)]
    if missing:
        raise ConfigError(f"The method {name!r} does not say its {', '.join(missing)}: set these class variables.")
    return found


def make_method(name: str, settings: Mapping[str, Any] | None = None) -> Method:
    """The method with these settings; texts, as from a command line, are read as the setting's type.

    Raises:
        UnknownNameError: there is no such method.
        ConfigError: it has no such setting, the value does not fit, or one without a default is missing.
    """
    kind = method_type(name)
    values = read_settings(kind, name, settings or {})
    required = [f.name for f in fields(kind) if f.init and f.default is MISSING and f.default_factory is MISSING]
    if missing := [field for field in required if field not in values]:
        raise ConfigError(
            f"The method {name!r} has no default for {', '.join(missing)}. Give --set {missing[0]}=VALUE."
        )
    return kind(**values)


def read_settings(kind: type[Any], name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the dataclass `kind`, called `name` towards the user, as values of their types.

    Raises:
        ConfigError: there is no such setting, or the value does not fit.
    """
    known = [field.name for field in fields(kind)]
    hints = get_type_hints(kind)
    values = {}
    for key, value in settings.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ConfigError(f"{name} has no setting {key!r}.{hint} Its settings: {', '.join(known) or 'none'}.")
        try:
            values[key] = TypeAdapter(hints[key], config=ConfigDict(allow_inf_nan=False)).validate_python(value)
        except ValidationError as error:
            raise ConfigError(f"{key}={value!r} of {name}: {error.errors()[0]['msg']}.") from error
    return values


def _package(point: EntryPoint) -> str:
    return repr(point.dist.name) if point.dist is not None else f"of {point.value}"
