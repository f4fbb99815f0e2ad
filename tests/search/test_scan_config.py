"""The YAML file of a search: what it may say, and what is answered to what it may not."""

from __future__ import annotations

import pytest
import yaml
from search_worlds import toy_table
from typer.main import get_command

from cmslabs.cli.main import app
from cmslabs.config import bundled_names
from cmslabs.errors import ConfigError
from cmslabs.search.scan_config import METHODS, SearchConfig, TableSettings, load_search, make_problem
from cmslabs.search.table_problem import TableProblem
from cmslabs.search.toy import ToyProblem

TOY = {"name": "mine", "problem": {"kind": "toy"}, "methods": ["ideal"], "injections": [0, 0.1]}
TABLE = {
    "kind": "table",
    "source": "sim-extrapolation",
    "features": ["mjj"],
    "signal_region": {"ht": [800, None], "met": [75, None]},
    "background": "qcd-extrapolation",
    "signal": "hidden-valley-2tev",
}


@pytest.fixture
def written(tmp_path):
    def write(**changed):
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(TOY | changed))
        return path

    return write


def test_a_file_and_changes_from_the_command_line(written):
    found = load_search(written(), ["seeds=3", "problem.events=5000"])
    assert (found.name, found.seeds, found.problem.events, found.injections) == ("mine", 3, 5000, [0, 0.1])
    assert found.problem.signal == 4000


BUNDLED = bundled_names("cmslabs.search", "searches")


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_searches_are_valid(name):
    found = load_search(name)
    assert found.name == name
    assert found.injections[0] == 0


def test_the_command_names_all_bundled_searches():
    (argument,) = [one for one in get_command(app).commands["search"].params if one.name == "config"]
    assert {"toy", "jets", "resonance"} < set(BUNDLED)
    assert argument.help.endswith(f"a bundled one: {', '.join(sorted(BUNDLED))}.")


def test_the_bundled_injections_go_to_five_in_s_over_sqrt_b():
    """12 000 background events in the signal region, as in the paper."""
    found = load_search("jets")
    assert max(found.injections) * 12_000**0.5 == pytest.approx(5, abs=0.2)
    assert found.seeds >= 10
    assert load_search("toy-nulls").seeds >= 200


