"""A command's options, made from the settings of the configurations that it takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar, cast, get_args, get_origin

import typer
from typer.models import OptionInfo

from unlearned.cli.choices import one_of
from unlearned.cli.options import GROUP_OF, names
from unlearned.cli.settings import settings as read_settings
from unlearned.settings import GROUPS, KEY, Setting, settings_of

Config = TypeVar("Config")
Command = TypeVar("Command", bound=Callable[..., None])

PLAIN: Mapping[str, type] = {"int": int, "float": float, "bool": bool, "Path": Path}
"""Every other type is a text: a Literal, a text that may be a number, a tuple, a mapping."""


class Only:
    """Beside a configuration in a command's signature: which of its settings are options there.

    Args:
        names: fields; none = all of them.
        without: fields that are none.
        defaults: values that this command has in place of the configuration's own.
    """

    def __init__(self, *names: str, without: tuple[str, ...] = (), **defaults: Any) -> None:
        self.names, self.without, self.defaults = names, without, defaults

    def __contains__(self, name: str) -> bool:
        return (not self.names or name in self.names or name in self.defaults) and name not in self.without


class Chosen(Generic[Config]):
    """What the user chose of a configuration's settings. It is only built, and checked, by `make`."""

    def __init__(self, kind: type[Config], values: Mapping[str, Any]) -> None:
        self.kind, self.values = kind, dict(values)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def make(self, **others: Any) -> Config:
        """The configuration, with values for fields that are no options."""
        return self.kind(**(self.values | others))


def with_settings(command: Command) -> Command:
    """Give a command the options of the configurations among its parameters.

    A parameter `Chosen[SomeConfig]` stands for the settings of `SomeConfig`; one `SomeConfig` does, too, and is built
    before the command is run. In the help each group of options has the command's own first.
    """
    signature = inspect.signature(command, eval_str=True)
    options: list[inspect.Parameter] = []
    made: list[inspect.Parameter] = []
    taken: dict[str, tuple[type[Any], bool, dict[str, str]]] = {}  # parameter -> config, built at once, field -> option
    instead: dict[str, Any] = {}
    for own in signature.parameters.values():
        found = _config(own.annotation)
        if found is None:
            options.append(own.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=_grouped(own)))
        else:
            config, at_once, only = found
            chosen = {one.name: _option(one, known, only) for one, known in _settings(config) if one.name in only}
            taken[own.name] = (config, at_once, {field: option.name for field, option in chosen.items()})
            instead |= {chosen[field].name: default for field, default in only.defaults.items()}
            made += chosen.values()
    options = sorted([*options, *made], key=_place)

    @wraps(command)
    def wrapper(**given: Any) -> None:
        configs = {}
        for name, (config, at_once, option_of) in taken.items():
            known = {one.name: one for one in fields(config)}
            values = {field: _value(known[field], given.pop(option)) for field, option in option_of.items()}
            configs[name] = config(**values) if at_once else Chosen(config, values)
        command(**configs, **given)

    wrapper.__signature__ = signature.replace(parameters=options)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {option.name: option.annotation for option in options}
    # What was taken from where, for whoever checks it.
    wrapper.taken, wrapper.instead = taken, instead  # type: ignore[attr-defined]
    del wrapper.__wrapped__  # typer would read the inner signature
    return cast(Command, wrapper)


def _grouped(own: inspect.Parameter) -> Any:
    """The annotation of a command's own parameter, with the group of its name if it has none."""
    if get_origin(own.annotation) is not Annotated:
        return own.annotation
    kind, info = get_args(own.annotation)
    group = next((group for group, names in GROUP_OF.items() if own.name in names.split()), None)
    if info.rich_help_panel is None and isinstance(info, OptionInfo):
        info = copy(info)  # others may share it
        info.rich_help_panel = group
    return Annotated[kind, info]


def _place(option: inspect.Parameter) -> int:
    """Position of an option's group in the help; options without a group come first."""
    info = get_args(option.annotation)[1] if get_origin(option.annotation) is Annotated else None
    group = getattr(info, "rich_help_panel", None)
    return GROUPS.index(group) if group in GROUPS else -1


def option_names(config: type[Any]) -> list[str]:
    """How a command's parameters are called that are made from these settings; for `given_options`."""
    return [_name(one, known) for one, known in _settings(config)]


def _config(annotation: Any) -> tuple[type[Any], bool, Only] | None:
    """The configuration that a parameter stands for, whether it is built at once, and which settings are options."""
    only = Only()
    if get_origin(annotation) is Annotated:
        annotation, *further = get_args(annotation)
        only = next((one for one in further if isinstance(one, Only)), only)
    if get_origin(annotation) is Chosen:
        return get_args(annotation)[0], False, only
    return (annotation, True, only) if isinstance(annotation, type) and is_dataclass(annotation) else None


def _settings(config: type[Any]) -> list[tuple[Field[Any], Setting]]:
    known = settings_of(config)
    return [(one, known[one.name]) for one in fields(config) if one.name in known]


def _name(one: Field[Any], known: Setting) -> str:
    long = known.flag.split()[0] if known.flag else one.name
    return long.split("/")[0].lstrip("-").replace("-", "_")


def _option(one: Field[Any], known: Setting, only: Only) -> inspect.Parameter:
    text = str(one.type).removesuffix(" | None")
    kind: Any = PLAIN.get(text, str)
    default = one.default if one.default_factory is MISSING else one.default_factory()
    default = only.defaults.get(one.name, default)
    if text.startswith("Mapping[") or known.several:
        kind, default = list[PLAIN.get(text[len("tuple[") :].partition(",")[0], str)], None  # type: ignore[misc]
    elif isinstance(default, tuple):
        default = ",".join(default) or None
    flags = [known.flag] if "/" in known.flag else known.flag.split()
    if kind is bool and default is False and not flags:
        flags = [f"--{one.name.replace('_', '-')}"]  # without a --no-
    info = typer.Option(
        *flags,
        help=known.help,
        min=known.min if kind in (int, float) else None,
        max=known.max if kind in (int, float) else None,
        callback=one_of(known, several=text.startswith("tuple["), number="float" in text) if known.noun else None,
        rich_help_panel=known.group,
    )
    return inspect.Parameter(
        _name(one, known),
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if default is MISSING else default,
        annotation=Annotated[kind | None if default is None else kind, info],
    )


def _value(one: Field[Any], given: Any) -> Any:
    """What the user gave, as the field has it."""
    known: Setting = one.metadata[KEY]
    if str(one.type).startswith("Mapping["):
        default = one.default_factory() if one.default_factory is not MISSING else {}
        return {**default, **read_settings(given, f"--{_name(one, known).replace('_', '-')}")}
    if str(one.type).startswith("tuple["):
        if given is None:
            return None if str(one.type).endswith("None") else ()
        return tuple(given) if known.several else names(given)
    return given
