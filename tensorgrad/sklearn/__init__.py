"""Networks as estimators of scikit-learn, which must be installed: the extra ``sklearn``."""

from tensorgrad.sklearn.estimators import NetworkClassifier, NetworkRegressor

__all__ = ["NetworkClassifier", "NetworkRegressor"]