def test_the_nulls_of_the_jets_are_their_own_tries_and_nothing_else_differs():
    jets, nulls = load_search("jets"), load_search("jets-nulls")
    assert nulls.problem == jets.problem
    assert (nulls.ratio, nulls.flow, nulls.trees, nulls.efficiency) == (
        jets.ratio,
        jets.flow,
        jets.trees,
        jets.efficiency,
    )
    assert nulls.injections == [0]
    assert nulls.first_seed >= jets.first_seed + jets.seeds


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"injections": [0.1, 0.2]}, "0 must be among them: every search needs its null"),
        ({"injections": [0, -0.1]}, "injections must not be negative"),
        ({"injections": [0, 0.1, 0.1]}, "stands twice"),
        ({"injections": [0, 0.1, 0.10001]}, "two differ by less than 0.0001"),
        ({"injections": [0, 1e-5]}, "two differ by less than 0.0001"),
        ({"injections": [0, float("inf")]}, "finite"),
        ({"injections": [0, float("nan")]}, "finite"),
        ({"trees": {"fold": 3}}, r"trees.fold: no such parameter; did you mean 'folds'\?"),
        ({"trees": {"random_state": 3}}, "trees.random_state: no such parameter"),
        ({"trees": {"in_sample": True}}, "trees.in_sample: no such parameter"),
        ({"trees": {"max_iter": "many"}}, "trees.max_iter: a whole number from 1 on is needed, not 'many'"),
        ({"ratio": {"members": 0}}, "ratio.members: a whole number from 1 on is needed, not 0"),
        ({"ratio": {"learning_rate": "fast"}}, "ratio.learning_rate: a number from 0 on is needed"),
        ({"flow": {"contxt": ["m1"]}}, "flow.contxt: no such parameter; there are activation"),
        ({"flow": {"epochs": True}}, "flow.epochs: a whole number from 1 on is needed, not True"),
        ({"injections": []}, "injections"),
        ({"methods": ["ideal", "ideal"]}, "stands twice"),
        ({"methods": ["reweigth"]}, r"there is no method 'reweigth'; did you mean 'reweight'\?"),
        ({"methods": ["xyz"]}, "there is no method 'xyz'; use some of supervised, ideal, simulation"),
        ({"methods": ["cwola"]}, "the method 'cwola' needs a signal region in one column"),
        ({"problem": {"kind": "toys"}}, "problem"),
        ({"problem": {"kind": "toy", "evnts": 5000}}, r"unknown key; did you mean 'events'\?"),
        ({"problem": {"kind": "toy", "events": 10}}, "events"),
        ({"efficiency": 1.0}, "efficiency"),
        ({"seeds": 0}, "seeds"),
        ({"name": "My search"}, "name"),
        ({"seed": 3}, r"seed: unknown key; did you mean 'seeds'\?"),
        ({"problem": TABLE, "methods": ["reweight"]}, "'reweight' needs a simulation, but problem.simulation is null"),
        ({"problem": TABLE, "methods": ["cathode"]}, "'cathode' needs a signal region in one column"),
        (
            {"problem": TABLE | {"signal_region": {"ht": [800, None]}}, "methods": ["cwola"]},
            "'cwola' needs a signal region in one column, with two ends",
        ),
        ({"problem": TABLE | {"features": []}}, "features"),
        ({"problem": TABLE | {"control_kept": 0}}, "control_kept"),
    ],
)
def test_mistakes_are_named(written, changed, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_search(written(**changed))
    assert "mine.yaml" in str(caught.value)
    # The file is named, and its content is not printed.
    assert "'methods':" not in str(caught.value)


@pytest.mark.parametrize(
    "method", [name for name in METHODS if name not in ("supervised", "ideal", "cwola", "cathode")]
)
def test_every_method_that_simulates_needs_a_simulation(method):
    with pytest.raises(ValueError, match=f"the method '{method}' needs a simulation"):
        SearchConfig(**(TOY | {"problem": TABLE, "methods": [method]}))


def test_windows_and_simulations_are_accepted_where_they_are():
    window = TABLE | {"signal_region": {"mjj": [3300, 3700]}, "features": ["tau21j1"]}
    SearchConfig(**(TOY | {"problem": window, "methods": ["cwola", "cathode"]}))
    SearchConfig(**(TOY | {"problem": TABLE | {"simulation": "distorted"}, "methods": ["morph"]}))


def test_parameters_that_may_be_nothing():
    found = SearchConfig(**(TOY | {"flow": {"patience": None, "max_events": None}, "ratio": {"max_events": None}}))
    assert found.flow["patience"] is None


@pytest.mark.parametrize("features", [["x", "x"], ["process"], ["label"]])
def test_features_that_are_none(source, features):
    with pytest.raises(ConfigError, match=r"problem.features: '\w+' stands twice, or says what an event is"):
        make_problem(settings(source, features=features))


def test_an_unknown_search_names_those_that_there_are():
    with pytest.raises(ConfigError, match=r"there is no search 'tyo'.*toy"):
        load_search("tyo")


@pytest.fixture
def source(tmp_path):
    toy_table(33, 400, 50, 300).to_csv(tmp_path / "toy.csv", index=False)
    return str(tmp_path / "toy.csv")


def settings(source, **changed):
    plain = {"source": source, "features": ["x"], "signal_region": {"m1": (1, None), "m2": (1, None)}}
    return TableSettings(**(plain | {"background": "background", "signal": "signal"} | changed))


def test_problems_of_both_kinds(source):
    toy = make_problem(SearchConfig(**TOY).problem)
    assert toy == ToyProblem(100_000, 4000)
    found = make_problem(settings(source, simulation="simulation", log_context=True, events=300, control_kept=0.5))
    assert isinstance(found, TableProblem)
    assert (found.columns.features, found.columns.context, found.columns.log_context) == (("x",), ("m1", "m2"), True)
    assert (found.simulation, found.events, found.control_kept) == ("simulation", 300, 0.5)
    assert found.regions.signal == {"m1": (1, None), "m2": (1, None)}


def test_the_context_may_be_chosen(source):
    assert make_problem(settings(source, context=["m2"])).columns.context == ("m2",)


@pytest.mark.parametrize("changed", [{"features": ["x", "m1"]}, {"features": ["m2"], "context": ["m2"]}])
def test_a_context_that_is_a_feature_is_refused(source, changed):
    with pytest.raises(
        ConfigError, match=r"problem\.features: 'm[12]' is context and feature at once. A classifier that"
    ):
        make_problem(settings(source, **changed))
