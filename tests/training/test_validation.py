"""The images that are held out for validation."""

import json
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tests.runs import weights
from training import images


@pytest.mark.parametrize("fraction", [0.01, 1 / 12, 0.5, 0.89])
def test_held_out_images_are_disjoint_from_the_others_and_do_not_vary(fraction):
    data = tg.data.load("digits")
    others, held_out = images.hold_out(data, fraction)
    np.testing.assert_array_equal(np.sort(np.concatenate([others, held_out])), np.arange(1437))
    assert len(held_out) == round(1437 * fraction)
    np.testing.assert_array_equal(held_out, images.hold_out(data, fraction)[1])


@pytest.mark.parametrize("seed", [0, 1])
def test_held_out_images_are_not_trained_on(run_tiny, monkeypatch, seed):
    seen, draw = [], images.Shifted.draw

    def noted(*given):
        seen.append(draw(*given))
        return seen[-1]

    monkeypatch.setattr(images.Shifted, "draw", noted)
    assert run_tiny("--seed", seed, "--epochs", 1).code == 0
    data = tg.data.load("digits")
    expected = data.train_images[images.hold_out(data, 1 / 12)[0]].reshape(-1, 64)
    used = np.concatenate(seen).reshape(-1, 64)
    np.testing.assert_array_equal(np.sort(used.view("S64"), axis=0), np.sort(expected.view("S64"), axis=0))


def test_without_held_out_images_the_last_epoch_is_the_best(run_tiny):
    result = run_tiny("--validation", 0, "--epochs", 3)
    ended = json.loads((result.folder / "result.json").read_text())
    assert (ended["best_epoch"], ended["val_accuracy"]) == (3, None)
    assert "epoch 3, the last" in result.out
    assert "val " not in result.err
    last, best = weights(result.folder), weights(result.folder, "best.npz")
    assert all(np.array_equal(last[name], best[name]) for name in last)


@pytest.mark.parametrize(("fraction", "piece"), [(1e-9, "and 0 to validate on"), (0.0003, "and 0 to validate on")])
def test_fraction_without_a_held_out_image_is_refused(run_tiny, refused, fraction, piece):
    assert refused(run_tiny("--validation", fraction), "--validation", piece)
    assert not Path("runs").exists()


@pytest.mark.parametrize("limit", [0, 1, 7])
def test_images_are_shifted_by_up_to_the_limit_and_padded_with_zeros(limit):
    pictures = np.random.default_rng(0).integers(1, 256, (5, 9, 4), np.uint8)
    batch = np.array([4, 0, 4, 2] * 50)
    drawn = images.Shifted(pictures, limit).draw(batch, np.random.default_rng(1))
    padded = np.pad(pictures, ((0, 0), (limit, limit), (limit, limit)))
    seen = set()
    for image, i in zip(drawn, batch, strict=True):
        fits = [(a, b) for a in range(2 * limit + 1) for b in range(2 * limit + 1)
                if np.array_equal(image, padded[i, a : a + 9, b : b + 4])]  # fmt: skip
        assert fits
        seen.update(fits if len(fits) == 1 else [])
    assert len(seen) >= min(60, (2 * limit + 1) ** 2)
