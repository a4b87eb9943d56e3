# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6. Hessians, Newton's method and Gaussian processes, with SciPy
#
# A gradient says which way is down. It does not say how far to go. The second derivatives do, and a tape that can
# record its own backward pass gives them for the asking. This lesson uses them for four things: to find minima in a few
# steps, to understand learning rates, to put error bars on estimates, and to fit a Gaussian process to a hundred years
# of floods.
#
# You need: lesson 1; eigenvalues. SciPy is used for its optimizers.

# %%
import matplotlib.pyplot as plt
import numpy as np
from lesson import at_least, at_most, close, exercise
from scipy.optimize import minimize

import tensorgrad as tg

# %% [markdown]
# ## The second derivative of a function of many variables
#
# It is a matrix, the Hessian: $H_{ij} = \partial^2 f / \partial x_i \partial x_j$. Row $i$ is the gradient of the
# $i$-th component of the gradient: so we need a gradient of a gradient. The rules of the gradient table are NumPy code,
# and are recorded in turn.
#
# Our first function is a valley with a curved floor, by Rosenbrock (1960), a test for optimizers ever since.


# %%
def valley(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


a, b = start = np.array([-1.2, 1.0])
H = tg.hessian(valley, start)
close("the Hessian", H, [[1200 * a**2 - 400 * b + 2, -400 * a], [-400 * a, 200]], 1e-9)
print(H)
print("eigenvalues:", np.linalg.eigvalsh(H).round(1))

# %% [markdown]
# The eigenvalues say how curved the function is: steeply across the valley, gently along it. This ratio is what makes
# gradient descent slow. A step that is safe across the valley is tiny along it.
#
# ## Newton's method
#
# Replace the function by its parabola, and go to the bottom of *that*:
#
# $$ f(x + s) \approx f(x) + g^T s + \tfrac12 s^T H s \qquad\Longrightarrow\qquad s = -H^{-1} g . $$

# %%
gradient, hessian = tg.grad(valley), tg.hessian(valley)
x, newton = start, [start]
for _ in range(7):
    x = x - np.linalg.solve(hessian(x), gradient(x))
    newton.append(x)

x, descent = start, [start]
for _ in range(2000):
    x = x - 0.001 * gradient(x)
    descent.append(x)
newton, descent = np.array(newton), np.array(descent)

# %%
u, v = np.meshgrid(np.linspace(-1.7, 1.7, 200), np.linspace(-3.4, 2.2, 200))
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
left.contour(u, v, np.log10(100 * (v - u**2) ** 2 + (1 - u) ** 2 + 1e-3), 12, colors="0.75", linewidths=0.8)
left.plot(*descent.T, ".", ms=2, color="C1", label="2000 steps of gradient descent")
left.plot(*newton.T, "o-", color="C0", ms=4, lw=1, label="7 steps of Newton's method")
left.plot(1, 1, "k*", ms=10)
left.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1))
right.semilogy(np.linalg.norm(descent - 1, axis=1)[:40], color="C1")
right.semilogy(np.linalg.norm(newton - 1, axis=1) + 1e-17, "o-", color="C0")
right.set(xlabel="step", ylabel="distance to the minimum")
print("distance after 2000 steps of gradient descent:", np.linalg.norm(descent[-1] - 1).round(3))
assert np.linalg.norm(newton[-1] - 1) < 1e-9 < 0.1 < np.linalg.norm(descent[-1] - 1)

# %% [markdown]
# Near the minimum, each of Newton's steps doubles the number of correct digits. Far from it, the parabola can be a bad
# picture: look at the second step, which leaves the valley. Real optimizers guard against that, so we leave it to one.
#
# ## SciPy brings the optimizer, tensorgrad the derivatives
#
# `scipy.optimize.minimize` takes functions of an array. `tg.value_and_grad(f)` is such a function, and so are
# `tg.hessian(f)` and `tg.hvp`. Here is the valley in 20 dimensions, with less and with more knowledge:

