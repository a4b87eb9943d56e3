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
# # 5. Convolution and attention, as NumPy
#
# Two ideas stand behind the networks that see and those that speak. Both are short: a convolution is a window that
# slides over an image, and attention is a dictionary that is not quite sure of its keys. Each fits in a few lines of
# NumPy, and since those lines are NumPy, they have gradients.
#
# You need: lesson 3.

# %%
import matplotlib.pyplot as plt
import numpy as np
from lesson import at_least, close, exercise, show

import tensorgrad as tg

data = tg.data.digits()
x, test_x = data.train_images[:, None] / 16, data.test_images[:, None] / 16  # (N, 1, 8, 8)
y, test_y = data.train_labels, data.test_labels

# %% [markdown]
# ## Why slide?
#
# The network of lesson 3 looks at each pixel with a weight of its own. Move the digit by one pixel, and for the network
# everything has changed. Let us shift the test images, and see.


# %%
def shifted(images, dx):
    moved = np.roll(images, dx, axis=-1)
    if dx:
        moved[..., slice(0, dx) if dx > 0 else slice(dx, None)] = 0
    return moved


def dense(w, x):
    return tg.relu(x.reshape(len(x), -1) @ w["w1"] + w["b1"]) @ w["w2"] + w["b2"]


# %% [markdown]
# Networks here are functions of a dict of weights and of images. This trains any of them, with the optimizer Adam:


# %%
def fit(network, w, epochs, rate=0.002, seed=0):
    rng, parameters = np.random.default_rng(seed), {name: tg.Tensor(p, requires_grad=True) for name, p in w.items()}
    optimizer = tg.optim.Adam(parameters, lr=rate)
    for _ in range(epochs):
        for batch in tg.data.batches(len(x), 64, rng):
            optimizer.zero_grad()
            tg.cross_entropy(network(parameters, x[batch]), y[batch]).backward()
            optimizer.step()
    return {name: p.data for name, p in parameters.items()}


def accuracy(network, w, images):
    return float(np.mean(np.argmax(network(w, images), axis=1) == test_y))


# %%
rng = np.random.default_rng(0)
w_dense = fit(
    dense, {"w1": tg.nn.he(rng, 64, 32), "b1": np.zeros(32), "w2": tg.nn.he(rng, 32, 10), "b2": np.zeros(10)}, 25
)
shifts = range(-2, 3)
of_dense = [accuracy(dense, w_dense, shifted(test_x, dx)) for dx in shifts]
print("shift in pixels:", *shifts)
print("accuracy:       ", *(f"{a:.2f}" for a in of_dense))
assert of_dense[2] > 0.95 > 0.8 > max(of_dense[1], of_dense[3])

# %% [markdown]
# One pixel to the side, and a large part of what it knew is gone. But a stroke is a stroke wherever it is. So use **the
# same small set of weights at every place**: a *filter* of 3x3, which slides over the image.
#
# ## A convolution in two lines
#
# NumPy can show all 3x3 windows of an image as one array, without copying a single pixel. The rest is a sum of
# products, for which `einsum` has a notation: `c` is the channel (one, for gray images), `i` and `j` the place in the
# window.


# %%
def conv(x, filters):
    """Images (N, C, H, W) with filters (F, C, kh, kw): (N, F, H - kh + 1, W - kw + 1)."""
    windows = np.lib.stride_tricks.sliding_window_view(x, filters.shape[2:], axis=(2, 3))  # (N, C, h, w, kh, kw)
    return np.einsum("nchwij,fcij->nfhw", windows, filters)


edges = np.array([[[[1, 1, 1], [0, 0, 0], [-1, -1, -1]]], [[[1, 0, -1], [1, 0, -1], [1, 0, -1]]]]) / 3.0
found = conv(x[:6], edges)
rows = [x[:6, 0], found[:, 0], found[:, 1]]
figure, axes = plt.subplots(3, 6, figsize=(6.5, 3.4))
for row, images, name in zip(axes, rows, ("image", "horizontal edges", "vertical edges"), strict=True):
    for place, image in zip(row, images, strict=True):
        place.imshow(image, **({"cmap": "RdBu", "vmin": -1, "vmax": 1} if name != "image" else {}))
        place.set(xticks=[], yticks=[])
        place.spines[:].set_visible(False)
    row[0].set_ylabel(name, fontsize=9)
plt.show()

