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
# # 3. The two-layer network, from nothing
#
# Images of handwritten digits go in, the names of the digits come out. In between are two matrices. This lesson builds
# the network, derives its gradient by hand, compares it with that of the tape, trains it, and then looks at everything
# there is to look at: curves, weights, and mistakes.
#
# You need: lesson 1, or at least the chain rule and NumPy.

# %%
import matplotlib.pyplot as plt
import numpy as np
from lesson import at_least, at_most, close, exercise, show

import tensorgrad as tg

# %% [markdown]
# ## The images
#
# tensorgrad brings a small set of digits along: 1,437 images for training and 360 for testing, of 8x8 pixels. (They are
# part of a data set by E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, CC BY 4.0.)

# %%
data = tg.data.digits()
print(data)
show(data.train_images[:20], data.train_labels[:20])
plt.show()

# %% [markdown]
# For the network, an image is a vector of 64 numbers. We scale them to the range from 0 to 1.

# %%
x = data.train_images.reshape(-1, 64) / 16  # (1437, 64)
y = data.train_labels  # (1437,)
test_x, test_y = data.test_images.reshape(-1, 64) / 16, data.test_labels

# %% [markdown]
# ## The model
#
# $$ h = \max(0,\; x W_1 + b_1), \qquad z = h W_2 + b_2 . $$
#
# The first layer looks for 32 patterns and says how strongly each is present: these are the *hidden units*. The second
# adds up the evidence for each digit: ten numbers, the *logits*. Without the $\max(0, \cdot)$ in between, two matrices
# would be one matrix.


# %%
def network(w, x):
    w1, b1, w2, b2 = w
    return tg.relu(x @ w1 + b1) @ w2 + b2  # (N, 64) -> (N, 32) -> (N, 10)


def initial(hidden, rng, inputs=64):
    return [
        rng.normal(0, np.sqrt(2 / inputs), (inputs, hidden)),
        np.zeros(hidden),
        rng.normal(0, np.sqrt(2 / hidden), (hidden, 10)),
        np.zeros(10),
    ]


# %% [markdown]
# Why $\sqrt{2/n}$? A unit adds up $n$ inputs. If the weights are too large, the numbers grow from layer to layer, and
# if they are too small, they vanish. With the variance $2/n$, the mean square of the numbers stays the same through a
# layer and its relu, on average, since relu throws half of it away (He et al., 2015). Here are ten layers of 64 units:

# %%
rng = np.random.default_rng(0)
figure, axes = plt.subplots()
for factor in (0.7, 1, 1.4):
    h, sizes = rng.standard_normal((500, 64)), []
    for _ in range(10):
        h = np.maximum(h @ rng.normal(0, factor * np.sqrt(2 / 64), (64, 64)), 0)
        sizes.append(np.sqrt(np.mean(h**2)))
    axes.semilogy(range(1, 11), sizes, "o-", ms=4, label=f"{factor} times $\\sqrt{{2/n}}$")
    if factor == 1:
        assert 0.3 < sizes[-1] < 3
axes.set(xlabel="layer", ylabel="root mean square of the units")
axes.legend()
plt.show()

# %% [markdown]
# ## The loss
#
# *Softmax* turns logits into probabilities, and the loss is the surprise at the right answer:
#
# $$ p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}, \qquad L = -\log p_y . $$
#
# A network that guesses gives each digit the probability 1/10, and its loss is $\log 10 \approx 2.303$. This is the
# first thing to check in every training run: a new network should guess.
#
# The derivative is a gift. Write $L = -z_y + \log \sum_j e^{z_j}$; then
#
# $$ \frac{\partial L}{\partial z_k} = p_k - [k = y] . $$
#
# *Prediction minus truth.* If the network says 0.7 for the right digit, this logit is pushed up with the force 0.3.

# %%
w = initial(32, np.random.default_rng(0))
loss = tg.cross_entropy(network(w, x), y)
print(f"loss of a new network: {float(loss):.3f}; of a guess: {np.log(10):.3f}")
assert abs(loss - np.log(10)) < 1

z = np.array([2.0, 1.0, 0.5, 0.1, -1.0])
p = tg.softmax(z)
push = -tg.grad(lambda z: tg.cross_entropy(z[None], np.array([1])))(z)

figure, axes = plt.subplots(1, 3, figsize=(8, 2.4), sharex=True)
for place, values, title in zip(
    axes, (z, p, push), ("logits", "probabilities", "push on the logits, if 1 is right"), strict=True
):
    place.bar(range(5), values, color=["C1" if k == 1 else "C0" for k in range(5)])
    place.axhline(0, color="k", lw=0.8)
    place.set(title=title)
close("the push", push, [k == 1 for k in range(5)] - p)

# %% [markdown]
# ## The gradient, by hand
#
# Here is everything from the images to the loss. Click on a violet box, and it opens.


# %%
def loss_of(w, x, y):
    return tg.cross_entropy(network(w, x), y)