# %%
far = np.tile([1.3, 0.7], 10)
more = {"method": "trust-krylov", "jac": True, "hessp": lambda x, v: tg.hvp(valley, x, v)}
runs = {
    "Nelder-Mead: values only": {"method": "Nelder-Mead", "options": {"maxfev": 10000, "maxiter": 10000}},
    "BFGS: gradient by differences": {"method": "BFGS"},
    "BFGS: gradient by tensorgrad": {"method": "BFGS", "jac": True},
    "trust-krylov: products with the Hessian": more,
    "trust-exact: the Hessian": {"method": "trust-exact", "jac": True, "hess": tg.hessian(valley)},
}
found = {}
for name, options in runs.items():
    found[name] = minimize(tg.value_and_grad(valley) if "jac" in options else valley, far, **options)
    print(f"{name:40} {found[name].nfev:6} evaluations, minimum {found[name].fun:.1e}")
counts = [result.nfev for result in found.values()]
assert counts[1] > 10 * counts[2]
assert counts[2] > 2 * counts[3] > 2 * counts[4]
assert max(result.fun for name, result in found.items() if name[0] != "N") < 1e-8

# %% [markdown]
# The gradient saves a factor of about twenty: for a difference quotient in twenty dimensions, the function is evaluated
# 21 times. The second derivatives save another factor of several. Nelder-Mead did not arrive: its minimum should be 0.
#
# `tg.minimize` puts the two together: it hands each of SciPy's methods the derivatives that it can use. The variables
# may be an array, or a dict or list of arrays.

# %%
result = tg.minimize(
    lambda p: 100 * (p["v"] - p["u"] ** 2) ** 2 + (1 - p["u"]) ** 2, {"u": -1.2, "v": 1.0}, method="trust-exact"
)
print(result.x)
close("the minimum", list(result.x.values()), [1, 1], 1e-5)

# %% [markdown]
# ## A product with the Hessian, without the Hessian
#
# A network with a million weights has a Hessian with $10^{12}$ entries. But many methods only need $Hv$ for some
# vectors $v$, and
#
# $$ H v = \nabla \left( g \cdot v \right) $$
#
# is the gradient of one number. It costs about as much as a few gradients. That is `tg.hvp(f, x, v)`, which one of the
# runs above used.

# %%
direction = np.random.default_rng(0).standard_normal(20)
product = tg.hvp(valley, far, direction)
close("Hv", product, tg.hessian(valley, far) @ direction, 1e-9)
inner = tg.grad(lambda x: np.sum(tg.grad(valley)(x) * direction))
close("Hv as the gradient of a number", product, inner(far), 1e-9)

# %% [markdown]
# ## The Hessian of a network, and its learning rate
#
# Train a small network of 6 hidden units, by such products, and compute all second derivatives of its loss. It has 460
# parameters, so the matrix is 460 x 460.

# %%
data = tg.data.digits()
images, labels = data.train_images[:300].reshape(-1, 64) / 16, data.train_labels[:300]
shapes = [(64, 6), (6,), (6, 10), (10,)]
cuts = np.cumsum([np.prod(shape) for shape in shapes])[:-1]


def loss(flat):
    w1, b1, w2, b2 = (p.reshape(shape) for p, shape in zip(np.split(flat, cuts), shapes, strict=True))
    return tg.cross_entropy(np.tanh(images @ w1 + b1) @ w2 + b2, labels) + 0.0005 * np.sum(flat**2)


begin = np.random.default_rng(0).normal(0, 0.3, 460)
w = minimize(tg.value_and_grad(loss), begin, **more | {"hessp": lambda w, v: tg.hvp(loss, w, v)}, tol=1e-8).x
H = tg.hessian(loss, w)
curvatures = np.linalg.eigvalsh(H)
largest = curvatures[-1]

