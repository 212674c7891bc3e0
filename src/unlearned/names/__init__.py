"""A name as its bearers' acquaintances write it: its parts, its forms, and where they stand in a text."""

from unlearned.names.forms import KINDS, Kind, form_classes, name_forms

__all__ = ["KINDS", "Kind", "form_classes", "name_forms"]
