"""`cmslabs box`: make, commit, check and open sealed boxes, and write down claims about them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cmslabs.cli.common import JsonOption, message, new_app, result, result_json
from cmslabs.errors import CheckFailed, DataError

__all__ = ["app"]

app = new_app("Sealed boxes: make, commit, check, open; a log sheet for claims.")

Seed = Annotated[
    str | None,
    typer.Option(
        "--seed",
        help="The secret that decides everything: a phrase of at least 12 characters.  If you leave it out, it is "
        "asked for and not shown, and stays out of the shell's history.",
        show_default=False,
    ),
]
Workers = Annotated[int, typer.Option(min=1, help="Processes; the result does not depend on it.")]
Events = Annotated[int, typer.Option(min=50, help="Events of a box.")]


def _secret(seed: str | None, *, new: bool = False) -> str:
    """The secret from the option or from a hidden question; a new one is asked for twice."""
    return typer.prompt("secret", hide_input=True, confirmation_prompt=new, err=True) if seed is None else seed


def _warn_if_guessable(secret: str) -> None:
    from cmslabs.simulation.box_secret import SAFE_LENGTH, is_guessable

    if is_guessable(secret):
        message(
            f"remark: this secret has fewer than {SAFE_LENGTH} characters. A program finds it by trying, because the "
            "commitment is public. That is good enough for play; for a class use longer ones."
        )


@app.command()
def make(
    out: Annotated[Path, typer.Option(help="The box to write: a table that ends in .parquet.")],
    seed: Seed = None,
    events: Events = 40_000,
    constituents: Annotated[
        bool, typer.Option("--constituents", help="Also the 100 hardest constituents of both jets.")
    ] = False,
    workers: Workers = 1,
    background: Annotated[
        Path | None,
        typer.Option(
            help="Folder of 'cmslabs simulate qcd-dijets': use its events instead of simulating.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a box: dijet events with nothing, a W' or a detector fault among them, which the secret alone decides.

    The same secret gives the same file.  Nothing in it tells what is inside, except the events.  Publish the
    commitment that is printed before you look.  40 000 events take some minutes; after an interruption the same
    command goes on where it was.

    Example: cmslabs box make --out box.parquet --workers 2
    """
    from cmslabs.simulation.boxes import make_box

    secret = _secret(seed, new=True)
    _warn_if_guessable(secret)
    options = {"events": events, "constituents": constituents, "background": background, "workers": workers}
    try:
        made = make_box(secret, out, **options, progress=True)
    except KeyboardInterrupt:
        message("interrupted: finished chunks are kept beside --out, and the same command goes on from there")
        raise
    files = {"features": made.features} | ({} if made.constituents is None else {"constituents": made.constituents})
    if as_json:
        names = {kind: str(path) for kind, path in files.items()}
        result_json({"files": names, "events": events, "commitment": made.commitment, "sha256": made.sha256})
        return
    for kind, path in files.items():
        result(f"{path}: {kind}, {events} events")
    result(f"commitment: {made.commitment}")
    result(f"sha256 of the file: {made.sha256}")


