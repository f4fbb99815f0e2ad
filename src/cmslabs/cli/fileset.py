"""`cmslabs data fileset`: fill the files of a fileset in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cmslabs.cli.common import JsonOption, message, result, result_json
from cmslabs.errors import ConfigError

__all__ = ["fileset"]


def fileset(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A bundled fileset (cms-2016), or a YAML file.")],
    out: Annotated[Path, typer.Option("--out", help="The YAML file to write.")],
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", help="Only this data set; may be repeated. All if not given.")
    ] = None,
    index: Annotated[
        list[str] | None,
        typer.Option(
            "--index",
            metavar="DATASET=FILE",
            help="A file index that lies here, instead of the portal; may be repeated.",
        ),
    ] = None,
    protocol: Annotated[str, typer.Option("--protocol", help="Of the addresses: root or https.")] = "root",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file OUT.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a fileset with its files filled in from the CERN Open Data portal, ready for 'cmslabs select'.

    The portal's record of each data set is compared with the fileset on the way: name, number of files, runs.
    The list of certified runs is put beside OUT. Without a network: --index with index files from the record's page.

    Example: cmslabs data fileset cms-2016 --dataset doublemuon-2016h --dataset zzto4l --out my-fileset.yaml
    """
    from cmslabs.data.fileset import load_fileset
    from cmslabs.data.fileset_fill import fill, write_fileset

    if protocol not in ("root", "https"):
        raise ConfigError(f"there is no protocol '{protocol}'.", remedy="Write --protocol root or --protocol https")
    if out.suffix not in (".yaml", ".yml"):
        raise ConfigError("is no YAML file.", where=out, remedy="Write --out my-fileset.yaml")
    if out.exists() and not overwrite:
        raise ConfigError("is there already.", where=out, remedy="Choose another name, or add --overwrite")
    filled = fill(
        load_fileset(name), dataset or (), indexes=_indexes(index or []), protocol=protocol, progress=not quiet
    )
    remarks = [*filled.remarks, *write_fileset(filled, out, progress=not quiet)]
    counts = {key: len(one.files) for key, one in filled.fileset.datasets.items() if one.files}
    if as_json:
        result_json({"fileset": str(out), "files": counts, "remarks": remarks})
        return
    for key, count in counts.items():
        result(f"{key}: {count} file{'s' if count != 1 else ''}")
    result(f"written: {out}")
    for remark in remarks:
        message(f"remark: {remark}")


def _indexes(options: list[str]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for option in options:
        dataset, equals, file = option.partition("=")
        if not equals or not dataset or not file:
            raise ConfigError(f"--index {option} names no data set or no file.", remedy="Write --index DATASET=FILE")
        found.setdefault(dataset, []).append(Path(file))
    return found