# %% [markdown]
# The first filter subtracts the row below from the row above: it answers to horizontal edges, blue at the lower and red
# at the upper side of a stroke. The second does the same for vertical ones.
#
# The two lines have a gradient, since tensorgrad knows `sliding_window_view` and `einsum`. And they agree with
# `tg.conv2d`:

# %%
assert tg.gradcheck(conv, [x[:2, :, :5, :5], edges])
close("the convolution", conv(x[:9], edges), tg.conv2d(x[:9], edges), 1e-12)

# %% [markdown]
# What is the gradient with respect to the filter? The filter was used at every place; so, as for a bias, the
# contributions of all places are added. At each place, it is the window times the upstream gradient: *the convolution
# of the image with the upstream gradient*.
#
# A convolution is linear, so it *is* a matrix, with a lot of structure. In this picture of the Jacobian, the nine
# weights appear again and again along the diagonals, and everything else is zero. A dense layer of the same shape would
# have $64 \cdot 36 = 2304$ weights instead of 9.

# %%
J = tg.jacobian(lambda image: conv(image, np.arange(1.0, 10).reshape(1, 1, 3, 3)), x[:1]).reshape(36, 64)
figure, axes = plt.subplots(figsize=(6.4, 3.6))
axes.imshow(J, cmap="Blues")
axes.set(xlabel="pixel of the image", ylabel="pixel of the result")
assert np.count_nonzero(J) == 36 * 9
assert set(np.unique(J)) == set(range(10))

# %% [markdown]
# ## A network that slides
#
# Two layers of filters, 16 and 32, each followed by relu and by *max-pooling*, which keeps the largest value of each
# 2x2 block (and is a reshape). Then a linear layer. An image is padded with a frame of zeros, so that the result of a
# 3x3 filter is as large as the image.


# %%
def pool(h):  # (N, F, H, W) -> (N, F, H/2, W/2)
    n, f, height, width = h.shape
    return h.reshape(n, f, height // 2, 2, width // 2, 2).max(axis=(3, 5))


def convolutional(w, x):
    frame = ((0, 0), (0, 0), (1, 1), (1, 1))
    h = pool(tg.relu(tg.conv2d(np.pad(x, frame), w["f1"]) + w["b1"][:, None, None]))  # (N, 16, 4, 4)
    h = pool(tg.relu(tg.conv2d(np.pad(h, frame), w["f2"]) + w["b2"][:, None, None]))  # (N, 32, 2, 2)
    return h.reshape(len(x), -1) @ w["w3"] + w["b3"]


def filters(count, channels):
    return rng.normal(0, np.sqrt(2 / (9 * channels)), (count, channels, 3, 3))


start = {"f1": filters(16, 1), "b1": np.zeros(16), "f2": filters(32, 16), "b2": np.zeros(32),
         "w3": rng.normal(0, 0.1, (128, 10)), "b3": np.zeros(10)}  # fmt: skip
tg.draw(convolutional, start, x[:1])

# %%
w_conv = fit(convolutional, start, epochs=10, rate=0.004)
of_conv = [accuracy(convolutional, w_conv, shifted(test_x, dx)) for dx in shifts]

# %%
figure, axes = plt.subplots()
axes.plot(shifts, of_dense, "o-", label="dense network")
axes.plot(shifts, of_conv, "o-", label="convolutional network")
axes.set(xlabel="shift of the test images, in pixels", ylabel="accuracy", ylim=(0, 1.02), xticks=list(shifts))
axes.legend(loc="lower center")
print(f"not shifted: dense {of_dense[2]:.3f}, convolutional {of_conv[2]:.3f}")
assert of_conv[2] > 0.97
assert min(of_conv[1], of_conv[3]) > max(of_dense[1], of_dense[3]) + 0.1

# %% [markdown]
# It was trained on digits in the middle, as the dense network was, and still knows more of them when they are moved:
# where a stroke lies matters less. Not fully: the last layer has weights for each place. `examples/cnn.py` goes on from
# here, to 99.5 % on MNIST.
#
# These are the sixteen filters of its first layer.

# %%
most = np.abs(w_conv["f1"]).max()
show(w_conv["f1"][:, 0], columns=16, cmap="RdBu", vmin=-most, vmax=most)
plt.show()

# %% [markdown]
# ## Attention: a soft dictionary
#
# A dictionary compares a *query* with its *keys*, and returns the *value* of the key that is equal. That is a step
# function, and has no useful gradient. So compare softly. Let queries, keys and values be vectors. The similarity of a
# query and a key is their product; softmax turns the similarities into weights; the result is the weighted mean of the
# values:
#
# $$ \text{attention}(Q, K, V) = \text{softmax}\!\left( \frac{Q K^T}{\sqrt d} \right) V . $$


# %%
def attention(q, k, v):
    """Queries (..., m, d), keys (..., n, d), values (..., n, e): results (..., m, e), and the weights (..., m, n)."""
    weights = tg.softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]))
    return weights @ v, weights


