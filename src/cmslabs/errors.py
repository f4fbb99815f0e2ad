"""Exceptions: every one says what was wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType

__all__ = [
    "CheckFailed",
    "ChecksumError",
    "CmslabsError",
    "ConfigError",
    "DataError",
    "DownloadError",
    "JobError",
    "MissingBranchError",
    "MissingExtraError",
    "OfflineError",
    "SimulationError",
    "close_names",
    "missing_column",
    "require",
]


class CmslabsError(Exception):
    """Base of all errors that cmslabs raises on purpose.

    Parameters
    ----------
    what : str
        What was wrong, as one sentence.
    where : str, optional
        The file, branch, event range or configuration key.
    remedy : str, optional
        What the reader can do now.
    """

    #: Exit status of the command line when this error reaches it.
    exit_code = 2

    def __init__(self, what: str, *, where: object = None, remedy: str | None = None):
        self.what = what
        self.where = None if where is None else str(where)
        self.remedy = remedy
        super().__init__(what, where, remedy)

    def __str__(self) -> str:
        text = self.what if self.where is None else f"{self.where}: {self.what}"
        return text if self.remedy is None else f"{text} {self.remedy}"

    def __reduce__(self):
        # Keyword arguments are lost by the default pickling, and workers send errors home pickled.
        return _rebuild, (type(self), self.what, self.where, self.remedy)


def _rebuild(cls, what, where, remedy):
    return cls(what, where=where, remedy=remedy)


class ConfigError(CmslabsError):
    """A configuration file or option does not say something we can run."""


class DataError(CmslabsError):
    """An input file or table does not hold what was expected."""


class MissingBranchError(DataError):
    """A branch or column that was asked for is not in the file."""


class DownloadError(CmslabsError):
    """A file could not be fetched."""


class ChecksumError(DownloadError):
    """A file's content is not what its card says."""


class OfflineError(DownloadError):
    """A file is not in the cache and the network may not be used."""


class JobError(CmslabsError):
    """A chunk of a parallel job failed; what is finished is kept."""


class SimulationError(CmslabsError):
    """The event generator refused a process or produced nothing."""


class CheckFailed(CmslabsError):
    """A check that the user asked for has a negative result."""

    exit_code = 1


class MissingExtraError(CmslabsError, ImportError):
    """An optional dependency is not installed."""


def close_names(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Names in `known` that a reader who typed `name` may have meant.

    Examples
    --------
    >>> close_names("Muon_Pt", ["Muon_pt", "Muon_eta", "nMuon"], n=1)
    ['Muon_pt']
    """
    by_lower: dict[str, list[str]] = {}
    for candidate in known:
        by_lower.setdefault(candidate.lower(), []).append(candidate)
    close = difflib.get_close_matches(name.lower(), by_lower, n=n, cutoff=0.6)
    return [candidate for lower in close for candidate in by_lower[lower]][:n]


def missing_column(name: str, columns: Iterable[object], where: object = None) -> MissingBranchError:
    """The error of a table without a column, with the name that was perhaps meant.

    Examples
    --------
    >>> raise missing_column("MET", ["met", "ht"])
    Traceback (most recent call last):
    ...
    cmslabs.errors.MissingBranchError: the table has no column 'MET'. Is it called 'met'?
    """
    names = [str(column) for column in columns]
    near = close_names(name, names, n=1)
    remedy = f"Is it called '{near[0]}'?" if near else f"It has: {', '.join(names[:20]) or 'none'}."
    return MissingBranchError(f"the table has no column '{name}'.", where=where, remedy=remedy)


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, or name the extra that brings it.

    Parameters
    ----------
    module : str
        Dotted name, for example ``"fastjet"``.
    extra : str
        The extra of cmslabs that installs it, for example ``"jets"``.

    Raises
    ------
    MissingExtraError
        If the module is not installed.  A module that is installed but fails while it is
        imported raises its own error: hiding that would send the reader the wrong way.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(error.name + ".")):
            raise
        raise MissingExtraError(
            f"this needs the package '{module}', which is not installed.",
            remedy=f'Install it with: pip install "cmslabs[{extra}]"',
        ) from error