figure, axes = plt.subplots(figsize=(7, 2.8))
axes.semilogy(np.maximum(curvatures[::-1], 1e-4), ".", ms=4)
axes.set(xlabel="number of the eigenvalue", ylabel="curvature")
print(f"largest curvature {largest:.2f}, median {np.median(curvatures):.4f}")
assert largest > 50 * np.median(curvatures)

# %% [markdown]
# A few directions are steep, and most are almost flat. (Most have a curvature of about 0.001, which is that of the
# penalty.)
#
# This explains why the learning rate has a limit, as seen in lesson 3. Along a direction of curvature $c$, the loss is
# $\frac{c}{2} t^2$, and gradient descent does $t \leftarrow t - \eta c t = (1 - \eta c)\, t$. It shrinks if
# $|1 - \eta c| < 1$, that is, if $\eta < 2 / c$. **The steepest direction sets the limit: $\eta < 2 / c_{\max}$.** Let
# us see: start a little beside the minimum, in the steepest direction, with a rate slightly below and slightly above.

# %%
steepest = np.linalg.eigh(H)[1][:, -1]
descend = tg.grad(loss)
figure, axes = plt.subplots()
for factor in (0.9, 1.1):
    v, distances = w + 1e-4 * steepest, []
    for _ in range(30):
        v = v - factor * 2 / largest * descend(v)
        distances.append(abs((v - w) @ steepest))
    axes.semilogy(distances, "o-", ms=3, label=f"rate = {factor} times 2 / curvature")
    assert (distances[-1] < 1e-5) if factor < 1 else (distances[-1] > 1e-3)
axes.set(xlabel="step", ylabel="distance")
axes.legend()
plt.show()

# %% [markdown]
# ## A Gaussian process, fitted to the Nile
#
# Here is the annual flow of the Nile at Aswan for a hundred years (Cobb, Biometrika, 1978). There is a slow change, and
# there is noise. How much is which?

# %%
FLOW = np.array([
    1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960, 1180, 799, 958, 1140,
    1100, 1210, 1150, 1250, 1260, 1220, 1030, 1100, 774, 840, 874, 694, 940, 833, 701, 916, 692, 1020, 1050, 969, 831,
    726, 456, 824, 702, 1120, 1100, 832, 764, 821, 768, 845, 864, 862, 698, 845, 744, 796, 1040, 759, 781, 865, 845,
    944, 984, 897, 822, 1010, 771, 676, 649, 846, 812, 742, 801, 1040, 860, 874, 848, 890, 744, 749, 838, 1050, 918,
    986, 797, 923, 975, 815, 1020, 906, 901, 1170, 912, 746, 919, 718, 714, 740.0])  # fmt: skip
year = np.arange(1871.0, 1971)
flow = FLOW - FLOW.mean()

# %% [markdown]
# A *Gaussian process* says: the values of the curve at any times are jointly normal, and the values at two times are
# the more alike, the closer the times are:
#
# $$ k(s, t) = h^2 \exp\left( -\frac{(s - t)^2}{2\, \ell^2} \right), $$
#
# with the height $h$ of the curve and the time $\ell$ over which it changes. A measurement is the curve plus noise of
# standard deviation $\sigma$. Then the hundred measurements $y$ are normal with the covariance matrix
# $K = k(t, t) + \sigma^2 I$, and their log density is
#
# $$ \log p(y) = -\tfrac12 y^T K^{-1} y - \tfrac12 \log \det K - \tfrac{n}{2} \log 2\pi . $$
#
# Choose $h$, $\ell$ and $\sigma$ so that the measurements become as probable as possible. With the Cholesky factor
# $K = L L^T$ it takes four lines.


# %%
def smooth(s, t, theta):
    height, length, _ = np.exp(theta)  # the logarithms are free to be any numbers
    return height**2 * np.exp(-0.5 * ((s[:, None] - t) / length) ** 2)


def surprise(theta, kernel=smooth):
    """Minus the log density of the measurements."""
    K = kernel(year, year, theta) + np.exp(2 * theta[2]) * np.eye(len(year))
    L = np.linalg.cholesky(K)
    z = np.linalg.solve(L, flow)
    return 0.5 * np.sum(z**2) + np.sum(np.log(np.diag(L))) + 0.5 * len(year) * np.log(2 * np.pi)


