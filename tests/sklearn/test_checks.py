"""scikit-learn's own checks of estimators."""

import pytest

from tests.helpers import is_installed

pytestmark = pytest.mark.skipif(not is_installed("sklearn"), reason="needs the extra `sklearn`")

SHORT = {"hidden": (32,), "epochs": 30, "lr": 0.02}  # than by default, for a third of the time


@pytest.mark.parametrize("name", ["NetworkClassifier", "NetworkRegressor"])
def test_checks_of_scikit_learn(name):
    """All of them, about 60, in one test: their list is in a module that takes seconds to import."""
    from sklearn.utils.estimator_checks import check_estimator

    from tensorgrad import sklearn

    results = check_estimator(getattr(sklearn, name)(**SHORT), on_skip=None, on_fail=None)
    assert len(results) > 50
    assert [(r["check_name"], r["exception"]) for r in results if r["status"] not in ("passed", "skipped")] == []