tg.draw(loss_of, w, x, y)

# %% [markdown]
# Go back through the network, as in lesson 1. For a batch of $N$ images, with $\bar z = (p - y)/N$ and $y$ one-hot:
#
# $$ \bar W_2 = h^T \bar z, \quad \bar b_2 = \textstyle\sum_n \bar z_n, \quad \bar h = \bar z\, W_2^T, \quad
#    \bar a = \bar h \cdot [h > 0], \quad \bar W_1 = x^T \bar a, \quad \bar b_1 = \sum_n \bar a_n, $$
#
# where $a = x W_1 + b_1$. The tape finds the same from `network` alone. They agree:


# %%
def gradient_by_hand(w, x, y):
    w1, b1, w2, b2 = w
    h = np.maximum(x @ w1 + b1, 0)
    z = h @ w2 + b2
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    z_bar = (p - np.eye(10)[y]) / len(x)
    a_bar = (z_bar @ w2.T) * (h > 0)
    return [x.T @ a_bar, a_bar.sum(axis=0), h.T @ z_bar, z_bar.sum(axis=0)]


gradient = tg.value_and_grad(loss_of)
_, by_tape = gradient(w, x, y)
for name, a, b in zip(("W1", "b1", "W2", "b2"), gradient_by_hand(w, x, y), by_tape, strict=True):
    close(name, a, b, 1e-14)

# %% [markdown]
# A few lines for two layers, and each is a chance for a mistake. From here on the tape does it.
#
# ## Before the training: one batch
#
# A good habit: take ten images and let the network learn them by heart. If it cannot do that, something is broken, and
# there is no need to wait for a long run.

# %%
ten, ten_y = x[:10], y[:10]
w = initial(32, np.random.default_rng(0))
for _ in range(200):
    loss, g = gradient(w, ten, ten_y)
    w = [p - 0.5 * dp for p, dp in zip(w, g, strict=True)]
print(f"loss on these ten images: {loss:.4f}")
assert loss < 0.05

# %% [markdown]
# ## The training
#
# *Stochastic* gradient descent: shuffle the images, take 32 at a time, and make one update for each batch. A pass
# through all images is an *epoch*. After each, write down the loss on the training images, and how many test images are
# classified correctly.


# %%
def accuracy(w, x, y):
    return float(np.mean(np.argmax(network(w, x), axis=1) == y))


def train(w, rate, epochs=30, seed=1):
    rng = np.random.default_rng(seed)
    history = []
    for _ in range(epochs):
        losses = []
        for batch in tg.data.batches(len(x), 32, rng):
            loss, g = gradient(w, x[batch], y[batch])
            w = [p - rate * dp for p, dp in zip(w, g, strict=True)]
            losses.append(float(loss))
        history.append((np.mean(losses), accuracy(w, x, y), accuracy(w, test_x, test_y)))
    return w, np.array(history)


w, history = train(initial(32, np.random.default_rng(0)), rate=0.3)
print("after 30 epochs: loss {:.4f}, training accuracy {:.3f}, test accuracy {:.3f}".format(*history[-1]))
assert history[-1, 2] > 0.95

# %%
epochs = range(1, 31)
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
left.semilogy(epochs, history[:, 0])
left.set(xlabel="epoch", ylabel="training loss")
right.plot(epochs, history[:, 1], label="training images")
right.plot(epochs, history[:, 2], label="test images")
right.set(xlabel="epoch", ylabel="accuracy", ylim=(0.8, 1.005))
right.legend(loc="lower right")
plt.show()

# %% [markdown]
# Read the curves. The loss falls fast, then slowly: easy images first. The training images are soon almost all right,
# the test images are not; the gap between the two is what the network has learned by heart. The test curve moves in
# steps: one image is 1/360, or 0.28 %, so do not make much of the last tenth of a percent.
#
# ## The learning rate
#
# One number decides more than any other. Too small, and nothing happens; too large, and the updates overshoot.

# %%
figure, axes = plt.subplots()
reached = {}
for rate in (0.003, 0.03, 0.3, 6.0):
    with np.errstate(all="ignore"):
        _, some = train(initial(32, np.random.default_rng(0)), rate, epochs=12)
    axes.semilogy(range(1, 13), np.minimum(some[:, 0], 30), "o-", ms=3, label=f"rate {rate}")
    reached[rate] = some[-1]
axes.axhline(np.log(10), color="k", lw=0.8, ls=":")
axes.set(xlabel="epoch", ylabel="training loss")
axes.legend(ncols=2)
assert reached[0.3][0] < reached[0.03][0] < reached[0.003][0]
assert not reached[6.0][2] > 0.5

# %% [markdown]
# The dotted line is $\log 10$, the loss of a guess. Note that the curve of the rate 0.003 looks healthy, it goes down
# all the time; it is only a hundred times too slow. And a rate that is too large shows at once.
#
# ## What has it learned?
#
# Each column of $W_1$ is a picture: where a hidden unit wants ink (blue) and where it wants none (red). Above each, the
# digit for which it votes most.

