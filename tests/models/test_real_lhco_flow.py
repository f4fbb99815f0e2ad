"""Flows on the real signal-region events of the LHC Olympics: areas with intervals, a null, and coordinates."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("nflows", reason="needs the extra torch")

from cmslabs.data.lhco import read_signal_region
from cmslabs.evaluation.metrics import auc, bootstrap
from cmslabs.models.flow import Flow
from cmslabs.models.redundancy import RedundantColumnsError

pytestmark = pytest.mark.slow

COLUMNS = ["mj_min", "dmj", "tau21_min", "tau21_max"]


@pytest.fixture(scope="module")
def region(real_data):
    """Background to train on, background and signal to judge with, and more background for a null."""
    train, test = (read_signal_region(real_data / "lhco" / f"innerdata_{part}.npy") for part in ("train", "test"))
    signal = read_signal_region(real_data / "lhco" / "innerdata_extrasig.npy")
    usual, judged = train[train.label == 0][COLUMNS], test[test.label == 0][COLUMNS]
    return usual[:12_000], judged[:8000], signal[COLUMNS][:4000], judged[8000:16_000]


@pytest.fixture(scope="module")
def flows(region):
    """Two kinds of coordinates; a training takes two seconds."""
    common = {"n_layers": 2, "widths": (32, 32), "epochs": 8, "batch_size": 500, "learning_rate": 1e-2}
    common |= {"device": "cpu", "progress": False, "random_state": 1}
    return {name: Flow(**common, coordinates=name).fit(region[0]) for name in ("standard", "logit")}


def area(usual: np.ndarray, unusual: np.ndarray):
    labels = np.repeat([0, 1], [len(usual), len(unusual)])
    return bootstrap(auc, labels, np.concatenate([usual, unusual]), level=0.95)


def test_the_area_is_the_same_in_all_coordinates_if_the_jacobian_counts(flows, region):
    _, background, signal, more = region
    for name, model in flows.items():
        scores = [model.anomaly_score(events) for events in (background, signal, more)]
        found = area(scores[0], scores[1])
        assert found.low > 0.765, f"{name}: {found}"
        assert found.high < 0.795, f"{name}: {found}"
        null = area(scores[0], scores[2])
        assert null.low < 0.5 < null.high, f"{name}: {null}"


def test_in_other_coordinates_the_same_events_are_usual(flows, region):
    """Where the density is that of the logits, rare events are other ones: the area falls by more than 0.1."""
    _, background, signal, _ = region
    for name, model in flows.items():
        found = area(*(-model.log_prob(events, jacobian=False) for events in (background, signal)))
        if name == "standard":
            assert found.value == pytest.approx(area(*map(model.anomaly_score, (background, signal))).value, abs=1e-9)
        else:
            assert 0.6 < found.low < found.high < 0.7, f"{name}: {found}"


def test_new_events_are_as_likely_as_those_of_the_training_and_drawn_ones_look_like_them(flows, region):
    usual, background, _, _ = region
    for name, model in flows.items():
        new = model.log_prob(background)
        assert new.mean() == pytest.approx(model.log_prob(usual).mean(), abs=0.1), name
        drawn = model.sample(4000, random_state=1)
        assert model.log_prob(drawn).mean() == pytest.approx(new.mean(), abs=0.15), name
        spread = background.std()
        assert ((drawn.mean() - background.mean()).abs() < 0.1 * spread).all(), name
        assert np.abs(drawn.corr() - background.corr()).max().max() < 0.1, name


def test_real_events_with_a_column_too_many_are_refused(region):
    usual = region[0]
    wide = usual.assign(mj_max=usual.mj_min + usual.dmj)
    with pytest.raises(RedundantColumnsError, match=r"'mj_max' follows from 'mj_min' and 'dmj' \(sum\)"):
        Flow(epochs=1).fit(wide)
