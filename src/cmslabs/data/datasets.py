"""Events of a dataset by its name: the same layout whether its files are NanoAOD or CMS education tables."""

from __future__ import annotations

from collections.abc import Sequence

import awkward as ak

from cmslabs.data.cms_csv import is_cms_csv, read_cms_csv
from cmslabs.data.download import dataset_path
from cmslabs.data.nanoaod import read_nanoaod
from cmslabs.errors import DataError, MissingBranchError, close_names

__all__ = ["read_dataset"]


def read_dataset(
    name: str, collections: Sequence[str] | None = None, stop: int | None = None, file: str | None = None
) -> ak.Array:
    """Read events of a dataset that is bundled or in the cache.  Never downloads.

    Parameters
    ----------
    name : str
        Name of a card, for example ``"sim-dimuon"`` or ``"cms-doublemuon-2016h"``.
    collections : sequence of str, optional
        ``["Muon"]``: what to read besides run and event number; everything if not given.
    stop : int, optional
        Read the first `stop` events only.
    file : str, optional
        One of the dataset's files; the first one if not given.

    Returns
    -------
    ak.Array
        As from `cmslabs.data.nanoaod.read_nanoaod`, or `cmslabs.data.cms_csv.read_cms_csv`.

    Raises
    ------
    DownloadError
        If the file is not on this machine; the message says the command that fetches it.
    DataError
        If it is neither NanoAOD nor a CMS education table.
    MissingBranchError
        If a collection is not there.

    Examples
    --------
    >>> read_dataset("sim-dimuon", ["Muon"], stop=3).fields
    ['run', 'luminosityBlock', 'event', 'Muon']
    """
    path = dataset_path(name, file)
    if path.suffix == ".root":
        return read_nanoaod(path, collections, stop=stop)
    if path.suffix != ".csv" or not is_cms_csv(path):
        raise DataError(
            "is neither NanoAOD nor a CMS education table.", where=path, remedy="Use the reader of its format."
        )
    events = read_cms_csv(path)[:stop]
    if collections is None:
        return events
    for wanted in collections:
        if wanted not in events.fields:
            close = close_names(wanted, events.fields) or events.fields
            raise MissingBranchError(f"has no '{wanted}'.", where=path, remedy=f"It has: {', '.join(close)}.")
    return events[["run", "event", *(field for field in collections if field not in ("run", "event"))]]
