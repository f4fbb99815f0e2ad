"""Each check of lab 6 accepts the model answer and other right ones, and catches each mistake."""

from __future__ import annotations

import numpy as np
import pytest
from answers import AnswerTests
from checking import judge
from right_answers_lab6 import RIGHT
from submissions import LAB6, cell_named, points_of, read_lab
from wrong_answers_lab6 import WRONG


def source_of(name: str) -> str:
    """The cell of this label."""
    return cell_named(read_lab("source", LAB6), name).source


# No check needs more than NumPy in the kernel.
points = judge(LAB6, lambda: {"np": np})


class TestAnswers(AnswerTests):
    lab, right, wrong = LAB6, RIGHT, WRONG
    points = staticmethod(points)


def test_the_skeletons_of_the_wrong_answers_are_right():
    """A mistake is caught because of the mistake: what it was made from passes."""
    import wrong_answers_lab6 as wrong

    skeletons = {
        "scale": wrong.SCALE,
        "reconstruction": wrong.RECONSTRUCTION,
        "kl": wrong.KL,
        "loss": wrong.LOSS,
        "warmup": wrong.WARMUP,
        "stop": wrong.STOP,
        "ensemble": wrong.ENSEMBLE,
    }
    assert {task: points(task, answer) for task, answer in skeletons.items()} == {
        task: points_of(LAB6)[f"check-{task}"] for task in skeletons
    }


def test_predictions_get_points_by_squared_distance():
    assert points("predict", 'prediction = {"A": 0.5, "B": 0.5, "C": 0.5, "D": 0.5, "E": 0.5}') == 1.5


# Against the package.


def test_the_answers_are_what_the_networks_of_the_package_do():
    torch = pytest.importorskip("torch", reason="needs the extra torch")
    from cmslabs.models.registry import make_model
    from cmslabs.models.vae import VariationalLoss

    names: dict = {"np": np}
    for task in ("scale", "reconstruction", "kl", "loss", "warmup", "ensemble"):
        exec(source_of(task), names)
    rng = np.random.default_rng(1)
    X, new = rng.normal(size=(400, 3)) * [1, 50, 3], rng.normal(size=(60, 3)) * [1, 50, 3]
    model = make_model("vae", widths=(8,), epochs=3, beta=0.3, random_state=1).fit(X, X_val=new)
    x, back = names["standardise"](X, new), names["standardise"](X, model.reconstruct(new))
    mean, spread = model.encode(new)
    found = {name: model.set_params(scoring=name).anomaly_score(new) for name in ("reconstruction", "kl", "total")}
    np.testing.assert_allclose(names["reconstruction_score"](x, back), found["reconstruction"], rtol=1e-9)
    np.testing.assert_allclose(names["kl_score"](mean, 2 * np.log(spread)), found["kl"], rtol=1e-9)
    loss = names["vae_loss"](x, back, mean, 2 * np.log(spread), 0.3)
    assert loss == pytest.approx(found["total"].mean(), rel=1e-9)
    assert [names["beta_at"](epoch, 0.3, 5) for epoch in range(1, 9)] == pytest.approx(
        [VariationalLoss(0.3, 5).beta_at(epoch) for epoch in range(1, 9)]
    )
    # `Ensemble` takes zero and unit from the training events; on these both agree.
    several = make_model("ensemble", model="isolation-forest", n_members=3, random_state=0).fit(X)
    members = np.array([member.anomaly_score(X) for member in several.members_])
    np.testing.assert_allclose(names["ensemble"](members), several.anomaly_score(X), rtol=1e-9, atol=1e-12)
    assert torch.get_num_threads() >= 1
