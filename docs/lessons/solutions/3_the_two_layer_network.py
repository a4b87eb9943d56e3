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
# # Solutions of lesson 3
#
# Each cell replaces the cell of the exercise in the lesson.
#
# ## Exercise 1: another loss, by hand
#
# $\bar z_k = \sum_j \bar p_j\, p_j ([j = k] - p_k) = p_k \left( \bar p_k - \sum_j \bar p_j p_j \right)$: the row of
# softmax in the table of lesson 2.


# %% tags=["solution-1"]
def gradient_of_squares(z, y):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p_bar = 2 * (p - np.eye(10)[y]) / len(z)
    return p * (p_bar - np.sum(p_bar * p, axis=1, keepdims=True))


# %% [markdown]
# A common mistake: to use only the diagonal of the derivative of softmax, $p_k (1 - p_k)$, as if each probability
# depended on its own logit only.


# %% tags=["mistake-1"]
def gradient_of_squares(z, y):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p_bar = 2 * (p - np.eye(10)[y]) / len(z)
    return p_bar * p * (1 - p)


# %% [markdown]
# ## Exercise 2: in fewer epochs


# %% tags=["solution-2"]
def train_fast(w, epochs=5):
    rng = np.random.default_rng(2)
    velocity, update, updates = [np.zeros_like(p) for p in w], 0, epochs * 45
    for _ in range(epochs):
        for batch in tg.data.batches(len(x), 32, rng):
            _, g = gradient(w, x[batch], y[batch])
            velocity = [0.9 * v + dp for v, dp in zip(velocity, g, strict=True)]
            rate = 0.1 * (1 - update / updates)
            w = [p - rate * v for p, v in zip(w, velocity, strict=True)]
            update += 1
    return w


# %% [markdown]
# A common mistake: more speed than the network can take. With momentum 0.9, a rate acts like one ten times as large.


# %% tags=["mistake-2"]
def train_fast(w, epochs=5):
    rng = np.random.default_rng(2)
    velocity = [np.zeros_like(p) for p in w]
    for _ in range(epochs):
        for batch in tg.data.batches(len(x), 32, rng):
            _, g = gradient(w, x[batch], y[batch])
            velocity = [0.9 * v + dp for v, dp in zip(velocity, g, strict=True)]
            w = [p - 1.5 * v for p, v in zip(w, velocity, strict=True)]
    return w


# %% [markdown]
# ## Exercise 3: small is beautiful
#
# With $H$ hidden units there are $64 H + H + 10 H + 10 = 75 H + 10$ parameters, so 610 allow 8 units.

# %% tags=["solution-3"]
small, _ = train(initial(8, np.random.default_rng(0)), rate=0.2, epochs=40)

# %% [markdown]
# A common mistake: to forget the biases, $64 H + 10 H \le 610$, and to round up.

# %% tags=["mistake-3"]
small, _ = train(initial(9, np.random.default_rng(0)), rate=0.2, epochs=5)
