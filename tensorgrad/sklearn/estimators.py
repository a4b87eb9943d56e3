"""A classifier and a regressor with scikit-learn's interface."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    check_non_negative,
    column_or_1d,
    validate_data,
)

from tensorgrad import functional, nn
from tensorgrad.frontend.modes import no_grad
from tensorgrad.sklearn.training import Examples, Trainer, mlp, optimizer_of, schedule_of

__all__ = ["NetworkClassifier", "NetworkRegressor"]

Array = Any


class _Network(BaseEstimator):  # type: ignore[misc]
    """What the classifier and the regressor share; they define the targets, the loss and the score."""

    def __init__(self, network: Callable[..., Any] | None = None, *, hidden: tuple[int, ...] = (100,),
                 activation: Any = "relu", dropout: float = 0.0, optimizer: Any = "Adam", lr: float = 0.003,
                 optimizer_options: dict[str, Any] | None = None, schedule: str = "constant", epochs: int = 100,
                 batch_size: int = 128, early_stopping: bool = False, validation_fraction: float = 0.1,
                 patience: int = 10, random_state: Any = None) -> None:  # fmt: skip
        self.network, self.hidden, self.activation, self.dropout = network, hidden, activation, dropout
        self.optimizer, self.lr, self.optimizer_options, self.schedule = optimizer, lr, optimizer_options, schedule
        self.epochs, self.batch_size, self.early_stopping = epochs, batch_size, early_stopping
        self.validation_fraction, self.patience, self.random_state = validation_fraction, patience, random_state

    def fit(self, X: Array, y: Array, sample_weight: Array = None) -> Self:  # noqa: N803  (scikit-learn's name)
        """Train a new network on ``X`` ``(N, features)`` and ``y``; weights of examples are relative to each other."""
        self._check_options()
        examples = self._examples(X, y, sample_weight, reset=True)
        examples = self._start(examples)
        kept, held_out = self._split(examples) if self.early_stopping else (examples, None)
        updates = self.epochs * math.ceil(len(kept.x) / self.batch_size)
        schedule, update = schedule_of(self.schedule, updates), 0

        def rate() -> float:
            nonlocal update
            update += 1
            return float(self.lr * schedule(update - 1))

        best, waited = -math.inf, 0
        for _ in range(self.epochs):
            self._one_epoch(kept, rate)
            if held_out is not None:
                score = self._score_of(held_out)
                self.validation_scores_.append(score)
                waited = 0 if score > best else waited + 1
                if score > best:
                    best, state = score, nn.state_dict(self.network_)
                if waited >= self.patience:
                    break
        if held_out is not None and best > -math.inf:
            nn.load_state_dict(self.network_, state)
        return self

    def _partial_fit(self, examples: Examples, is_first: bool) -> Self:
        examples = self._start(examples) if is_first else self._cast(examples)
        self._one_epoch(examples, lambda: float(self.lr))
        return self

    def _one_epoch(self, examples: Examples, rate: Callable[[], float]) -> None:
        self.loss_ = self._trainer.epoch(examples, self.batch_size, self._rng, rate)
        self.loss_curve_.append(self.loss_)
        self.n_epochs_ += 1
        if not math.isfinite(self.loss_):
            raise ValueError(f"the loss of epoch {self.n_epochs_} is {self.loss_}: scale the inputs, or lower lr")

    def _start(self, examples: Examples) -> Examples:
        """A new network and its optimizer; returns the examples in the dtype of the network."""
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        self._rng = np.random.default_rng(seed)
        features, outputs = self.n_features_in_, self._begin(examples)
        if self.network is None:
            sizes = [features, *self.hidden, outputs]
            self.network_ = mlp(sizes, self.activation, self.dropout, self._rng, examples.x.dtype)
        else:
            self.network_ = self.network(features, outputs, self._rng)
        parameters = nn.parameters(self.network_)
        if not parameters:
            raise ValueError("the network has no parameters")
        self._dtype = next(iter(parameters.values())).dtype
        with no_grad(), nn.eval(self.network_):
            shape = self.network_(examples.x[:1].astype(self._dtype)).shape
        if shape != (1, outputs):
            raise ValueError(f"the network returns shape {shape} for one example, expected (1, {outputs})")
        optimizer = optimizer_of(self.optimizer, parameters, self.lr, self.optimizer_options)
        self._trainer = Trainer(self.network_, optimizer, self._loss)
        self.n_epochs_ = 0
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] = []
        return self._cast(examples)

    def _cast(self, examples: Examples) -> Examples:
        """The examples in the dtype of the network, and the targets as the loss takes them."""
        weights = None if examples.weights is None else examples.weights.astype(self._dtype)
        return Examples(examples.x.astype(self._dtype, copy=False), self._encoded(examples.y), weights)

    def _split(self, examples: Examples) -> tuple[Examples, Examples]:
        count = len(examples.x)
        held_out = round(self.validation_fraction * count)
        if not 0 < held_out < count:
            raise ValueError(f"validation_fraction {self.validation_fraction} of n_samples={count} holds out "
                             f"{held_out} and leaves {count - held_out}: each must be at least 1")  # fmt: skip
        order = self._rng.permutation(count)
        return examples.at(np.sort(order[held_out:])), examples.at(np.sort(order[:held_out]))

    def _check_options(self) -> None:
        for name in ("epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{name} must be an integer of at least 1, got {value!r:.80}")

    def _examples(self, X: Array, y: Array, sample_weight: Array, reset: bool) -> Examples:  # noqa: N803
        x, y = validate_data(self, X, y, reset=reset, dtype=[np.float64, np.float32], multi_output=True)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, x, dtype=x.dtype)
            check_non_negative(weights, "sample_weight")
            if not weights.any():
                raise ValueError("all elements of sample_weight are zero: there is nothing to fit")
        return Examples(x, self._targets(y), weights)

    def _outputs(self, X: Array) -> Array:  # noqa: N803
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        return self._trainer.outputs(x.astype(self._dtype, copy=False))

    def _targets(self, y: Array) -> Array:
        raise NotImplementedError

    def _begin(self, examples: Examples) -> int:
        """Read what is needed from the targets of a new network; return its number of outputs."""
        raise NotImplementedError

    def _encoded(self, y: Array) -> Array:
        raise NotImplementedError

    def _loss(self, outputs: Any, y: Array) -> Any:
        raise NotImplementedError

    def _score_of(self, examples: Examples) -> float:
        raise NotImplementedError


class NetworkClassifier(ClassifierMixin, _Network):  # type: ignore[misc]
    """A network that classifies, trained with cross-entropy.

    Parameters
    ----------
    network
        A function, or a class, ``network(features, outputs, rng)`` that returns a model: it takes inputs
        ``(N, features)``, and ``rng`` if it has ``draws = True``, and returns ``(N, outputs)``. By default, a
        multi-layer perceptron, which the next three parameters describe.
    hidden, activation, dropout
        The sizes of the hidden layers, the function after each (``"relu"``, ``"gelu"``, ``"silu"``, ``"sigmoid"``,
        ``"tanh"`` or any other), and the probability with which an element after it is dropped in training.
    optimizer, lr, optimizer_options
        A class of `tg.optim` or its name, the learning rate, and a dict of further options: ``{"weight_decay": 0.01}``.
    schedule
        ``"constant"``, or ``"cosine"``: the learning rate falls to 0 at the last epoch.
    epochs, batch_size
        The number of passes over the examples, and of examples in an update.
    early_stopping, validation_fraction, patience
        Whether to stop after ``patience`` epochs without a better score on a fraction of the examples, which is held
        out, and then to return to the best weights.
    random_state
        The seed, as elsewhere in scikit-learn.

    Attributes
    ----------
    network_, classes_
        The trained model, and the classes in the order of its outputs.
    loss_curve_, validation_scores_, n_epochs_
        The mean loss, and with early stopping the accuracy, of each epoch, and their number.

    Notes
    -----
    The dtype of the default network is that of ``X``: with float32, training takes half the time. If all examples fit
    in a batch, an example with weight 2 is equivalent to two examples; in smaller batches, only on average.

    Examples
    --------
    >>> from tensorgrad.sklearn import NetworkClassifier
    >>> digits = tg.data.digits()
    >>> x, y = digits.train_images.reshape(-1, 64) / np.float32(16), digits.train_labels
    >>> model = NetworkClassifier(hidden=(64,), epochs=10, random_state=0).fit(x, y)
    >>> test = digits.test_images.reshape(-1, 64) / np.float32(16)
    >>> model.score(test, digits.test_labels) > 0.93
    True
    """

    def partial_fit(self, X: Array, y: Array, classes: Array = None, sample_weight: Array = None) -> Self:  # noqa: N803
        """Train for one epoch, from the weights so far; the first call needs all ``classes``, unless ``y`` has them."""
        self._check_options()
        is_first = not hasattr(self, "network_")
        examples = self._examples(X, y, sample_weight, reset=is_first)
        self._given = None
        if is_first and classes is not None:
            self._given = np.unique(classes)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes={classes!r:.80} are not those of the first call, {self.classes_}")
        known = self._given if is_first else self.classes_
        if known is not None and not np.isin(examples.y, known).all():
            raise ValueError(f"y has labels that are not in classes={known}")
        return self._partial_fit(examples, is_first)

    def predict_proba(self, X: Array) -> Array:  # noqa: N803
        """The probabilities of the classes, ``(N, classes)``."""
        return functional.softmax(self._outputs(X), axis=1)

    def predict_log_proba(self, X: Array) -> Array:  # noqa: N803
        """The logarithms of the probabilities, ``(N, classes)``."""
        return functional.log_softmax(self._outputs(X), axis=1)

    def predict(self, X: Array) -> Array:  # noqa: N803
        """The most probable class of each example, ``(N,)``."""
        found = self._outputs(X).argmax(axis=1)
        return self.classes_[found]

    def fit(self, X: Array, y: Array, sample_weight: Array = None) -> Self:  # noqa: N803
        """Train a new network on ``X`` ``(N, features)`` and labels ``y``; weights are relative to each other."""
        self._given = None
        return super().fit(X, y, sample_weight)

    def _targets(self, y: Array) -> Array:
        check_classification_targets(y)
        return column_or_1d(y, warn=True)

    def _begin(self, examples: Examples) -> int:
        self.classes_ = np.unique(examples.y) if self._given is None else self._given
        if len(self.classes_) < 2:
            raise ValueError(f"the labels have {len(self.classes_)} class, expected at least 2 classes")
        return len(self.classes_)

    def _encoded(self, y: Array) -> Array:
        return np.searchsorted(self.classes_, y)

    def _loss(self, outputs: Any, y: Array) -> Any:
        return functional.cross_entropy(outputs, y, reduction="none")

    def _score_of(self, examples: Examples) -> float:
        found = self._trainer.outputs(examples.x).argmax(axis=1)
        return float(accuracy_score(examples.y, found, sample_weight=examples.weights))


class NetworkRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    """A network that predicts numbers, trained with the squared error; parameters are those of `NetworkClassifier`.

    Targets ``(N,)`` or ``(N, outputs)`` are standardized for the training.

    Examples
    --------
    >>> from tensorgrad.sklearn import NetworkRegressor
    >>> x = np.linspace(-3, 3, 200)[:, None]
    >>> model = NetworkRegressor(lr=0.02, epochs=200, random_state=0).fit(x, np.sin(x[:, 0]))
    >>> bool(np.abs(model.predict(x) - np.sin(x[:, 0])).max() < 0.1)
    True
    """

    def partial_fit(self, X: Array, y: Array, sample_weight: Array = None) -> Self:  # noqa: N803
        """Train for one epoch, from the weights so far; the first call determines how targets are standardized."""
        self._check_options()
        is_first = not hasattr(self, "network_")
        return self._partial_fit(self._examples(X, y, sample_weight, reset=is_first), is_first)

    def predict(self, X: Array) -> Array:  # noqa: N803
        """The predicted targets, ``(N,)`` or ``(N, outputs)``."""
        found = self._outputs(X)
        found = found * self._scale + self._mean
        return found if self._is_matrix else found[:, 0]

    def _targets(self, y: Array) -> Array:
        return np.asarray(y, np.float64 if np.asarray(y).dtype.kind != "f" else None)

    def _begin(self, examples: Examples) -> int:
        self._is_matrix = examples.y.ndim == 2
        y = examples.y.reshape(len(examples.y), -1)
        self._mean = np.average(y, axis=0, weights=examples.weights)
        deviation = np.sqrt(np.average((y - self._mean) ** 2, axis=0, weights=examples.weights))
        self._scale = np.where(deviation > 0, deviation, 1.0)
        return int(y.shape[1])

    def _encoded(self, y: Array) -> Array:
        return ((y.reshape(len(y), -1) - self._mean) / self._scale).astype(self._dtype)

    def _loss(self, outputs: Any, y: Array) -> Any:
        return np.mean((outputs - y) ** 2, axis=1)

    def _score_of(self, examples: Examples) -> float:
        return float(r2_score(examples.y, self._trainer.outputs(examples.x), sample_weight=examples.weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
