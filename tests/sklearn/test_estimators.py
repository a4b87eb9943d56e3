"""Estimators beyond scikit-learn's checks: networks, optimizers, early stopping, weights, pickle, grid search."""

import pickle

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import is_installed
from tests.ids import written

pytestmark = pytest.mark.skipif(not is_installed("sklearn"), reason="needs the extra `sklearn`")

DIGITS = tg.data.digits()
X, Y = DIGITS.train_images.reshape(-1, 64) / np.float32(16), DIGITS.train_labels
X_TEST, Y_TEST = DIGITS.test_images.reshape(-1, 64) / np.float32(16), DIGITS.test_labels
SHORT = {"hidden": (32,), "epochs": 10, "lr": 0.01, "random_state": 0}


@pytest.fixture(scope="module", autouse=True)
def imports():
    """Import scikit-learn for these tests, not where tests are only collected, since that takes seconds."""
    global NetworkClassifier, NetworkRegressor
    from tensorgrad.sklearn import NetworkClassifier, NetworkRegressor


class Convolutional:
    """A network of a user, with dropout."""

    draws = True

    def __init__(self, features, outputs, rng):
        side = round(features**0.5)
        self.conv = tg.nn.Conv2d(1, 8, 3, rng, init="he")
        self.output = tg.nn.Sequential(tg.nn.Dropout(0.1), tg.nn.Linear(8 * (side - 2) ** 2, outputs, rng))
        self.side = side

    def __call__(self, x, rng=None):
        h = tg.relu(self.conv(np.reshape(x, (-1, 1, self.side, self.side))))
        return self.output(np.reshape(h, (len(x), -1)), rng)


def flat(features, outputs, rng):
    return tg.nn.Sequential(tg.nn.Linear(features, outputs, rng), np.ravel)


def test_package_is_imported_on_request_only():
    import subprocess
    import sys

    code = "import sys, tensorgrad; print([x for x in sys.modules if 'sklearn' in x])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200).stdout == "[]\n"


@pytest.mark.parametrize(
    "options",
    [
        {}, {"dropout": 0.2, "hidden": (48, 48)}, {"network": Convolutional, "epochs": 5}, {"activation": np.sin},
        {"optimizer": "SGD", "lr": 0.1, "optimizer_options": {"momentum": 0.9}, "schedule": "cosine"},
        {"optimizer": tg.optim.AdamW, "optimizer_options": {"weight_decay": 0.01}}, {"activation": "gelu"},
        {"early_stopping": True, "patience": 3, "epochs": 30}, {"hidden": ()},
    ],
    ids=str,
)  # fmt: skip
def test_it_learns(options):
    model = NetworkClassifier(**SHORT | options).fit(X, Y)
    assert model.score(X_TEST, Y_TEST) > 0.88
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]
    assert len(model.loss_curve_) == model.n_epochs_
    np.testing.assert_allclose(model.predict_proba(X_TEST).sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X_TEST)), model.predict_proba(X_TEST), atol=1e-6)


def test_dtype_is_that_of_the_inputs():
    for dtype in (np.float32, np.float64):
        model = NetworkClassifier(**SHORT | {"epochs": 1}).fit(X.astype(dtype), Y)
        assert {p.dtype for p in tg.nn.parameters(model.network_).values()} == {np.dtype(dtype)}


def test_early_stopping_returns_to_the_best_weights():
    model = NetworkClassifier(**SHORT | {"early_stopping": True, "patience": 2, "epochs": 100, "lr": 0.03}).fit(X, Y)
    scores = model.validation_scores_
    assert model.n_epochs_ == len(scores) < 100
    assert scores.index(max(scores)) == len(scores) - 3
    options = {"early_stopping": True, "patience": 100, "epochs": len(scores) - 2, "lr": 0.03}
    longer = NetworkClassifier(**SHORT | options)
    np.testing.assert_array_equal(longer.fit(X, Y).predict_proba(X_TEST), model.predict_proba(X_TEST))


def test_partial_fit_is_one_epoch():
    whole = NetworkClassifier(**SHORT | {"epochs": 3}).fit(X, Y)
    parts = NetworkClassifier(**SHORT)
    for _ in range(3):
        parts.partial_fit(X, Y)
    np.testing.assert_array_equal(whole.predict_proba(X_TEST), parts.predict_proba(X_TEST))
    assert parts.n_epochs_ == 3