# %%
most = np.abs(w[0]).max()
show(w[0].T.reshape(-1, 8, 8), np.argmax(w[2], axis=1), columns=11, cmap="RdBu", vmin=-most, vmax=most)
plt.show()

# %% [markdown]
# They are not digits. Some have turned into strokes and gaps, which several digits share; others are still close to the
# noise that they began with.
#
# ## Where is it wrong?

# %%
said = np.argmax(network(w, test_x), axis=1)
wrong = np.flatnonzero(said != test_y)
print(f"{len(wrong)} of {len(test_y)} test images are wrong")
show(data.test_images[wrong[:10]], [f"{a}, not {b}" for a, b in zip(said[wrong[:10]], test_y[wrong[:10]], strict=True)])
plt.show()
assert len(wrong) < 18

# %% [markdown]
# The titles say what the network said, and what is right. Would you have known them all?
#
# ## The same on MNIST
#
# Nothing in the code above is special to small images. If MNIST is on this computer (`TENSORGRAD_DATA` names its
# folder), this trains 128 units on it for two epochs, a few seconds; otherwise it is skipped.

# %%
try:
    mnist = tg.data.mnist(download=False)
except tg.DataNotFoundError:
    print("MNIST is not on this computer")
else:
    big, big_test = (
        images.reshape(-1, 784).astype(np.float32) / 255 for images in (mnist.train_images, mnist.test_images)
    )
    rng = np.random.default_rng(0)
    v = [p.astype(np.float32) for p in initial(128, rng, inputs=784)]
    for _ in range(2):
        for batch in tg.data.batches(len(big), 100, rng):
            _, g = gradient(v, big[batch], mnist.train_labels[batch])
            v = [p - np.float32(0.3) * dp for p, dp in zip(v, g, strict=True)]
    reached = accuracy(v, big_test, mnist.test_labels)
    print(f"MNIST, two epochs: {reached:.3f} of the test images are right")
    assert reached > 0.95

# %% [markdown]
# `python train.py --hidden 400` does the rest: momentum, a schedule of the rate, dropout, shifted images, 98.8 %. The
# next lesson is about a network that had once been right, and forgot.
#
# ## Exercises
#
# ### Exercise 1: another loss, by hand
#
# Some networks are trained on the squared error of the probabilities,
# $L = \frac{1}{N} \sum_n \sum_k (p_{nk} - y_{nk})^2$ with $y$ one-hot. Derive the gradient with respect to the logits.
# You need the derivative of softmax, $\partial p_j / \partial z_k = p_j ([j = k] - p_k)$.


# %% tags=["exercise-1"]
def gradient_of_squares(z, y):
    """The gradient of the loss above with respect to the logits z, (N, 10), for labels y, (N,)."""
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p_bar = 2 * (p - np.eye(10)[y]) / len(z)
    return p_bar  # this is the gradient with respect to p: go one step further back


# %% tags=["check-1"]
with exercise(1):
    z = np.random.default_rng(5).standard_normal((6, 10))
    expected = tg.grad(lambda z: np.mean(np.sum((tg.softmax(z) - np.eye(10)[y[:6]]) ** 2, axis=1)))(z)
    close("the gradient", gradient_of_squares(z, y[:6]), expected, 1e-12)

# %% [markdown]
# ### Exercise 2: in fewer epochs
#
# Write a training loop, with the gradient from `gradient`, that reaches a test accuracy of 95 % within **five** epochs
# (225 updates of 32 images). Momentum helps, $v \leftarrow \mu v + \bar w$, $w \leftarrow w - \eta v$, and a rate that
# goes to zero at the end helps, too.


# %% tags=["exercise-2"]
def train_fast(w, epochs=5):
    rng = np.random.default_rng(2)
    for _ in range(epochs):
        for batch in tg.data.batches(len(x), 32, rng):
            _, g = gradient(w, x[batch], y[batch])
            w = [p - 0.03 * dp for p, dp in zip(w, g, strict=True)]
    return w


# %% tags=["check-2"]
with exercise(2):
    start = initial(32, np.random.default_rng(0))
    at_least("the test accuracy after five epochs", accuracy(train_fast(start), test_x, test_y), 0.95)

# %% [markdown]
# ### Exercise 3: small is beautiful
#
# Our network has $64 \cdot 32 + 32 + 32 \cdot 10 + 10 = 2410$ parameters. Train one with at most 610 that classifies 93
# % of the test images correctly. Any number of hidden units, rate and number of epochs is allowed, as long as it takes
# less than a minute.

# %% tags=["exercise-3"]
small, _ = train(initial(2, np.random.default_rng(0)), rate=0.3, epochs=5)

# %% tags=["check-3"]
with exercise(3):
    at_most("the number of parameters", sum(p.size for p in small), 610)
    at_least("the test accuracy", accuracy(small, test_x, test_y), 0.93)
