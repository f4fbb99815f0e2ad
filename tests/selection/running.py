"""Run the processor with coffea's own Runner, and nothing else of ours."""

from __future__ import annotations

from importlib.resources import files

from coffea.processor import IterativeExecutor, Runner

from cmslabs.objects.schema import CmslabsSchema
from cmslabs.selection.inputs import DatasetInfo
from cmslabs.selection.processor import SelectionProcessor


def sample(name):
    """Path of a bundled sample."""
    return str(files("cmslabs.data") / "samples" / f"{name}.root")


def simulation(name="mc", **more):
    return DatasetInfo(name, is_data=False, simulated=True, **more)


def data(name="data", primary="DoubleMuon", **more):
    return DatasetInfo(name, is_data=True, simulated=True, primary=primary, **more)


def run(analysis, inputs, folder=None, chunk_size=100_000, **options):
    """``{DatasetInfo: [files]}`` -> the results of `SelectionProcessor.process`, added up."""
    infos = {info.name: info for info in inputs}
    processor = SelectionProcessor(analysis, infos, folder=folder, **options)
    runner = Runner(
        IterativeExecutor(status=False, retries=0),
        pre_executor=IterativeExecutor(status=False, retries=0),
        schema=CmslabsSchema,
        chunksize=chunk_size,
        metadata_cache={},
    )
    fileset = {
        info.name: [str(path) for path in paths] for info, paths in zip(infos.values(), inputs.values(), strict=True)
    }
    # uproot would keep 100 MB of arrays for a second reading that never comes.
    return runner(fileset, processor.process, treename="Events", uproot_options={"array_cache": None})