# %% [markdown]
# The derivative of this goes through a Cholesky factorization and the solution of a linear system. On paper, that is a
# page of matrix calculus. Here it is `jac=True`.

# %%
guess = np.log([150.0, 15.0, 150.0])
assert tg.gradcheck(surprise, [guess])
fits = {}
for name, start in (("slow", guess), ("fast", np.log([150.0, 3.0, 150.0]))):
    fits[name] = fit = minimize(tg.value_and_grad(surprise), start, jac=True, method="BFGS")
    height, length, noise = np.exp(fit.x)
    print(
        f"{name}: log density {-fit.fun:.2f}, height {height:.0f}, length {length:.1f} years, noise {noise:.0f}", end=""
    )
    print(f", after {fit.nfev} evaluations")
assert abs(np.exp(fits["slow"].x[1]) - 23.7) < 0.1
assert abs(np.exp(fits["fast"].x[1]) - 2.6) < 0.1
assert 1 < fits["slow"].fun - fits["fast"].fun < 2

# %% [markdown]
# Two guesses, two answers: the likelihood has two maxima. One says that the river changes over 24 years, and the rest
# is noise. The other says that it changes within three years, with less noise. The second is more probable, but only by
# a factor of $e^{1.4}$, about four. A hundred numbers do not decide it. **Start from more than one point.**
#
# **Error bars.** How sure is each answer of its three numbers? If the log density is sharply curved at its maximum,
# other values nearby are much less probable. Replace it by its parabola, as Newton did: then the parameters are normal
# with the covariance matrix $H^{-1}$ (Laplace's approximation). One line:


# %%
def deviations(fit):
    return np.sqrt(np.diag(np.linalg.inv(tg.hessian(surprise, fit.x))))


for name, fit in fits.items():
    for parameter, value, error in zip(("height", "length", "noise"), fit.x, deviations(fit), strict=True):
        low, high = np.exp(value - error), np.exp(value + error)
        print(f"{name}  {parameter:7} {np.exp(value):6.1f}, one standard deviation: {low:6.1f} to {high:6.1f}")
    assert deviations(fit)[2] == min(deviations(fit))

# %% [markdown]
# The noise is the best known of the three: each of the hundred years tells about it. The length of the slow curve is
# known only within a factor of 1.5, since in a hundred years such a curve changes just a few times. And note what
# Laplace's error bars cannot know: that there is another maximum.
#
# The curve itself, given the measurements, is normal again, with the mean $k(t^*, t)\, K^{-1} y$ at the times $t^*$.

# %%
at = np.linspace(1871, 1990, 300)


def predict(theta, kernel=smooth):
    """Mean and standard deviation of the curve."""
    K = kernel(year, year, theta) + np.exp(2 * theta[2]) * np.eye(100)
    cross = kernel(at, year, theta)
    variance = np.exp(2 * theta[0]) - np.sum(cross * np.linalg.solve(K, cross.T).T, axis=1)
    return cross @ np.linalg.solve(K, flow) + FLOW.mean(), np.sqrt(variance)


# a map of the log density, at a height between those of the two answers
lengths, noises = np.geomspace(1.2, 120, 30), np.geomspace(90, 200, 30)
levels = [[-surprise(np.array([np.log(115), np.log(a), np.log(b)])) for a in lengths] for b in noises]

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4), width_ratios=(1.5, 1))
left.plot(year, FLOW, "k.", ms=4)
right.contourf(
    lengths, noises, levels, levels=[-660, -655, -650, -647, -644, -642, -641, -640, -639, -638], cmap="Blues"
)
for (name, fit), colour in zip(fits.items(), ("C1", "C3"), strict=True):
    mean, deviation = predict(fit.x)
    left.plot(at, mean, colour, label=name)
    left.fill_between(at, mean - 2 * deviation, mean + 2 * deviation, alpha=0.2, color=colour, lw=0)
    theta, bars = fit.x[1:], np.diag(deviations(fit)[1:])
    for bar in bars:
        right.plot(*np.exp([theta - bar, theta, theta + bar]).T, f"{colour}-o", ms=4, markevery=[1])
