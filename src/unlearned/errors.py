"""Every error a user can meet. Each inherits `UnlearnedError` and the built-in it refines, and says what to do next."""

from __future__ import annotations


class UnlearnedError(Exception):
    """Base of all errors of this package; catching it catches them all.

    Each error also inherits the built-in error that it refines, such as `ValueError` or `OSError`. Its message says
    what was found, and what to do next.

    Examples:
        >>> from unlearned import UnlearnedError, load
        >>> try:
        ...     load("artifacts/no-such-folder")
        ... except UnlearnedError as error:
        ...     print(error)
    """


class ConfigError(UnlearnedError, ValueError):
    """A setting is outside its range or contradicts another one."""


class DataError(UnlearnedError, ValueError):
    """An input row or file is not what it should be; the message names file, line and column."""


class PromptError(UnlearnedError, ValueError):
    """A prompt cannot be taken apart into tokens and the user's words."""


class ContextError(PromptError):
    """A prompt, with the answer that was asked for, is longer than the model can read."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(f"Prompt {index}: {message} Shorten the prompt, or ask for a shorter answer.")
        self.reason = f"{message} Shorten the prompt, or ask for a shorter answer."
        self.index = index
        """Which of the prompts, from 0."""

        self._message = message

    def at(self, index: int) -> ContextError:
        """This error for a prompt at another place of a longer list."""
        return ContextError(self._message, index)


class DetectionError(UnlearnedError, RuntimeError):
    """Detection did not finish, so nothing was generated (fail closed)."""


class CorruptionError(UnlearnedError, ValueError):
    """A corruption got shapes or a strength that it cannot apply."""


class InjectionError(UnlearnedError, RuntimeError):
    """The corrupted embeddings did not reach, or may not reach, the model."""


class UnsupportedModelError(InjectionError):
    """The self-check found that this model would not be protected."""


class FitError(UnlearnedError, RuntimeError):
    """Learning an artifact failed or reached no usable result."""


class ModelLoadError(UnlearnedError, OSError):
    """A language model or encoder cannot be loaded."""


class ArtifactError(UnlearnedError, ValueError):
    """An artifact on disk cannot be used."""


class ArtifactSchemaError(ArtifactError):
    """`unlearner.json` is not valid: unknown, missing or ill-typed fields."""


class ArtifactVersionError(ArtifactError):
    """The artifact was written in a format version that this library does not read."""


class ArtifactIntegrityError(ArtifactError):
    """A file is missing, truncated or does not match its recorded hash."""


class ArtifactMismatchError(ArtifactError):
    """The artifact was made for another model or encoder."""


class UnknownNameError(UnlearnedError, KeyError):
    """A registry has no entry of this name."""

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0])


class MissingExtraError(UnlearnedError, ImportError):
    """An optional dependency is not installed."""


class ArtifactWarning(UserWarning):
    """An artifact is used where it was not made for; it may work less well."""


class FitWarning(UserWarning):
    """Learning went through, but its result may not be what was meant."""


class DataWarning(UserWarning):
    """A file was read, but not all of it means something."""


def first_line(error: BaseException) -> str:
    """What another library's error says, in one line: libraries add pages of advice."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
