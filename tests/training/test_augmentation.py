"""Inputs of a training: every image once in an epoch, and the same warps with and without a thread."""

import threading
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
import train
from training import augmentation, images, options

SETTINGS = [[], ["--shift", "2"], ["--augment", "affine,elastic"], ["--augment", "elastic"]]


def resolved(*words, epochs=3):
    given = options.parse(["--batch-size", "20", "--seed", "3", "--epochs", str(epochs), *words])
    return options.resolve(given, "digits", 10)


def pictures(count=345):
    return tg.data.digits().train_images[:count]


def labels(count=345):
    return tg.data.digits().train_labels[:count]


@pytest.mark.parametrize("settings", SETTINGS, ids=" ".join)
def test_an_epoch_has_every_image_once_in_the_order_of_its_seed(settings):
    o = resolved(*settings)
    with augmentation.Inputs(o, pictures(), labels(), 1 / 16, 0, 0) as source:
        for epoch in range(3):
            drawn = list(source.epoch(epoch, 0, np.random.default_rng(0)))
            expected = list(tg.data.batches(345, 20, np.random.default_rng((3, epoch + 1))))
            assert [indices.tolist() for indices, *_ in drawn] == [batch.tolist() for batch in expected]
            for indices, inputs, targets in drawn:
                np.testing.assert_array_equal(targets, labels()[indices])
                assert inputs.shape == (len(indices), 64)
                assert inputs.dtype == np.float32
                assert inputs.flags.c_contiguous
    assert not [thread for thread in threading.enumerate() if thread.name == "Prefetch"]


@pytest.mark.parametrize("start", [0, 1, 15, 16, 17])
def test_warps_are_those_of_the_generator_without_a_thread_and_continue_anywhere(start):
    o = resolved("--augment", "affine,elastic")
    alone = [part for group in augmentation.warped(o, pictures(), 1 / 16, 0, 0) for part in group]
    assert len(alone) == 3 * 18
    found = []
    with augmentation.Inputs(o, pictures(), labels(), 1 / 16, 1, start) as source:
        found += source.epoch(1, start, np.random.default_rng(0))
        found += source.epoch(2, 0, np.random.default_rng(0))
    assert len(found) == 2 * 18 - start
    for (indices, inputs, _), (other, others) in zip(found, alone[18 + start :], strict=True):
        np.testing.assert_array_equal(indices, other)
        np.testing.assert_array_equal(inputs, others)


def test_each_warp_is_shared_by_one_image_of_each_batch_in_a_group():
    o = resolved("--augment", "affine,elastic", epochs=1)
    same = np.broadcast_to(pictures(1), (345, 8, 8))
    first, second = augmentation.warped(o, same, 1.0, 0, 0)  # 16 batches, and 2, one of which is shorter
    assert [len(first), len(second), len(second[-1][0])] == [16, 2, 5]
    for group in (first, second):
        for _, inputs in group:
            np.testing.assert_array_equal(inputs, group[0][1][: len(inputs)])
        assert len(np.unique(group[0][1], axis=0)) == 20
    assert not (first[0][1] == second[0][1]).all(axis=1).any()


def test_warped_images_are_nearest_to_their_originals():
    o = resolved("--augment", "affine,elastic", epochs=1)
    originals = images.rows(pictures(), 1 / 16)
    parts = [part for group in augmentation.warped(o, pictures(), 1 / 16, 0, 0) for part in group]
    indices, warped = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    nearest = np.linalg.norm(warped[:, None] - originals, axis=-1).argmin(axis=1)
    assert np.mean(nearest == indices) > 0.4  # by chance 0.003
    assert not (warped == originals[indices]).all(axis=1).any()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--augment", "affine"], tg.data.Warps(8, 0.08, 0.08, 0.1)),
        (["--augment", "elastic", "--elastic-sigma", "2"], tg.data.Warps(elastic_amplitude=2, elastic_sigma=2)),
        (["--augment", "elastic,affine", "--rotation", "5"], tg.data.Warps(5, 0.08, 0.08, 0.1, 2, 1.5)),
    ],
)
def test_warps_have_the_amplitudes_of_the_options(words, expected):
    assert augmentation.warps(resolved(*words)) == expected


@pytest.mark.parametrize(
    ("words", "augment", "shift"),
    [
        ([], ["affine", "elastic"], 0),
        (["--shift", "2"], [], 2),
        (["--shift", "0"], [], 0),
        (["--model", "models/report.yaml"], [], 0),
        (["--model", "models/cnn.yaml"], ["affine", "elastic"], 0),
        (["--augment", "none"], [], 1),
        (["--augment", "elastic", "affine"], ["affine", "elastic"], 0),
        (["--augment", "elastic,affine"], ["affine", "elastic"], 0),
        (["--augment", "elastic", "--shift", "0"], ["elastic"], 0),
    ],
)
def test_warps_and_shifts_replace_each_other(monkeypatch, words, augment, shift):
    monkeypatch.chdir(Path(train.__file__).parent)
    o = options.resolve(options.parse(words), "mnist", 10)
    assert (o.augment, o.shift) == (augment, shift)
    assert o.dropout == (None if o.model else 0 if augment else 0.2)


def test_a_recipe_may_have_warps(tmp_path):
    path = tmp_path / "model.yaml"
    path.write_text(
        "- {name: recipe, type: Recipe, params: {augment: [affine, elastic], rotation: 5}}\n"
        "- {name: output, type: Linear}\n"
    )
    o = options.resolve(options.parse(["--model", str(path), "--elastic-sigma", "2"]), "mnist", 10)
    assert augmentation.warps(o) == tg.data.Warps(5, 0.08, 0.08, 0.3, 22, 2)
    o = options.resolve(options.parse(["--model", str(path), "--augment", "none"]), "mnist", 10)
    assert (o.augment, o.shift) == ([], 1)


@pytest.mark.parametrize("way", ["finished", "interrupted", "diverged", "failed"])
def test_the_thread_ends_with_the_training(run_tiny, interrupt_after, monkeypatch, way):
    words = ["--augment", "affine,elastic", "--batch-size", 16, "--epochs", 2]
    if way == "interrupted":
        interrupt_after(5)
    elif way == "failed":
        monkeypatch.setattr(train.Display, "batch", lambda *_: 1 / 0)
    rate = ["--lr", "1e30", "--optimizer", "sgd"] if way == "diverged" else []
    if way == "failed":
        with pytest.raises(ZeroDivisionError):
            run_tiny(*words)
    else:
        assert run_tiny(*words, *rate).code == {"finished": 0, "interrupted": 130, "diverged": 1}[way]
    assert not [thread for thread in threading.enumerate() if thread.name == "Prefetch"]


@pytest.mark.parametrize("dataset", tg.data.NAMES)
def test_only_mnist_is_warped_by_default(dataset):
    o = options.resolve({}, dataset, 10)
    assert bool(o.augment) == (dataset == "mnist")