left.set(xlabel="year", ylabel="flow, $10^8$ m$^3$ a year", title="two curves, each with two standard deviations")
left.legend(loc="upper right")
right.set(xscale="log", xlabel="length, years", ylabel="noise", title="log density, with Laplace's error bars")
plt.show()

# %% [markdown]
# After the last measurement, the bands open: the model knows what it does not know. The fast curve returns to the mean
# within a few years, the slow one takes decades. `examples/gaussian_process.py` is this fit as a program.
#
# ## Exercises
#
# ### Exercise 1: Newton for a classifier
#
# Logistic regression, threes against eights: the loss below is a convex function of 65 numbers. Write Newton's method.
# From `w = 0`, eight steps bring the largest slope below $10^{-10}$; gradient descent would need thousands.

# %% tags=["exercise-1"]
chosen = np.isin(data.train_labels, (3, 8))
ink = np.hstack([data.train_images[chosen].reshape(-1, 64) / 16, np.ones((chosen.sum(), 1))])
sign = np.where(data.train_labels[chosen] == 3, 1, -1)


def logistic(w):
    return np.mean(np.logaddexp(0, -sign * (ink @ w))) + 0.001 * np.sum(w**2)


def minimum(f, w, steps=8):
    for _ in range(steps):
        w = w - 0.5 * tg.grad(f)(w)
    return w


# %% tags=["check-1"]
with exercise(1):
    at_most("the largest slope", np.abs(tg.grad(logistic)(minimum(logistic, np.zeros(65)))).max(), 1e-10)

# %% [markdown]
# ### Exercise 2: the steepest direction, without the matrix
#
# If $v$ is multiplied by $H$ again and again, and divided by its length each time, it turns into the direction of the
# largest eigenvalue, and its length before the division goes to that eigenvalue (*power iteration*). Write it with
# `tg.hvp`. At most 100 products; the result must be right to one percent.


# %% tags=["exercise-2"]
def largest_curvature(f, x, rng, products=100):
    v = rng.standard_normal(x.shape)
    return np.linalg.norm(v)


# %% tags=["check-2"]
with exercise(2):
    found = largest_curvature(loss, w, np.random.default_rng(1))
    close("the ratio to the largest eigenvalue", found / largest, 1, 0.01)
    close(
        "the largest curvature of 3x^2",
        largest_curvature(lambda x: 3 * np.sum(x**2), np.ones(4), np.random.default_rng(1)),
        6,
    )

# %% [markdown]
# ### Exercise 3: a rougher curve
#
# Rivers are not as smooth as $e^{-t^2}$. Another kernel, by Matérn, has curves with kinks in their slope: with
# $r = \sqrt3\, |s - t| / \ell$,
#
# $$ k(s, t) = h^2 (1 + r)\, e^{-r} . $$
#
# Write it. From the same guess, its fit has a higher log density than both of the smooth ones.


# %% tags=["exercise-3"]
def matern(s, t, theta):
    return smooth(s, t, theta)


# %% tags=["check-3"]
with exercise(3):
    tg.gradcheck(lambda theta: matern(year[:5], year[:4], theta), [guess])
    close("k(t, t)", np.diag(matern(year, year, guess)), np.full(100, 150.0**2), 1e-6)
    close(
        "k over a length", matern(year[:1], year[:1] + 15, guess), [[150.0**2 * (1 + 3**0.5) * np.exp(-(3**0.5))]], 1e-6
    )
    better = minimize(tg.value_and_grad(lambda theta: surprise(theta, matern)), guess, jac=True, method="BFGS")
    at_least("the gain in log density", fits["fast"].fun - better.fun, 0.5)
