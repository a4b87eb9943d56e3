"""Programs written for HIPS autograd that run here after a change of the imports, and give the same numbers."""

import pytest

pytest.importorskip("autograd")
pytest.importorskip("scipy.stats")

pytestmark = pytest.mark.compare

THEIRS = """
import autograd.numpy as np
import autograd.numpy.random as npr
from autograd import grad, hessian, jacobian, value_and_grad
from autograd.scipy.special import gammaln, logsumexp
from autograd.scipy.stats import multivariate_normal, norm
from scipy.optimize import minimize
"""
OURS = """
import numpy as np
import numpy.random as npr
from tensorgrad import grad, hessian, jacobian, value_and_grad
from scipy.special import gammaln
from tensorgrad.scipy.special import logsumexp
from tensorgrad.scipy.stats import multivariate_normal, norm
from scipy.optimize import minimize
"""
PROGRAMS = {
    "the likelihood of a Kalman filter": """
def minus_log_likelihood(theta, ys):
    q, r = np.exp(theta)
    mean, variance, total = 0.0, 1.0, 0.0
    for y in ys:
        variance = variance + q
        spread = variance + r
        gain = variance / spread
        total += 0.5 * (np.log(2 * np.pi * spread) + (y - mean) ** 2 / spread)
        mean, variance = mean + gain * (y - mean), (1 - gain) * variance
    return total
rs = npr.RandomState(0)
ys = np.cumsum(rs.randn(20) * 0.3) + rs.randn(20) * 0.2
result = minimize(value_and_grad(minus_log_likelihood), np.zeros(2), args=(ys,), jac=True, method="BFGS").fun
""",
    "decompositions of matrices": """
A = npr.RandomState(0).randn(4, 4)
def f(A):
    S = np.dot(A, A.T) + np.eye(4)
    w, V = np.linalg.eigh(S)
    _, logdet = np.linalg.slogdet(S)
    singular = np.linalg.svd(A, compute_uv=False)
    return np.sum(w**1.5) + np.sum(singular) + logdet + np.trace(np.linalg.inv(S)) + np.sum(V[:, 0] ** 2 * np.arange(4))
result = np.sum(grad(f)(A) * A)
""",
    "a network with a dict of weights": """
def model(p, X):
    h = np.concatenate([np.tanh(X @ p["W1"]), np.ones((X.shape[0], 1))], axis=1)
    z = np.clip(h @ p["W2"], -3, 3)
    return np.where(z > 0, z, 0.1 * z).squeeze()
rs = npr.RandomState(0)
X, y = rs.randn(10, 3), rs.randn(10)
def loss(p):
    return np.mean((model(p, X) - y) ** 2) + 1e-2 * sum(np.sum(np.abs(w)) for w in p.values())
p = {"W1": rs.randn(3, 4), "W2": rs.randn(5, 1)}
for _ in range(20):
    g = grad(loss)(p)
    p = {name: p[name] - 0.05 * g[name] for name in p}
result = loss(p)
""",
    "the Hessian of a simulation": """
def slope(s, theta):
    return np.stack([s[1], -theta[0] * np.sin(s[0]) - theta[1] * s[1]])
def simulate(theta, s, h=0.05):
    trajectory = []
    for _ in range(20):
        a = slope(s, theta)
        b = slope(s + 0.5 * h * a, theta)
        c = slope(s + 0.5 * h * b, theta)
        s = s + h / 6 * (a + 2 * b + 2 * c + slope(s + h * c, theta))
        trajectory.append(s[0])
    return np.stack(trajectory)
seen = simulate(np.array([9.8, 0.2]), np.array([1.0, 0.0]))
H = hessian(lambda theta: np.sum((simulate(theta, np.array([1.0, 0.0])) - seen) ** 2))(np.array([9.0, 0.1]))
result = np.sum(H)
""",
    "Newton's method for a regression of counts": """
rs = npr.RandomState(0)
X = rs.randn(30, 3)
y = rs.poisson(np.exp(X @ np.array([0.3, -0.2, 0.5])))
def loss(b):
    return -np.sum(y * (X @ b) - np.exp(X @ b) - gammaln(y + 1))
b = np.zeros(3)
for _ in range(6):
    b = b - np.linalg.solve(hessian(loss)(b), grad(loss)(b))
result = loss(b) + b.sum()
""",
    "attention": """
rs = npr.RandomState(0)
Q, K, V = rs.randn(2, 3, 4), rs.randn(2, 3, 4), rs.randn(2, 3, 4)
def attention(Q, K, V):
    a = np.einsum("bqd,bkd->bqk", Q, K) / np.sqrt(4)
    a = np.exp(a - np.max(a, axis=-1, keepdims=True))
    return np.sum(np.einsum("bqk,bkd->bqd", a / np.sum(a, axis=-1, keepdims=True), V) ** 2)
result = sum(np.sum(grad(attention, i)(Q, K, V) * (i + 1)) for i in range(3))
""",
    "sensitivities of an option": """
def price(S, K, T, r, sigma):
    d = (np.log(S / K) + (r + sigma**2 / 2) * T) / (sigma * np.sqrt(T))
    return S * norm.cdf(d) - K * np.exp(-r * T) * norm.cdf(d - sigma * np.sqrt(T))
at = (100.0, 95.0, 0.5, 0.02, 0.3)
result = sum(grad(price, i)(*at) for i in range(5)) + grad(grad(price, 0), 0)(*at) + grad(grad(price, 4), 0)(*at)
""",
    "a factorization of a matrix with gaps": """
rs = npr.RandomState(0)
R = rs.rand(5, 4)
i, j = np.nonzero(rs.rand(5, 4) > 0.3)
def loss(factors):
    U, V = factors
    return np.sum((np.sum(U[i] * V[j], axis=1) - R[i, j]) ** 2) + 0.1 * (np.sum(U**2) + np.sum(V**2))
U, V = rs.rand(5, 2), rs.rand(4, 2)
for _ in range(20):
    g = grad(loss)((U, V))
    U, V = U - 0.05 * g[0], V - 0.05 * g[1]
result = loss((U, V))
""",
    "a loss of spectra": """
x = npr.RandomState(0).randn(16)
def loss(z):
    spectrum = np.fft.fft(z)
    return np.sum(np.abs(spectrum) ** 1.5) + np.sum(np.real(np.fft.ifft(spectrum * np.exp(-np.arange(16) / 4))) ** 2)
result = np.sum(grad(loss)(x) * np.arange(16))
""",
    "the second derivative of a solution of equations": """
def compliance(t):
    K = np.diag(2 * t**3) + np.diag(-(t[1:] ** 3), 1) + np.diag(-(t[1:] ** 3), -1)
    return np.dot(np.linalg.solve(K, np.ones(len(t))), np.ones(len(t)))
result = np.sum(jacobian(grad(compliance))(np.linspace(1, 2, 6)))
""",
    "a mixture of normal distributions": """
rs = npr.RandomState(0)
data = rs.randn(30, 2)
def log_likelihood(p):
    parts = []
    for weight, mean, root in zip(p["weights"] - logsumexp(p["weights"]), p["means"], p["roots"]):
        parts.append(weight + multivariate_normal.logpdf(data, mean, np.dot(root.T, root)))
    return np.sum(logsumexp(np.vstack(parts), axis=0))
p = {"weights": rs.randn(3), "means": rs.randn(3, 2), "roots": np.zeros((3, 2, 2)) + np.eye(2)}
g = grad(log_likelihood)(p)
result = sum(np.sum(g[name] * p[name]) for name in p)
""",
}


def run(imports, program):
    names = {"__name__": "program"}
    exec(compile(imports + program, "<program>", "exec"), names)
    return float(names["result"])


@pytest.mark.filterwarnings("ignore")  # of autograd
@pytest.mark.parametrize("name", PROGRAMS)
def test_with_other_imports_the_program_gives_the_same_number(name):
    expected = run(THEIRS, PROGRAMS[name])
    assert expected
    assert run(OURS, PROGRAMS[name]) == pytest.approx(expected, rel=1e-9)
