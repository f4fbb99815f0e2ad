"""The box that comes with the package, and the envelope with its secret.

The envelope is there so that the last chapter can open the box.  Base64 is no encryption: it keeps the secret from
being read by accident, nothing more.  Whoever wants a box that cannot be opened in advance makes one.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from cmslabs.data.catalog import samples_folder
from cmslabs.errors import DataError
from cmslabs.io import read_json, write_json
from cmslabs.simulation.box_file import box_commitment, open_box
from cmslabs.simulation.box_truth import Truth, commitment, statement_of

__all__ = ["bundled_box", "bundled_commitment", "open_bundled_box", "seal", "unseal"]

NAME = "sealed-box"
ENVELOPE = f"{NAME}.envelope.json"
REMARK = "The secret is base64, so that nobody reads it by accident. It is not encryption: do not look if you play."


def bundled_box() -> Path:
    """The bundled box, for `cmslabs.simulation.boxes.read_box`."""
    return samples_folder() / f"{NAME}.parquet"


def bundled_commitment() -> str:
    """What was committed to before anybody looked into the bundled box: SHA-256 of truth and salt."""
    return box_commitment(bundled_box())


def open_bundled_box() -> Truth:
    """Break the envelope: what the bundled box holds.

    Raises
    ------
    CheckFailed
        If envelope and box do not belong together.
    DataError
        If one of them is missing or damaged.
    """
    return open_box(bundled_box(), unseal(samples_folder() / ENVELOPE))


def seal(path: str | os.PathLike, secret: str) -> None:
    """Put a secret into an envelope, with its commitment in clear."""
    content = {
        "commitment": commitment(statement_of(secret)),
        "remark": REMARK,
        "secret_base64": base64.b64encode(secret.encode()).decode(),
    }
    write_json(path, content)


def unseal(path: str | os.PathLike) -> str:
    """The secret in an envelope.

    Raises
    ------
    DataError
        If it is no envelope, or its secret does not fit its commitment.
    """
    content = read_json(path)
    try:
        secret = base64.b64decode(content["secret_base64"], validate=True).decode()
        intact = commitment(statement_of(secret)) == content["commitment"]
    except (KeyError, TypeError, binascii.Error, UnicodeDecodeError) as error:
        raise DataError("is no envelope of a box.", where=path, remedy="Use the file as it was written.") from error
    if not intact:
        raise DataError("its secret does not fit its commitment.", where=path, remedy="Use the file as it was written.")
    return secret
