"""Which errors does ptyrun raise, and which exit code does each end in?"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import IntEnum

from ptyrun.texts import below_its_first_line, printable

TYPE_CHECKING = False  # typing's own costs an import, and this is where a process begins
if TYPE_CHECKING:
    from typing import Self


class ExitCode(IntEnum):
    """What a ptyrun process tells its caller; documents and help take the table from here."""

    means: str

    def __new__(cls, code: int, means: str) -> Self:
        """Make a number that knows what it means."""
        self = int.__new__(cls, code)
        self._value_ = code
        self.means = means
        return self

    COMPLETE = 0, "done; a comparison is complete, judged by its content"
    FAILED = 1, "an error that is explained: what, why, what to do"
    USAGE = 2, "wrong usage or input, found before any work"
    BLOCKED = 3, "a content check failed: see `blocked/`; or `verify` found damage"
    # EX_TEMPFAIL of sysexits.h.
    INCOMPLETE = 75, "the window closed, a signal came or chunks are missing: run it again"


class CutOffError(Exception):
    """Window or signal ended a wait, for a model that is loaded or for what it computes."""


class NotOpenedError(CutOffError):
    """Raised by what opens a work: window or signal ended its wait for what the model needs."""


class Leaving(SystemExit):
    """A signal ends this process: whoever catches what foreign code raises lets this through."""


class PtyrunError(Exception):
    """Base class: what happened, why, and what to do.

    Parameters
    ----------
    what, why, do : str
        Kept as positional ``args``, so that the error survives pickling.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, what: str, why: str, do: str) -> None:
        super().__init__(what, why, do)

    @property
    def what(self) -> str:
        """What happened."""
        return str(self.args[0])

    @property
    def why(self) -> str:
        """Why it happened."""
        return str(self.args[1])

    @property
    def do(self) -> str:
        """What to do about it."""
        return str(self.args[2])

    def with_hint(self, more: str) -> Self:
        """Give the same error with more to do about it.

        Parameters
        ----------
        more : str
            Stands after what is to be done already.

        Returns
        -------
        PtyrunError
            Of the same class.
        """
        return type(self)(self.what, self.why, f"{self.do}; {more}", *self.args[3:])

    def __str__(self) -> str:
        named = zip(("", "  why: ", "  do:  "), self.args[:3], strict=True)
        lines = (name + below_its_first_line(str(part), "       ") for name, part in named)
        return printable("\n".join(lines))


class UsageError(PtyrunError):
    """Wrong usage or configuration, found before any work."""

    exit_code = ExitCode.USAGE


class InputError(UsageError):
    """A file given to ptyrun is missing, unreadable or not what it should be."""


class ForeignFileError(InputError):
    """Something in a run's folder is not a file of its own: a link, a FIFO, a device, a bomb."""


class UnplannedError(InputError):
    """Nothing is planned in *folder*."""

    def __init__(self, what: str, why: str, do: str, folder: str) -> None:
        super().__init__(what, why, do)
        self.args = (what, why, do, folder)
        self.folder = folder


class GeometryError(UsageError):
    """Shapes, sizes or positions do not fit together."""


class IdentityError(UsageError):
    """A run's inputs or configuration changed since it was planned."""


class ReplacedError(IdentityError):
    """The plan of a run was replaced under a session; what was not yet committed is dropped."""

    exit_code = ExitCode.INCOMPLETE


class SchemaError(UsageError):
    """A document on disk is newer than this ptyrun, or not such a document."""


class GarbledError(SchemaError):
    """A document on disk is none of any version: cut off, or written by something else."""


class NewerError(SchemaError):
    """A newer ptyrun wrote a document or a line of a ledger: it is whole, and cannot be read."""

    DO = "upgrade ptyrun, or use the one that wrote it; nothing was touched"

    @classmethod
    def of(cls, name: str, schema: int, newest: int) -> Self:
        """Say so of the document called *name*, where schemas up to *newest* are read."""
        return cls(
            f"{name} has schema {schema}: it was written by a newer ptyrun",
            why=f"this ptyrun reads schemas up to {newest}",
            do=cls.DO,
        )

    @classmethod
    def because(cls, name: str, why: object) -> Self:
        """Say so of the document called *name*, in which something is not known here."""
        return cls(f"{name} was written by a newer ptyrun", why=str(why), do=cls.DO)


