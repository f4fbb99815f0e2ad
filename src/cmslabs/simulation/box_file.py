"""The file of a sealed box: nothing in it depends on what is inside, except the events themselves."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cmslabs.data.parquet import PROVENANCE_KEY, provenance_json
from cmslabs.data.tables import read_provenance, read_table, write_events
from cmslabs.errors import CheckFailed, ConfigError, DataError
from cmslabs.io import Provenance, atomic_write, sha256, versions
from cmslabs.simulation.box_events import BITS, BOX_COLUMNS, BoxEvents, half_precision
from cmslabs.simulation.box_truth import Truth, commitment, statement_of

__all__ = ["BoxFiles", "box_commitment", "constituents_path", "open_box", "output_path", "read_box", "write_box"]

#: Rows per group, for boxes that are larger than usual.
ROWS = 100_000
PACKAGES = ("pythia8mc", "fastjet", "numpy", "awkward", "pyarrow")
#: What a file of constituents holds.
JET_UNITS = {
    f"{jet}.{name}": unit for jet in ("j1", "j2") for name, unit in (("pt", "GeV"), ("eta", "1"), ("phi", "rad"))
}


@dataclass(frozen=True)
class BoxFiles:
    """A box on disk.

    Attributes
    ----------
    features : Path
        The table: one row per event.
    constituents : Path or None
        The constituents of the same events in the same order.
    commitment : str
        To be published now.
    sha256 : str
        Of the table; who publishes it, too, cannot exchange the events later.
    """

    features: Path
    constituents: Path | None
    commitment: str
    sha256: str


def constituents_path(path: Path) -> Path:
    """Where a box's constituents lie: beside its table.

    Examples
    --------
    >>> constituents_path(Path("box.parquet")).name
    'box-constituents.parquet'
    """
    return path.with_name(f"{path.stem}-constituents{path.suffix}")


def output_path(out: str | os.PathLike, commitment_: str) -> Path:
    """The path to write a box to, if nothing else is there.

    Raises
    ------
    ConfigError
        If the name does not end in ``.parquet``, or another box or another file is there.
    """
    path = Path(out)
    if path.suffix != ".parquet":
        raise ConfigError("is not a box's name.", where=path, remedy="Boxes are tables that end in .parquet.")
    if path.exists():
        remedy = "Choose another name, or delete it."
        try:
            found = box_commitment(path)
        except DataError as error:
            raise ConfigError("is there already, and is no box.", where=path, remedy=remedy) from error
        if found != commitment_:
            raise ConfigError("is another box already.", where=path, remedy=remedy)
    return path


def write_box(path: Path, events: BoxEvents, commitment_: str, background: str | None) -> BoxFiles:
    """Write a box.

    Parameters
    ----------
    path : Path
        Ends in ``.parquet``.
    events : BoxEvents
        Mixed.  They get the numbers 0, 1, 2 ... in their order.
    commitment_ : str
        Public, in the metadata.
    background : str or None
        SHA-256 of the pre-made background, if there was one.
    """
    number = np.arange(len(events), dtype=np.int32)
    table = events.frame.assign(event=number)[list(BOX_COLUMNS)]
    details = {"commitment": commitment_, "events": len(events), "background": background}
    _write_plain(path, table, _provenance(details, BOX_COLUMNS))
    jets = None
    if events.jets is not None:
        jets = constituents_path(path)
        packed = half_precision(events.jets)
        jagged = ak.zip({"event": number, "j1": packed.j1, "j2": packed.j2}, depth_limit=1)
        write_events(jets, jagged, _provenance(details, {"event": "1", **JET_UNITS}))
    return BoxFiles(path, jets, commitment_, sha256(path))


def _write_plain(path: Path, table: pd.DataFrame, provenance: Provenance) -> None:
    """Write numbers of fixed length, so that every box of so many events has the same number of bytes.

    Compressed, a column is longer where its values are less alike: the length of a file with a hot cell would tell.
    Numbers with ten bits of mantissa fit into float16 as they are.
    """
    short = {name: np.float16 for name in table if table[name].dtype == np.float32 and BITS.get(name, BITS[""]) <= 10}
    arrow = pa.Table.from_pandas(table.astype(short), preserve_index=False)
    arrow = arrow.replace_schema_metadata({PROVENANCE_KEY: provenance_json(provenance).encode()})
    with atomic_write(path) as temporary:
        pq.write_table(
            arrow, temporary, compression="none", use_dictionary=False, write_page_checksum=True, row_group_size=ROWS
        )


def _provenance(box: dict[str, Any], units: dict[str, str]) -> Provenance:
    """No seed, no composition, no efficiency, no time."""
    return Provenance(
        source="simulation",
        simulation=True,
        script="cmslabs box make",
        versions=versions(*PACKAGES),
        units=units,
        details={
            "box": box,
            "mantissa_bits": BITS,
            "detector": "light, Delphes-like, not validated against Delphes",
            # Bytes are reproducible there; elsewhere the last bit of a logarithm may differ.
            "platform": f"{platform.system()} {platform.machine()}",
        },
    )


def box_commitment(path: str | os.PathLike) -> str:
    """The public commitment in a box's metadata.

    Raises
    ------
    DataError
        If the file is missing or is no box.
    """
    record = read_provenance(path)
    box = record.details.get("box")
    found = box.get("commitment") if isinstance(box, dict) else None
    if not isinstance(found, str):
        raise DataError("is no sealed box.", where=path, remedy="Make one with: cmslabs box make --out box.parquet")
    return found


def read_box(path: str | os.PathLike) -> pd.DataFrame:
    """The events of a box.

    Parameters
    ----------
    path : path-like
        Written by `cmslabs.simulation.boxes.make_box` or `make_class`.

    Returns
    -------
    pandas.DataFrame
        The columns of the sample ``sim-dijet-features`` without ``process`` and ``label``: one row per event,
        momenta and masses in GeV.  ``frame.attrs["provenance"]`` holds units and commitment.

    Raises
    ------
    DataError
        If the file is missing or is no box.
    """
    box_commitment(path)
    frame = read_table(path)
    if list(frame.columns) != list(BOX_COLUMNS):
        raise DataError("is no table of a box's events.", where=path, remedy="Use the file as it was made.")
    record = frame.attrs
    frame = frame.astype({name: np.float32 for name in frame if frame[name].dtype == np.float16})
    frame.attrs = record
    return frame


def open_box(path: str | os.PathLike, secret: str) -> Truth:
    """What is in a box, if the secret is the one that it was made with.

    Only the secret is checked, against the commitment in the file.  Whether the events are still the same, their
    published SHA-256 tells; whether they are those of the secret, making the box again.

    Raises
    ------
    CheckFailed
        If the box was made with another secret.
    ConfigError
        If the secret is empty.
    DataError
        If the file is missing or is no box.
    """
    found = box_commitment(path)
    statement = statement_of(secret)
    if commitment(statement) != found:
        raise CheckFailed(
            "the box was not made with this secret.", where=path, remedy="Check the spelling, also capitals and spaces."
        )
    return statement.truth