@app.command()
def commit(
    seed: Seed = None,
    out: Annotated[Path | None, typer.Option(help="Also write it as JSON.", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the commitment of a secret: the SHA-256 of what is in its box and of a salt.  No box is needed.

    Publish it first.  It tells nobody anything, and nobody can change the truth afterwards.

    Example: cmslabs box commit --out commitment.json
    """
    from cmslabs.io import write_json
    from cmslabs.simulation.box_truth import commitment, statement_of

    secret = _secret(seed, new=True)
    _warn_if_guessable(secret)
    mark = commitment(statement_of(secret))
    if out is not None:
        write_json(out, {"commitment": mark})
    result_json({"commitment": mark}) if as_json else result(mark)


@app.command()
def check(
    statement: Annotated[Path, typer.Argument(help="JSON with truth and salt, from 'cmslabs box open --statement'.")],
    commitment: Annotated[
        str, typer.Argument(help="64 hexadecimal digits, or the file of 'cmslabs box commit --out', or a box.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Check a statement against a commitment: exit 0 if it is what was committed to, 1 if not, 2 for bad input.

    Example: cmslabs box check statement.json commitment.json
    """
    from cmslabs.simulation.box_truth import check_statement, read_statement

    found = read_statement(statement)
    fits = check_statement(found, _published(commitment))
    if as_json:
        result_json({"fits": fits, "truth": found.truth.model_dump(mode="json", exclude_none=True)})
    if not fits:
        raise CheckFailed(
            "is not what was committed to.", where=statement, remedy="It was changed, or belongs to another box."
        )
    if not as_json:
        result(f"It was so from the beginning. {found.truth.describe()}")


def _published(text: str) -> str:
    """A commitment from its digits, from a JSON file or from a box."""
    path = Path(text)
    if path.suffix == ".parquet":
        from cmslabs.simulation.box_file import box_commitment

        return box_commitment(path)
    if path.suffix != ".json":
        return text
    from cmslabs.io import read_json

    content = read_json(path)
    found = content.get("commitment") if isinstance(content, dict) else None
    if not isinstance(found, str):
        raise DataError("holds no commitment.", where=path, remedy="Use the file of 'cmslabs box commit --out'.")
    return found


@app.command("open")
def open_(
    file: Annotated[Path, typer.Argument(help="The box.")],
    seed: Seed = None,
    statement: Annotated[
        Path | None,
        typer.Option(help="Also write truth and salt as JSON, for 'cmslabs box check'.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is in a box: exit 1 if it was not made with this secret.

    The secret is checked against the commitment in the file.  Compare the printed SHA-256 with the published one to
    know that the events are still the same.

    Example: cmslabs box open box.parquet --statement statement.json
    """
    from cmslabs.io import sha256
    from cmslabs.simulation.box_file import open_box
    from cmslabs.simulation.box_truth import statement_of, write_statement

    secret = _secret(seed)
    truth = open_box(file, secret)
    if statement is not None:
        write_statement(statement, statement_of(secret))
    if as_json:
        result_json({"truth": truth.model_dump(mode="json", exclude_none=True), "sha256": sha256(file)})
        return
    result(truth.describe())
    message(f"sha256 of the file: {sha256(file)}")


@app.command("make-class")
def make_class(
    students: Annotated[int, typer.Option(min=1, help="Number of boxes.")],
    background: Annotated[
        Path, typer.Option(help="Folder that 'cmslabs simulate qcd-dijets' wrote, with --events for every student.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the boxes.")],
    events: Events = 40_000,
    constituents: Annotated[
        bool, typer.Option("--constituents", help="Also constituents; the background must have them.")
    ] = False,
    shared: Annotated[
        bool, typer.Option("--shared", help="Let boxes share background events if there are too few.")
    ] = False,
    workers: Workers = 1,
    as_json: JsonOption = False,
) -> None:
    """Make a box for every student of a class from pre-made background, in one pass.

    Writes student-01.parquet and so on, commitments.json (publish it with the boxes) and secrets.json (keep it; only
    you can read it).  Every box has background events of its own.  Keep the background private until the boxes are
    opened, and simulate it with a large seed: who has it sees what was put between it.

    Example: cmslabs simulate qcd-dijets --events 1200000 --seed 7301948265017394 --workers 8 --out background

    Example: cmslabs box make-class --students 30 --background background --out class --workers 8
    """
    from cmslabs.simulation.box_class import SHARED_REMARK
    from cmslabs.simulation.box_class import make_class as run

    options = {"events": events, "constituents": constituents, "shared": shared, "workers": workers}
    made = run(students, out, background, **options, progress=True)
    if made.shared:
        message(f"remark: {SHARED_REMARK}")
    if made.guessable_background:
        message(
            "remark: the background was simulated with a small seed. Who tries small seeds finds its events, and so "
            "what was put between them; simulate it again with a seed of 13 digits or more."
        )
    if as_json:
        boxes = [{"file": str(box.features), "commitment": box.commitment, "sha256": box.sha256} for box in made.boxes]
        files = {"commitments": str(made.commitments), "secrets": str(made.secrets)}
        result_json({"boxes": boxes, **files, "events": events, "shared_events": made.shared})
        return
    for box in made.boxes:
        result(f"{box.features}: {events} events, commitment {box.commitment}")
    result(f"{made.commitments}: publish it with the boxes")
    result(f"{made.secrets}: keep it")


@app.command()
def note(
    method: Annotated[str, typer.Argument(help="What you tried, for example 'bump hunt'.")],
    p: Annotated[float, typer.Option("--p", help="The p-value that it gave, above 0 and up to 1.")],
    signal_probability: Annotated[
        float, typer.Option(help="Your own probability that a new particle is in the box, from 0 to 1.")
    ],
    mass: Annotated[float | None, typer.Option(help="Where [GeV], if the method says so.", show_default=False)] = None,
    log: Annotated[Path, typer.Option(help="The log sheet; it is begun if it is not there.")] = Path("box-log.json"),
    box: Annotated[Path | None, typer.Option(help="The box that you looked into.", show_default=False)] = None,
    remark: Annotated[str | None, typer.Option(help="Anything that you want to remember.", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a claim into the log sheet, before the box is opened.

    Example: cmslabs box note "bump hunt" --p 0.03 --mass 3150 --signal-probability 0.4 --box box.parquet
    """
    from cmslabs.simulation.box_file import box_commitment
    from cmslabs.simulation.box_log import note as write
    from cmslabs.simulation.box_log import read_log

    mark = None if box is None else box_commitment(box)
    claim = {"p": p, "mass": mass, "signal_probability": signal_probability, "box": mark, "remark": remark}
    entry = write(log, method, **claim)
    if as_json:
        result_json(entry.model_dump(mode="json", exclude_none=True))
        return
    result(f"{log}: claim {len(read_log(log))}, {entry.method}")
