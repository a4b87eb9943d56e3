"""Errors of SciPy's functions that are called with a tensor name the function, and the one to write instead."""

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import leaf

scipy = pytest.importorskip("scipy")
for _module in ("fft", "integrate", "interpolate", "linalg", "ndimage", "optimize", "signal", "sparse.linalg", "stats"):
    pytest.importorskip(f"scipy.{_module}")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of SciPy's own

T, M, EYE = leaf([1.0, 2.0, 3.0]), leaf(np.eye(3) * 2 + 0.1), np.eye(3)
CSC = scipy.sparse.csc_array(EYE)
OURS = {  # with a counterpart
    "linalg.expm": lambda: scipy.linalg.expm(M),
    "linalg.sqrtm": lambda: scipy.linalg.sqrtm(M),
    "linalg.solve_triangular": lambda: scipy.linalg.solve_triangular(M, T),
    "linalg.cho_factor": lambda: scipy.linalg.cho_factor(M),
    "linalg.cho_solve": lambda: scipy.linalg.cho_solve((EYE, True), T),
    "linalg.block_diag": lambda: scipy.linalg.block_diag(M, EYE),
    "linalg.solve_sylvester": lambda: scipy.linalg.solve_sylvester(EYE, M, EYE),
    "special.logsumexp": lambda: scipy.special.logsumexp(T),
    "special.softmax": lambda: scipy.special.softmax(T),
    "special.polygamma": lambda: scipy.special.polygamma(1, T),
    "special.multigammaln": lambda: scipy.special.multigammaln(T, 1),
    "stats.norm.logpdf": lambda: scipy.stats.norm.logpdf(T),
    "stats.t.cdf": lambda: scipy.stats.t.cdf(1.0, T),
    "stats.poisson.logpmf": lambda: scipy.stats.poisson.logpmf([1, 2, 3], T),
    "stats.gamma.pdf": lambda: scipy.stats.gamma(T[0]).pdf(1.0),
    "stats.multivariate_normal.logpdf": lambda: scipy.stats.multivariate_normal.logpdf(EYE[0], T, EYE),
    "stats.dirichlet.logpdf": lambda: scipy.stats.dirichlet.logpdf([0.2, 0.3, 0.5], T),
    "signal.convolve": lambda: scipy.signal.convolve(T, T),
    "signal.fftconvolve": lambda: scipy.signal.fftconvolve(EYE[0], T),
    "integrate.odeint": lambda: scipy.integrate.odeint(lambda y, x: -y, T, [0, 1.0]),
    "integrate.solve_ivp": lambda: scipy.integrate.solve_ivp(lambda x, y: -y * T[0], (0, 1), [1.0]),
    "sparse.spsolve": lambda: scipy.sparse.linalg.spsolve(CSC, T),
    "sparse.matmul": lambda: CSC @ T,
}
# fmt: off
OTHERS = {
    "scipy.linalg.inv does not support tensors: write np.linalg.inv": lambda: scipy.linalg.inv(M),
    "scipy.fft.fft does not support tensors: write np.fft.fft": lambda: scipy.fft.fft(T),
    "scipy.linalg.toeplitz does not support tensors: write it with NumPy's": lambda: scipy.linalg.toeplitz(T),
    "scipy.ndimage.gaussian_filter does not": lambda: scipy.ndimage.gaussian_filter(T, 1),
    "scipy.stats.zscore does not": lambda: scipy.stats.zscore(T),
    "scipy.integrate.quad does not": lambda: scipy.integrate.quad(lambda x: T[0] * x, 0, 1),
    "scipy.interpolate.interp1d does not": lambda: scipy.interpolate.interp1d([0, 1, 2], T),
    "scipy.integrate.trapezoid does not support tensors: write np.trapezoid": lambda: scipy.integrate.trapezoid(T),
    "scipy.optimize.minimize does not support tensors: pass arrays, and functions of arrays: tg.value_and_grad":
        lambda: scipy.optimize.minimize(lambda x: x @ x, T),
    # functions behind a decorator
    "scipy.stats.linregress does not": lambda: scipy.stats.linregress(T, [1.0, 2.0, 3.0]),
    "scipy.stats.norm.fit does not": lambda: scipy.stats.norm.fit(T),
    "scipy.special.spherical_jn does not": lambda: scipy.special.spherical_jn(1, T),
    "scipy.stats.multivariate_normal does not support tensors: import tensorgrad.scipy, and write t":
        lambda: scipy.stats.multivariate_normal(T, EYE),
}
# fmt: on


def message(call):
    with pytest.raises(tg.GradientLostError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize("name", OURS)
def test_the_error_names_what_was_called_and_what_to_write(name):
    found = message(OURS[name])
    assert f"write tensorgrad.scipy.{name}" in found
    if not name.startswith("sparse"):
        assert f"scipy.{name} does not support tensors" in found


@pytest.mark.parametrize("name", OTHERS)
def test_what_has_no_counterpart_is_named(name):
    assert name in message(OTHERS[name])


def test_what_a_callback_of_the_user_does_is_not_blamed_on_scipy():
    found = message(lambda: scipy.optimize.minimize(lambda x: float(np.asarray([T[0], 1.0])[0]), np.ones(1)))
    assert "scipy" not in found
