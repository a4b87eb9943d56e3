"""Properties of recurrent and attention layers: states, directions, masks; and embeddings of padding."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.functional.recurrent import gru_states, lstm_states

nn = tg.nn
RNG = np.random.default_rng
X = RNG(5).standard_normal((7, 2, 4))  # (T, N, input_size)


def recurrent(kind, **options):
    return getattr(nn, kind)(4, 3, RNG(0), dtype=np.float64, **options)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_sequence_in_two_parts_with_the_state_carried_on(kind, layers):
    layer = recurrent(kind, num_layers=layers)
    whole, last = layer(X)
    first, state = layer(X[:3])
    second, end = layer(X[3:], state)
    np.testing.assert_allclose(np.concatenate([first.data, second.data]), whole.data, rtol=1e-12)
    for one, other in zip(end if kind == "LSTM" else [end], last if kind == "LSTM" else [last], strict=True):
        np.testing.assert_allclose(one.data, other.data, rtol=1e-12)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_the_other_direction_is_the_sequence_from_its_end(kind):
    both, one = recurrent(kind, bidirectional=True), recurrent(kind)
    for name, parameter in nn.parameters(one).items():
        parameter.data[...] = nn.parameters(both)[f"{name}_reverse"].data
    out, last = both(X)
    expected, end = one(X[::-1])
    np.testing.assert_allclose(out.data[..., 3:], expected.data[::-1], rtol=1e-12)
    last, end = (last[0], end[0]) if kind == "LSTM" else (last, end)
    np.testing.assert_allclose(last.data[1], end.data[0], rtol=1e-12)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_states_of_the_first_step_follow_the_formula(kind):
    layer = recurrent(kind)
    p = {name.removesuffix("_l0"): parameter.data for name, parameter in nn.parameters(layer).items()}
    h, c = RNG(6).standard_normal((2, 2, 3))
    a, b = X[0] @ p["weight_ih"].T + p["bias_ih"], h @ p["weight_hh"].T + p["bias_hh"]

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    if kind == "LSTM":
        i, f, g, o = np.split(a + b, 4, axis=1)
        new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        expected = sigmoid(o) * np.tanh(new)
        out, (_, cell) = layer(X[:1], (h[None], c[None]))
        np.testing.assert_allclose(cell.data[0], new, rtol=1e-12)
    else:
        r, z = sigmoid((a + b)[:, :3]), sigmoid((a + b)[:, 3:6])
        expected = (1 - z) * np.tanh(a[:, 6:] + r * b[:, 6:]) + z * h
        out, _ = layer(X[:1], h[None])
    np.testing.assert_allclose(out.data[0], expected, rtol=1e-12)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_dropout_is_between_layers(kind):
    """Among three layers, the first one is unaffected, and the output of the last one is not dropped."""
    layer = recurrent(kind, num_layers=3, dropout=0.5)
    (_, plain), (out, last) = layer(X), layer(X, rng=RNG(1))
    plain, last = (plain[0], last[0]) if kind == "LSTM" else (plain, last)
    np.testing.assert_array_equal(last.data[0], plain.data[0])
    assert np.abs(last.data[1:] - plain.data[1:]).max(axis=(1, 2)).min() > 1e-3
    np.testing.assert_array_equal(out.data[-1], last.data[2])
    assert (out.data != 0).all()


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("function", [lstm_states, gru_states], ids=["lstm", "gru"])
def test_derivatives_of_a_recurrence(function, backwards):
    """First and second derivatives of all results, including the gates."""
    rng = RNG(1)
    shapes = [(2, 1, 8), (1, 2), (1, 2), (8, 2)] if function is lstm_states else [(2, 1, 6), (1, 2), (6, 2), (6,)]
    arrays = [rng.standard_normal(shape) for shape in shapes]

    def run(*arrays):
        return function(*arrays, backwards=backwards)

    assert tg.gradcheck(run, arrays)
    assert tg.gradgradcheck(run, arrays)
    assert tg.gradgradcheck(lambda *arrays: run(*arrays)[0, -1], arrays)  # the gates have a gradient of 0


def attention(**options):
    return nn.MultiheadAttention(4, 2, RNG(0), dtype=np.float64, **options)


def test_a_causal_output_does_not_depend_on_later_steps():
    layer, later = attention(), X.copy()
    later[4:] += 1
    a, b = (layer(x, x, x, is_causal=True)[0].data for x in (X, later))
    np.testing.assert_array_equal(a[:4], b[:4])
    assert np.abs(a[4:] - b[4:]).min() > 0
    mask = np.zeros((7, 7))
    mask[:, 0] = 1.0  # added to the scores: not a mask of its own
    weights = layer(X, X, X, attn_mask=mask, is_causal=True)[1].data
    assert not np.triu(weights, 1).any()


def test_masks_are_joined():
    """A key is attended to if no mask excludes it; masks hold booleans or floats."""
    layer, rng = attention(), RNG(3)
    hidden, padding = rng.random((7, 7)) < 0.3, rng.random((2, 7)) < 0.3
    hidden[:, 0] = padding[:, 0] = False
    both = np.repeat(hidden | padding[:, None, :], 2, axis=0)  # (N * num_heads, L, S)
    expected = [one.data for one in layer(X, X, X, attn_mask=both)]
    floats = [np.where(mask, -np.inf, 0.0) for mask in (hidden, padding)]
    for attn_mask, key_padding_mask in [(hidden, padding), (floats[0], padding), (hidden, floats[1]), floats]:
        found = layer(X, X, X, attn_mask=attn_mask, key_padding_mask=key_padding_mask)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one.data, other, rtol=1e-12)
    assert ((expected[1] == 0) == (hidden | padding[:, None, :])).all()


def test_a_query_that_attends_to_no_key_gives_the_bias_alone():
    layer = attention()
    layer.out_proj.bias.data[...] = [1, 2, 3, 4]
    out, weights = layer(X, X, X, key_padding_mask=np.array([[True] * 7, [False] * 7]))
    np.testing.assert_array_equal(out.data[:, 0], [[1, 2, 3, 4]] * 7)
    np.testing.assert_array_equal(weights.data[0], 0)
    np.testing.assert_allclose(weights.data[1].sum(axis=-1), 1)


def test_a_learned_bias_of_the_scores_has_a_gradient():
    layer, bias = attention(), tg.Tensor(np.zeros((7, 7)), requires_grad=True)
    np.sum(layer(X, X, X, attn_mask=bias, is_causal=True)[0] ** 2).backward()
    assert (np.tril(bias.grad)[1:] != 0).any()
    np.testing.assert_array_equal(np.triu(bias.grad, 1), 0)


def test_the_vector_of_padding_remains_zero():
    layer = nn.Embedding(5, 3, RNG(0), padding_idx=-2)
    np.testing.assert_array_equal(layer(np.array(3)).data, 0)
    np.sum(layer(np.array([[3, 1], [3, 3]])) ** 2 + 1).backward()
    assert layer.weight.grad[1].any()
    np.testing.assert_array_equal(layer.weight.grad[[0, 2, 3, 4]], 0)
