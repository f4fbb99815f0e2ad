"""The training loop: what it learns, what it restores, and what it leaves as it was."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import slow_training  # noqa: E402

from cmslabs.errors import ConfigError, DataError  # noqa: E402
from cmslabs.models import checkpoint as checkpoints  # noqa: E402
from cmslabs.models.base import ModelInputError  # noqa: E402
from cmslabs.models.devices import STREAMS, pick_device, seed_from, seeded, stream_seed, torch_threads  # noqa: E402
from cmslabs.models.training import TrainingError, TrainingSettings, train  # noqa: E402

X = np.random.default_rng(1).normal(size=(500, 3)).astype(np.float32)
PARTS = X[:400], X[400:]


def squared(network, batch, generator):
    """Mean squared distance."""
    return torch.mean((network(batch) - batch) ** 2)


def linear(seed: int = 1) -> torch.nn.Module:
    """The smallest network."""
    with seeded(seed):
        return torch.nn.Linear(3, 3)


def weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy."""
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one: dict, other: dict) -> bool:
    """Equal bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def told(history) -> dict:
    """A history without its clock."""
    return {name: value for name, value in vars(history).items() if name != "seconds"}


class Planted:
    """Learns for four epochs, then climbs the hill again."""

    def begin_epoch(self, epoch):
        """Turn round after the fourth."""
        self.sign = 1 if epoch <= 4 else -1

    def __call__(self, network, batch, generator):
        """The loss, or minus the loss."""
        return self.sign * squared(network, batch, generator)


# What is learnt.


def test_weights_are_those_of_a_plain_loop():
    network, settings = linear(), TrainingSettings(epochs=3, batch_size=64, learning_rate=0.01, clip_norm=0.05)
    train(network, squared, *PARTS, settings, random_state=3)
    oracle = linear()
    optimizer = torch.optim.AdamW(oracle.parameters(), lr=0.01, weight_decay=0.0, foreach=False)
    order = torch.Generator().manual_seed(stream_seed(3, "order"))
    for _ in range(3):
        shuffled = torch.randperm(400, generator=order).tolist()
        for start in range(0, 400, 64):
            batch = torch.tensor(np.array([PARTS[0][row] for row in shuffled[start : start + 64]]))
            optimizer.zero_grad()
            torch.mean((oracle(batch) - batch) ** 2).backward()
            norm = math.sqrt(sum(float((one.grad**2).sum()) for one in oracle.parameters()))
            for one in oracle.parameters():
                one.grad *= min(1.0, 0.05 / norm)
            optimizer.step()
    for mine, slow in zip(network.parameters(), oracle.parameters(), strict=True):
        torch.testing.assert_close(mine, slow, rtol=1e-4, atol=1e-6)


def test_losses_are_means_over_events():
    network = linear()
    first, trained = (float(squared(network, torch.tensor(part), None).detach()) for part in PARTS[::-1])
    settings = TrainingSettings(epochs=1, batch_size=7, learning_rate=1e-9)
    history = train(network, squared, *PARTS, settings, random_state=1)
    assert history.val_loss == pytest.approx([first], rel=1e-5)
    assert history.train_loss == pytest.approx([trained], rel=1e-5)


def test_a_tuple_of_arrays_is_shuffled_together():
    context = X @ np.array([1.0, 2.0, 3.0], dtype=np.float32)
    label = np.arange(len(X))
    seen = []

    def loss(network, batch, generator):
        features, about, number = batch
        torch.testing.assert_close(features @ torch.tensor([1.0, 2.0, 3.0]), about)
        assert number.dtype == torch.int64
        if network.training:
            seen.append(number)
        return squared(network, features, generator)

    parts = [tuple(one[rows] for one in (X, context, label)) for rows in (slice(400), slice(400, 500))]
    train(linear(), loss, *parts, TrainingSettings(epochs=2, batch_size=64), random_state=1)
    first, second = torch.cat(seen).split(400)
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(400))
    assert first.tolist() != second.tolist() != list(range(400))


@pytest.mark.parametrize("settings", [TrainingSettings(epochs=9, patience=None), TrainingSettings(epochs=9)])
def test_the_best_epoch_is_restored_not_the_last(settings):
    network, seen = linear(), []
    settings = dataclasses.replace(settings, learning_rate=0.05, batch_size=40)
    history = train(
        network,
        Planted(),
        *PARTS,
        settings,
        random_state=1,
        validation_loss=squared,
        after_epoch=lambda network, history: seen.append(weights(network)),
    )
    assert history.best_epoch == 4 == int(np.argmin(history.val_loss)) + 1
    assert history.val_loss[-1] > 2 * history.best_loss
    assert same(weights(network), seen[3])
    assert not same(seen[3], seen[-1])
    again = float(squared(network, torch.tensor(PARTS[1]), None).detach())
    assert again == pytest.approx(history.best_loss, rel=1e-5)
    assert not network.training


def test_it_stops_when_nothing_gets_better():
    settings = TrainingSettings(epochs=50, patience=3, learning_rate=0.05, batch_size=40)
    history = train(linear(), Planted(), *PARTS, settings, random_state=1, validation_loss=squared)
    assert history.stopped_early
    assert (history.best_epoch, history.epochs) == (4, 7)
    whole = dataclasses.replace(settings, patience=None, epochs=12)
    history = train(linear(), Planted(), *PARTS, whole, random_state=1, validation_loss=squared)
    assert not history.stopped_early
    assert history.epochs == 12


def test_early_epochs_can_be_ruled_out():
    settings = TrainingSettings(epochs=12, patience=3, min_epochs=6, learning_rate=0.05, batch_size=40)
    history = train(linear(), Planted(), *PARTS, settings, random_state=1, validation_loss=squared)
    assert (history.best_epoch, history.epochs) == (6, 9)
    with pytest.raises(ConfigError, match="only 12 epochs"):
        TrainingSettings(epochs=12, min_epochs=13)


def test_gradients_are_clipped():
    def steep(network, batch, generator):
        return 1000 * squared(network, batch, generator)

    def norm(network):
        return math.sqrt(sum(float((one.grad**2).sum()) for one in network.parameters()))

    for clip, longest in ((0.5, 0.5), (None, math.inf)):
        network, found = linear(), []
        history = train(
            network,
            steep,
            *PARTS,
            TrainingSettings(epochs=2, clip_norm=clip),
            random_state=1,
            after_epoch=lambda network, history, found=found: found.append(norm(network)),
        )
        assert max(found) <= longest * (1 + 1e-4)
        assert min(found) > (0.4 if clip else 100)
        assert len(history.gradient_norm) == (2 if clip else 0)
        assert all(before > 100 for before in history.gradient_norm)


def test_schedules():
    def rates(**changes):
        settings = TrainingSettings(epochs=8, learning_rate=0.2, patience=None, **changes)
        return train(linear(), squared, *PARTS, settings, random_state=1).learning_rate

    assert rates() == [0.2] * 8
    assert rates(schedule="cosine") == pytest.approx([0.1 * (1 + math.cos(math.pi * k / 8)) for k in range(8)])
    # Nothing gets better here after the first epoch.
    settings = TrainingSettings(epochs=8, learning_rate=0.2, patience=4, schedule="plateau", batch_size=400)
    settings = dataclasses.replace(settings, patience=None)
    history = train(
        linear(),
        squared,
        *PARTS,
        dataclasses.replace(settings, epochs=14),
        random_state=1,
        validation_loss=lambda network, batch, generator: torch.tensor(1.0),
    )
    assert history.learning_rate == [0.2] * 6 + [0.1] * 5 + [0.05] * 3


def test_what_a_watcher_returns_is_kept_and_what_it_raises_ends_the_training():
    class Pruned(Exception):
        """As a tuner raises it."""

    def watch(network, history):
        assert not network.training
        if history.epochs == 3:
            raise Pruned
        return {"weight": network.weight.abs().max()}

    before, threads = torch.get_rng_state(), torch.get_num_threads()
    with pytest.raises(Pruned):
        train(linear(), squared, *PARTS, TrainingSettings(epochs=5), random_state=1, after_epoch=watch)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    history = train(linear(), squared, *PARTS, TrainingSettings(epochs=2), random_state=1, after_epoch=watch)
    assert len(history.monitored["weight"]) == 2


# What goes wrong.


class Breaks:
    """Not a number from a batch on."""

    def begin_epoch(self, epoch):
        """Remember it."""
        self.epoch, self.calls = epoch, 0

    def __call__(self, network, batch, generator):
        """NaN in the fifth batch of the third epoch."""
        self.calls += network.training
        return squared(network, batch, generator) * (math.nan if (self.epoch, self.calls) == (3, 5) else 1)


def test_a_loss_that_is_no_number_stops_with_advice():
    settings = TrainingSettings(epochs=9, batch_size=40, learning_rate=0.7)
    with pytest.raises(TrainingError, match=r"epoch 3, batch 5 of 10: .*smaller learning_rate \(now 0\.7\)") as caught:
        train(linear(), Breaks(), *PARTS, settings, random_state=1)
    assert "clip_norm (now 1, gradients up to" in str(caught.value)
    with pytest.raises(TrainingError, match=r"clip_norm=1\.0 \(now off\)"):
        train(linear(), Breaks(), *PARTS, dataclasses.replace(settings, clip_norm=None), random_state=1)
    far_out = PARTS[0], np.full((5, 3), np.inf)
    with pytest.raises(TrainingError, match="epoch 1: the validation loss is not a finite number"):
        train(linear(), squared, *far_out, settings, random_state=1)


def test_parts_that_hold_no_event_are_refused():
    for parts, message in (
        ((X[:0], X), "no event to train on"),
        ((X, X[:0]), "no event to validate with"),
        (((X, X[:3]), (X, X)), r"arrays to train on have \[3, 500\] rows"),
    ):
        with pytest.raises(ModelInputError, match=message):
            train(linear(), squared, *parts, random_state=1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number from 1 on, not 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"patience": 0}, "patience must be"),
        ({"learning_rate": 0.0}, "learning_rate must be a positive number"),
        ({"learning_rate": math.nan}, "learning_rate must be a positive number"),
        ({"clip_norm": -1.0}, "clip_norm must be a positive number"),
        ({"weight_decay": -0.1}, "weight_decay must not be negative"),
        ({"schedule": "cosin"}, "Did you mean 'cosine'"),
        ({"mixed_precision": "int8"}, "Use one of off, auto, bf16, fp16"),
    ],
)
def test_settings_that_make_no_sense(wrong, message):
    with pytest.raises(ConfigError, match=message):
        TrainingSettings(**wrong)


def test_devices_and_precisions_that_are_not_there():
    with pytest.raises(ConfigError, match="Use 'auto', 'cpu' or 'cuda'"):
        pick_device("gpu")
    with pytest.raises(ConfigError, match="'meta' is not supported"):
        pick_device("meta")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="CUDA sees no GPU"):
            pick_device("cuda")
        assert pick_device("auto").type == "cpu"
    with pytest.raises(ConfigError, match="'fp16' needs a GPU"):
        train(linear(), squared, *PARTS, TrainingSettings(device="cpu", mixed_precision="fp16"), random_state=1)


# What is left as it was.


def test_the_seed_decides_everything_and_the_global_state_nothing():
    def run(seed, before):
        torch.manual_seed(before)
        network = slow_training.new_network()
        loss = slow_training.NoisyLoss()
        history = train(network, loss, *PARTS, TrainingSettings(epochs=3, device="cpu"), random_state=seed)
        return weights(network), told(history), torch.rand(1)

    one, other, third = run(1, before=10), run(1, before=11), run(2, before=10)
    assert same(one[0], other[0])
    assert one[1] == other[1]
    assert not same(one[0], third[0])
    torch.manual_seed(10)
    assert torch.equal(one[2], torch.rand(1))
    assert torch.equal(one[2], third[2])
    assert not torch.equal(other[2], one[2])


def test_kinds_of_random_state():
    assert seed_from(7) == seed_from(np.int64(7)) == 7
    assert seed_from(np.random.default_rng(1)) == seed_from(np.random.default_rng(1))
    assert seed_from(np.random.RandomState(1)) == seed_from(np.random.RandomState(1))
    assert seed_from(None) != seed_from(None)
    for wrong in (-1, "seven", 1.5):
        with pytest.raises(ConfigError, match="random_state must be"):
            seed_from(wrong)
    assert len({stream_seed(1, name) for name in STREAMS}) == len(STREAMS)


def test_one_thread_for_small_networks_and_the_old_number_afterwards():
    seen = []

    def loss(network, batch, generator):
        seen.append(torch.get_num_threads())
        return squared(network, batch, generator)

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        train(linear(), loss, *PARTS, TrainingSettings(epochs=1, device="cpu"), random_state=1)
        assert set(seen) == {1}
        assert torch.get_num_threads() == 2
        with torch_threads(torch.nn.Conv2d(1, 1, 3)):
            assert torch.get_num_threads() == 1
        with torch_threads(torch.nn.Linear(500, 500)):
            assert torch.get_num_threads() == 2
        with torch_threads(torch.nn.Linear(500, 500), threads=1):
            assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_the_bar_goes_to_stderr_and_only_if_wanted(capfd):
    for progress, shown in ((None, False), (False, False), (True, True)):
        train(linear(), squared, *PARTS, TrainingSettings(epochs=2, progress=progress), random_state=1)
        out, err = capfd.readouterr()
        assert out == ""
        assert ("epoch" in err and "loss=" in err) is shown


# A checkpoint.


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_a_killed_training_continues_to_the_same_result(tmp_path, schedule):
    path = tmp_path / "training.pt"
    script = Path(slow_training.__file__)
    child = subprocess.Popen([sys.executable, script, path, schedule], stdout=subprocess.PIPE, text=True)
    try:
        # It now hangs in the third batch of an epoch, with more batches and epochs before it.
        assert child.stdout.readline() == "in the middle of an epoch\n"
    finally:
        child.kill()
        child.communicate()
    assert child.returncode != 0
    done = len(torch.load(path, weights_only=True)["state"]["history"]["val_loss"])
    assert done == slow_training.HANGS_IN - 1 < slow_training.EPOCHS
    network, history = slow_training.run(schedule, str(path))
    whole, expected = slow_training.run(schedule, None)
    assert same(weights(network), weights(whole))
    assert told(history) == told(expected)
    assert history.epochs > done


def test_a_finished_training_is_not_run_again(tmp_path):
    path, calls = tmp_path / "training.pt", []

    def loss(network, batch, generator):
        calls.append(1)
        return squared(network, batch, generator)

    settings = TrainingSettings(epochs=3, checkpoint=path, checkpoint_every=10)
    first, second = linear(), linear()
    history = train(first, loss, *PARTS, settings, random_state=1)
    n = len(calls)
    assert train(second, loss, *PARTS, settings, random_state=1) == history
    assert len(calls) == n
    assert same(weights(first), weights(second))


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"X": X[:399]}, "data differs"),
        ({"X_val": X[401:]}, "data differs"),
        ({"random_state": 2}, r"random_state differs \(1 there, 2 here\)"),
        ({"learning_rate": 0.5}, r"learning_rate differs \(0.001 there, 0.5 here\)"),
        ({"epochs": 4}, "epochs differs"),
        ({"network": linear(2)}, "weights at the start differs"),
        ({"network": torch.nn.Sequential(linear())}, "network differs"),
        ({"loss": lambda network, batch, generator: batch.mean()}, "loss differs"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, change, difference):
    given = {"network": linear(), "loss": squared, "X": PARTS[0], "X_val": PARTS[1], "random_state": 1}
    settings = TrainingSettings(epochs=2, checkpoint=tmp_path / "training.pt")
    train(**given, settings=settings)
    fields = {name: value for name, value in change.items() if hasattr(settings, name)}
    given |= {"network": linear()} | {name: value for name, value in change.items() if name not in fields}
    with pytest.raises(ConfigError, match=f"training.pt: is the checkpoint of another training: .*{difference}"):
        train(**given, settings=dataclasses.replace(settings, **fields))


def test_a_checkpoint_without_a_seed_is_refused(tmp_path):
    settings = TrainingSettings(epochs=2, checkpoint=tmp_path / "training.pt")
    with pytest.raises(ConfigError, match="a checkpoint needs a random_state"):
        train(linear(), squared, *PARTS, settings)


class Shouts:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("unpickled"),)


def test_a_damaged_or_foreign_checkpoint_is_not_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "training.pt"
    settings = TrainingSettings(epochs=2, checkpoint=path)
    train(linear(), squared, *PARTS, settings, random_state=1)
    whole = path.read_bytes()
    torch.save({"format": 1, "about": {}, "state": Shouts()}, path)
    foreign = path.read_bytes()
    for content in (foreign, b"", whole[: len(whole) // 2], b"not a checkpoint"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"training\.pt: is not a whole checkpoint .* Delete it to begin anew"):
            train(linear(), squared, *PARTS, settings, random_state=1)
    assert not (tmp_path / "unpickled").exists()


def test_a_write_that_breaks_off_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "training.pt"
    checkpoints.write_checkpoint(path, {"name": "old"}, {"value": 1})

    def breaks(value, target):
        Path(target).write_bytes(b"half of")
        raise OSError("no space left")

    monkeypatch.setattr(checkpoints.torch, "save", breaks)
    with pytest.raises(OSError, match="no space"):
        checkpoints.write_checkpoint(path, {"name": "new"}, {"value": 2})
    assert checkpoints.read_checkpoint(path, {"name": "old"}) == {"value": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["training.pt"]


# Precision.


def test_mixed_precision_runs_the_network_in_half():
    seen = set()

    def loss(network, batch, generator):
        seen.add(network(batch).dtype)
        return squared(network, batch, generator)

    parts = {"auto": torch.float32, "off": torch.float32, "bf16": torch.bfloat16}
    for name, expected in parts.items():
        seen.clear()
        network = linear()
        settings = TrainingSettings(epochs=20, batch_size=40, learning_rate=0.02, mixed_precision=name, device="cpu")
        history = train(network, loss, *PARTS, settings, random_state=1)
        assert seen == {expected}
        assert history.val_loss[-1] < 0.1 * history.val_loss[0]
        assert network.weight.dtype == torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("precision", ["off", "bf16", "fp16"])
def test_training_and_its_continuation_on_the_gpu(tmp_path, precision):
    def run(checkpoint, epochs_seen):
        network = slow_training.new_network()
        settings = TrainingSettings(
            epochs=10, batch_size=50, learning_rate=0.01, mixed_precision=precision, checkpoint=checkpoint
        )

        def watch(network, history):
            assert next(network.parameters()).is_cuda
            if history.epochs == epochs_seen:
                raise KeyboardInterrupt

        history = train(network, slow_training.NoisyLoss(), *PARTS, settings, random_state=2, after_epoch=watch)
        return weights(network), history

    torch.cuda.manual_seed(3)
    before = torch.cuda.get_rng_state()
    path = tmp_path / "training.pt"
    with pytest.raises(KeyboardInterrupt):
        run(path, epochs_seen=5)
    resumed, history = run(path, epochs_seen=None)
    whole, expected = run(None, epochs_seen=None)
    assert history.val_loss[-1] < 0.8 * history.val_loss[0]
    # Sums on a GPU may be taken in another order, so not bit for bit.
    for name in whole:
        torch.testing.assert_close(resumed[name], whole[name], rtol=1e-2, atol=1e-3)
    assert history.val_loss == pytest.approx(expected.val_loss, rel=1e-2)
    assert torch.equal(before, torch.cuda.get_rng_state())


def test_one_vector_of_weights_changes_nothing_but_the_time():
    """The same losses as a loop that steps weight by weight; afterwards each weight has memory of its own."""
    X = np.random.default_rng(3).normal(size=(256, 3)).astype(np.float32)

    def loss(network, batch, generator):
        return torch.mean((network(batch) - batch) ** 2)

    def network():
        torch.manual_seed(4)
        return torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))

    settings = TrainingSettings(epochs=3, batch_size=256, learning_rate=0.01, clip_norm=0.1, device="cpu")
    trained = network()
    history = train(trained, loss, X, X, settings, random_state=1)
    plain = network()
    optimizer = torch.optim.AdamW(plain.parameters(), lr=0.01, weight_decay=0.0)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        value = loss(plain, torch.from_numpy(X), None)
        value.backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.1)
        optimizer.step()
        losses.append(float(value.detach()))
    assert history.train_loss == pytest.approx(losses, rel=1e-5)
    for one, other in zip(trained.parameters(), plain.parameters(), strict=True):
        assert one.detach().numpy() == pytest.approx(other.detach().numpy(), rel=1e-4, abs=1e-6)
    assert len({weight.untyped_storage().data_ptr() for weight in trained.parameters()}) == 4
    assert all(weight.grad is None for weight in trained.parameters())