q, k, v = (rng.standard_normal(shape) for shape in ((2, 4), (5, 4), (5, 3)))
assert tg.gradcheck(lambda q, k, v: attention(q, k, v)[0], [q, k, v])
close("attention", attention(q, k, v)[0], tg.scaled_dot_product_attention(q, k, v), 1e-12)

# %% [markdown]
# **Why $\sqrt d$?** The product of two vectors of $d$ standard normal numbers has the variance $d$. Without the root,
# the similarities of long vectors are far apart, softmax gives all the weight to one key, and the gradient vanishes.
# With it, the picture is the same for every $d$:

# %%
figure, axes = plt.subplots()
sizes = [4, 16, 64, 256, 1024]
for name, power in (("without the root", 0), ("with the root", 0.5)):
    largest = []
    for d in sizes:
        q, k = rng.standard_normal((300, 1, d)), rng.standard_normal((300, 10, d))
        scores = (q @ np.swapaxes(k, 1, 2))[:, 0] / d**power
        largest.append(np.mean(tg.softmax(scores).max(axis=1)))
    axes.semilogx(sizes, largest, "o-", label=name)
    assert (largest[-1] > 0.9) if power == 0 else np.ptp(largest) < 0.1
axes.set(xlabel="length of the vectors", ylabel="largest of ten weights, on average", ylim=(0, 1.02))
axes.legend()
plt.show()

# %% [markdown]
# Attention does not know where the keys are. Shuffle the keys together with their values, and the result is the same.
# (This is why language models have to add the position to the vectors.)

# %%
q, k, v = (rng.standard_normal(shape) for shape in ((2, 4), (5, 4), (5, 3)))
order = rng.permutation(5)
close("the result with keys in another order", attention(q, k[order], v[order])[0], attention(q, k, v)[0], 1e-12)

# %% [markdown]
# ## Learn to look up
#
# Let us see attention being learned. Each example is a short list of pairs, a letter and a number, and then a letter
# alone. The task: the number that belongs to it.
#
# ```
# c 7   a 2   f 9   b 2   e 0   d 5      f ?      ->  9
# ```
#
# The letters and numbers are new in each example, so nothing can be learned by heart. The network has to learn *to
# look*. Letters and numbers are one-hot vectors; three matrices turn them into queries, keys and values.

# %%
LETTERS, NUMBERS, PAIRS = 12, 10, 6


def examples(count, rng):
    letters = np.argsort(rng.random((count, LETTERS)), axis=1)[:, :PAIRS]  # without repetition
    numbers = rng.integers(0, NUMBERS, (count, PAIRS))
    place = rng.integers(0, PAIRS, count)
    rows = np.arange(count)
    return letters, numbers, letters[rows, place], numbers[rows, place], place


# %%
def look_up(w, letters, numbers, asked):
    q = np.eye(LETTERS)[asked][:, None] @ w["query"]  # (N, 1, d)
    k = np.eye(LETTERS)[letters] @ w["key"]  # (N, PAIRS, d)
    v = np.eye(NUMBERS)[numbers] @ w["value"]  # (N, PAIRS, 10)
    found, weights = attention(q, k, v)
    return found[:, 0], weights[:, 0]


# %% [markdown]
# The whole of it in a picture; open *attention* to see the dictionary.

# %%
rng = np.random.default_rng(0)
parameters = {name: tg.Tensor(0.3 * rng.standard_normal(shape), requires_grad=True)
              for name, shape in (("query", (12, 8)), ("key", (12, 8)), ("value", (10, 10)))}  # fmt: skip
optimizer = tg.optim.Adam(parameters, lr=0.02)
snapshots, right = {}, []
letters, numbers, asked, answer, place = examples(12, np.random.default_rng(9))
tg.draw(lambda w: look_up(w, letters, numbers, asked)[0], parameters)

# %%
for step in range(201):
    if step in (0, 25, 200):
        snapshots[step] = look_up({n: p.data for n, p in parameters.items()}, letters, numbers, asked)[1]
    batch = examples(64, rng)
    logits, _ = look_up(parameters, *batch[:3])
    right.append(np.mean(np.argmax(logits.data, axis=1) == batch[3]))
    optimizer.zero_grad()
    tg.cross_entropy(logits, batch[3]).backward()
    optimizer.step()
