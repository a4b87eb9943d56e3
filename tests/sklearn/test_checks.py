"""scikit-learn's own checks of estimators."""

import pytest

checks = pytest.importorskip("sklearn.utils.estimator_checks", reason="needs the extra `sklearn`")

from tensorgrad.sklearn import NetworkClassifier, NetworkRegressor  # noqa: E402

SHORT = {"hidden": (32,), "epochs": 30, "lr": 0.02}  # than by default, for a third of the time


@checks.parametrize_with_checks([NetworkClassifier(**SHORT), NetworkRegressor(**SHORT)])
def test_check_of_scikit_learn(estimator, check):
    check(estimator)
