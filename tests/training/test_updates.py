"""The updates of the weights, compared with the formulas, and layers that are frozen."""

from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.data import batches
from tests.runs import initial_weights, weights


def weights_after_training(folder, initial):
    """The final weights of a two-layer ReLU network by the options of a run, in float64 and without the engine."""
    o = tg.load(folder / "last.npz").config["options"]
    data = tg.data.load("digits")
    w1, b1, w2, b2 = (initial[f"layers.{name}"].astype(float) for name in
                      ("hidden.weight", "hidden.bias", "output.weight", "output.bias"))  # fmt: skip
    x_all = data.train_images.reshape(-1, 64) / 16
    for epoch in range(o["epochs"]):
        for batch in batches(len(x_all), o["batch_size"], np.random.default_rng((o["seed"], epoch + 1))):
            x, target = x_all[batch], np.eye(10)[data.train_labels[batch]]
            for distance in (o["adversarial"], 0):  # the second pass is at the inputs that the first one moved
                h = x @ w1 + b1
                logits = np.maximum(h, 0) @ w2 + b2
                exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
                g = exponentials / exponentials.sum(axis=1, keepdims=True) - target
                slope = g @ w2.T * (h > 0) @ w1.T
                x = x + distance * slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-300)
            if o["loss"] == "mean":
                g /= len(x)
            gh = g @ w2.T * (h > 0)
            steps = x.T @ gh + o["l2"] * w1, gh.sum(0), np.maximum(h, 0).T @ g + o["l2"] * w2, g.sum(0)
            w1, b1, w2, b2 = (p - o["lr"] * step for p, step in zip((w1, b1, w2, b2), steps, strict=True))
            w1, w2 = w1 * (1 - o["shrink"]), w2 * (1 - o["shrink"])
    return {"hidden.weight": w1, "hidden.bias": b1, "output.weight": w2, "output.bias": b2}


@pytest.mark.parametrize("settings", [
    "--lr 0.5",
    "--lr 0.5 --l2 0.3",
    "--lr 0.5 --shrink 0.25",
    "--lr 1e-6 --shrink 0.25",  # independent of the learning rate
    "--lr 0.2 --l2 0.1 --shrink 0.1 --seed 5",
    "--lr 0.5 --adversarial 0.7",
    "--lr 3e-4 --loss sum --adversarial 0.2",
    "--lr 3e-4 --loss sum",
    "--lr 3e-4 --loss sum --l2 20 --shrink 0.01",
])  # fmt: skip
def test_updates_follow_the_formula(run_tiny, settings):
    plain = "--momentum 0 --dropout 0 --validation 0 --schedule constant --l2 0 --batch-size 700 --epochs 2"
    folder = run_tiny(*plain.split(), *settings.split()).folder
    initial, final = initial_weights(folder), weights(folder)
    for name, expected in weights_after_training(folder, initial).items():
        np.testing.assert_allclose(final[f"layers.{name}"], expected, rtol=2e-4, atol=2e-6, err_msg=name)
        assert not np.array_equal(final[f"layers.{name}"], initial[f"layers.{name}"])


# ------------------------------------------------------------------------------------------------ frozen layers


@pytest.mark.parametrize(
    ("names", "frozen"),
    [(["hidden"], "layers.hidden."), (["output"], "layers.output."), (["hidden.weight"], "layers.hidden.weight")],
)
def test_frozen_layer_keeps_its_weights_and_has_no_gradient(run_tiny, monkeypatch, names, frozen):
    seen, step = [], tg.optim.SGD.step

    def recorded(optimizer):
        seen.append({name: p.grad is not None for name, p in optimizer.params.items()})
        step(optimizer)

    monkeypatch.setattr(tg.optim.SGD, "step", recorded)
    folder = run_tiny("--freeze", *names, "--shrink", 0.01, "--l2", 0.01, "--eager").folder
    initial, final = initial_weights(folder), weights(folder)
    assert len(seen) == 2 + 12  # one of a copy for each size of batch, then those of the run
    for name, array in initial.items():
        is_frozen = name.startswith(frozen)
        assert np.array_equal(array, final[name]) == is_frozen, name
        assert all(has_gradient[name] != is_frozen for has_gradient in seen), name


@pytest.mark.parametrize(
    ("names", "pieces"),
    [
        (["nonsense"], ["--freeze nonsense", "hidden, output"]),
        (["hidden.weight", "relu"], ["--freeze relu", "hidden, output"]),
        (["hidden", "output"], ["--freeze leaves nothing to train"]),
    ],
)
def test_layers_that_cannot_be_frozen_are_refused(run_tiny, refused, names, pieces):
    result = run_tiny("--freeze", *names)
    assert refused(result, *pieces)
    assert not Path("runs").exists()