class ModelError(UsageError):
    """A model file cannot be used: absent, untrusted, or made for other shapes."""


class UnknownPredictorError(UsageError):
    """No installed package offers a predictor of that name."""


class PredictorUnavailableError(UsageError):
    """The predictor exists but cannot be imported, or is none; or its framework is missing."""


class PredictionError(PtyrunError):
    """A predictor breaks its contract (number, shape, dtype, finiteness), or wants to exit."""


class PredictorDiedError(PredictionError):
    """The process of a predictor ended, or had to be ended, without an answer.

    Attributes
    ----------
    began : bool
        Whether it had begun with what it was asked.
    by_chance : bool
        Whether anybody may have ended it, and not what it computed.
    """

    began = True
    by_chance = False


class StorageError(PtyrunError):
    """The disk refused: full, read-only, or failing."""


class GoneError(StorageError):
    """A file or folder that was there is gone: renamed, moved or deleted by another program."""


class OutOfMemoryError(PtyrunError):
    """The host has no room for one chunk's outputs."""


class DamageError(PtyrunError):
    """Something committed is missing or not what the ledger says."""


class BusyError(PtyrunError):
    """Another process holds what this one needs."""


class ClosedWhileWaitingError(BusyError):
    """The window closed, or a signal came, while another process held what this one needs."""

    exit_code = ExitCode.INCOMPLETE


class ClusterError(PtyrunError):
    """A cluster cannot be reached, or has nobody who works."""


class NoProgressError(PtyrunError):
    """Repeated windows closed without a single new chunk."""


class WindowClosedError(PtyrunError):
    """The window is used up between two steps; what was done is kept."""

    exit_code = ExitCode.INCOMPLETE


class WindowTooShortError(NoProgressError):
    """Nothing can be achieved in a window as long as this one; in *enough_s* it can.

    Loops that repeat windows take *enough_s* for the next one.
    """

    def __init__(self, what: str, why: str, do: str, enough_s: float) -> None:
        PtyrunError.__init__(self, what, why, do)
        self.args = (what, why, do, enough_s)
        self.enough_s = enough_s


class UnfinishedError(PtyrunError):
    """What is asked for does not exist yet: more windows will make it."""

    exit_code = ExitCode.INCOMPLETE


class BlockedError(PtyrunError):
    """A content check failed; the reason is written to ``blocked/``."""

    exit_code = ExitCode.BLOCKED


def refuse_unknown(
    named: Iterable[str],
    known: Collection[str],
    what: str,
    why: str = "",
    do: str = "name one of these",
) -> None:
    """Refuse a name that is not among the *known* ones.

    It stands in *what* for ``{0}``, as a word of an option for ``{1}``.

    Without a *why* all that are known are named.

    Raises
    ------
    UsageError
        Naming those that are, or the one that is probably meant.

    Examples
    --------
    >>> refuse_unknown(["pin"], ["pinn", "unet"], "there is no arm {}")
    Traceback (most recent call last):
    ptyrun.errors.UsageError: there is no arm 'pin'
      why: there are pinn, unet; did you mean 'pinn'?
      do:  name one of these
    """
    for name in named:
        if name not in known:
            why = why or f"there are {', '.join(known)}"
            raise UsageError(
                what.format(repr(name), name), why=why + nearest(str(name), known), do=do
            )


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant, as the end of a sentence; nothing if none is near.

    Examples
    --------
    >>> nearest("bacth", ("batch", "chunk"))
    "; did you mean 'batch'?"
    """
    from difflib import get_close_matches  # at the start of each process, and rarely needed

    found = get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