def test_partial_fit_of_parts_with_some_of_the_classes():
    model = NetworkClassifier(**SHORT)
    order = np.argsort(Y, kind="stable")
    with pytest.raises(ValueError, match="not in classes"):
        model.partial_fit(X, Y, classes=[0, 1])
    for _ in range(30):
        for part in (order[::2], order[1::2]):
            model.partial_fit(X[part], Y[part], classes=np.arange(10))
    assert model.score(X_TEST, Y_TEST) > 0.88
    with pytest.raises(ValueError, match="first call"):
        model.partial_fit(X, Y, classes=np.arange(11))
    with pytest.raises(ValueError, match="not in classes"):
        model.partial_fit(X, Y + 1)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_examples_of_weight_0_do_not_matter(early_stopping):
    wrong = np.arange(len(Y)) % 3 == 0
    labels, weights = np.where(wrong, (Y + 1) % 10, Y), np.where(wrong, 0.0, 2.0)
    options = SHORT | {"epochs": 20, "early_stopping": early_stopping}
    weighted = NetworkClassifier(**options).fit(X, labels, weights).score(X_TEST, Y_TEST)
    unweighted = NetworkClassifier(**options).fit(X, labels).score(X_TEST, Y_TEST)
    assert weighted > 0.88
    assert weighted > unweighted
    with pytest.raises(ValueError, match="zero"):
        NetworkClassifier(**SHORT).fit(X, Y, np.zeros(len(Y)))


def test_pickled_estimator_predicts_the_same_and_goes_on_alike():
    model = NetworkClassifier(**SHORT | {"network": Convolutional, "epochs": 2}).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X_TEST), model.predict_proba(X_TEST))
    for one in (model, again):
        one.partial_fit(X, Y)  # to rounding, since arrays may lie elsewhere in memory
    np.testing.assert_allclose(again.predict_proba(X_TEST), model.predict_proba(X_TEST), rtol=1e-3, atol=1e-5)


def test_grid_search_over_a_pipeline():
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), NetworkClassifier(**SHORT))
    grid = {"networkclassifier__lr": [1e-5, 0.01], "networkclassifier__dropout": [0.0, 0.1]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X[:600], Y[:600])
    assert search.best_params_["networkclassifier__lr"] == 0.01
    assert search.score(X_TEST, Y_TEST) > 0.85


def test_regression_of_several_targets_of_other_sizes():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (500, 3))
    y = np.stack([1e6 * (3 + x[:, 0] * x[:, 1]), 1e-3 * np.sin(3 * x[:, 2])], axis=1)
    model = NetworkRegressor(hidden=(64,), lr=0.01, epochs=100, random_state=0).fit(x[:400], y[:400])
    assert model.predict(x[400:]).shape == (100, 2)
    assert model.score(x[400:], y[400:]) > 0.95
    stopped = NetworkRegressor(hidden=(64,), lr=0.01, early_stopping=True, random_state=0).fit(x[:400], y[:400, 0])
    assert stopped.predict(x).shape == (500,)
    assert stopped.n_epochs_ == len(stopped.validation_scores_)


WRONG = [
    ({"optimizer": "Adams"}, "class of tg.optim or its name"),
    ({"optimizer": tg.relu}, "class of tg.optim or its name"),
    ({"activation": "rely"}, "activation must be"),
    ({"schedule": "linear"}, "schedule must be"),
    ({"epochs": 0}, "epochs must be"),
    ({"batch_size": 1.5}, "batch_size must be"),
    ({"network": flat}, r"returns shape \(10,\) for one example"),
    ({"network": lambda features, outputs, rng: np.tanh}, "no parameters"),
    ({"early_stopping": True, "validation_fraction": 0.0}, "validation_fraction 0.0"),
    ({"optimizer": "SGD", "lr": 1e30}, "scale the inputs, or lower lr"),
]


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
@pytest.mark.parametrize(("options", "message"), WRONG, ids=[written(options) for options, _ in WRONG])
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        NetworkClassifier(**SHORT | options).fit(X, Y)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="1 class"):
        NetworkClassifier(**SHORT).fit(X, np.zeros(len(X)))


def test_examples_of_the_docstrings_run():
    from tests.test_examples import failures

    for kind in (NetworkClassifier, NetworkRegressor):
        count, report = failures(kind.__name__, kind.__doc__)
        assert count
        assert not report
