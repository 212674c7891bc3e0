"""Fitted unlearners on disk."""

from unlearned.artifact.artifact import Artifact, combined, flatten, load, read_record

__all__ = ["Artifact", "combined", "flatten", "load", "read_record"]