print(f"right: {np.mean(right[:20]):.2f} at first, {np.mean(right[-20:]):.2f} in the end")
assert np.mean(right[:20]) < 0.5
assert np.mean(right[-20:]) > 0.95

# %%
figure, axes = plt.subplots(1, 4, figsize=(9, 2.9), width_ratios=(1.4, 1, 1, 1))
axes[0].plot(right)
axes[0].set(xlabel="update", ylabel="right answers", ylim=(0, 1.02))
for panel, (step, weights) in zip(axes[1:], snapshots.items(), strict=True):
    panel.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    panel.plot(place, np.arange(12), "rx", ms=5)
    panel.set(title=f"after {step} updates", xlabel="pair", yticks=[])
axes[1].set_ylabel("twelve examples")
assert np.mean(np.argmax(snapshots[200], axis=1) == place) > 0.9

# %% [markdown]
# Each row is an example, each column one of its pairs; the darker, the more attention; the crosses mark the pair that
# holds the answer. At first the network looks everywhere. In the end it looks where the answer is. Nobody told it to;
# we only asked for the right number.
#
# And why could it learn that? Because looking is soft: at each moment, a little more weight on the right pair gives a
# little less loss.
#
# In `examples/transformer.py`, letters look at the letters before them, with several such heads and layers, and write
# English.
#
# ## Exercises
#
# ### Exercise 1: larger steps
#
# Extend `conv` by a stride: with `stride=2`, the window moves by two pixels. It must agree with
# `tg.conv2d(x, filters, stride=stride)`. Hint: choose among the windows, before the sum.


# %% tags=["exercise-1"]
def strided(x, filters, stride):
    windows = np.lib.stride_tricks.sliding_window_view(x, filters.shape[2:], axis=(2, 3))
    return np.einsum("nchwij,fcij->nfhw", windows, filters)


# %% tags=["check-1"]
with exercise(1):
    some, three = x[:3], np.random.default_rng(1).standard_normal((4, 1, 3, 3))
    for stride in (1, 2, 3):
        close(
            f"the result with stride {stride}",
            strided(some, three, stride),
            tg.conv2d(some, three, stride=stride),
            1e-12,
        )
    tg.gradcheck(lambda x, f: strided(x, f, 2), [some[:1, :, :6, :6], three[:2]])

# %% [markdown]
# ### Exercise 2: do not look ahead
#
# A network that continues a text must not see what comes next. Write attention of a sequence to itself, `q`, `k` and
# `v` all of the shape `(n, d)`, in which the result at the place $t$ depends on the places $0 \dots t$ only. The check
# asks the Jacobian. Hint: softmax of $-\infty$ is 0.


# %% tags=["exercise-2"]
def causal(q, k, v):
    return attention(q, k, v)[0]


# %% tags=["check-2"]
with exercise(2):
    s = np.random.default_rng(2).standard_normal((5, 4))
    J = tg.jacobian(lambda s: causal(s, s, s), s)  # (5, 4, 5, 4): of each result, with respect to each input
    ahead = max(np.abs(J[t, :, t + 1 :]).max() for t in range(4))
    close("the influence of later places", ahead, 0, 1e-12)
    tg.gradcheck(causal, [s, s + 1, s - 1])
    close("the last result", causal(s, s, s)[-1], attention(s[-1:], s, s)[0][0], 1e-12)
    close("the first result", causal(s, s, s)[0], s[0], 1e-12)

# %% [markdown]
# ### Exercise 3: shift the training images
#
# Train the convolutional network so that it classifies at least 90 % of the test images correctly even if they are
# shifted by **two** pixels to either side. For this, show it shifted digits: write `change`, which moves the images of
# a batch at random. The check trains with it for eight epochs, from the same initial weights.


# %% tags=["exercise-3"]
def change(images, rng):
    """The images of a batch, each or all of them changed at random."""
    return images


# %% tags=["check-3"]
def fit_shifted(change, epochs=8):
    rng = np.random.default_rng(3)
    return fit(lambda w, images: convolutional(w, change(images, rng)), start, epochs, rate=0.004)


with exercise(3):
    if np.array_equal(change(x[:50], np.random.default_rng(0)), x[:50]):
        raise ValueError("change() changes nothing")
    w = fit_shifted(change)
    for dx in (-2, 0, 2):
        at_least(f"the accuracy with a shift of {dx}", accuracy(convolutional, w, shifted(test_x, dx)), 0.9)
