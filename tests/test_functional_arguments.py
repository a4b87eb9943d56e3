"""Arguments of the functions of neural networks: defaults, and errors that say what to write."""
# ruff: noqa: E501  (tables, a row a line)

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import leaf

X, W2, Q = np.ones((1, 2, 4, 4)), np.ones((2, 2, 3, 3)), np.ones((2, 3))

# fmt: off
REFUSED = [
    ("gelu sigmoid",       lambda: tg.gelu(1.0, "sigmoid"),                                  ValueError,    "approximate must be 'none' or 'tanh', got 'sigmoid'"),
    ("hardtanh crossed",   lambda: tg.hardtanh(1.0, 1, -1),                                  ValueError,    "min_val <= max_val"),
    ("complex",            lambda: tg.silu(1j),                                              TypeError,     "real numbers, got complex128"),
    ("text",               lambda: tg.mse_loss(["a"], [1]),                                  TypeError,     "real numbers"),

    ("conv, one image",    lambda: tg.conv2d(X[0], W2),                                      tg.ShapeError, r"x must have 4 axes.*\(2, 4, 4\): write x\[None\]"),
    ("conv, 2 axes",       lambda: tg.conv1d(X[0, 0], W2),                                   tg.ShapeError, r"x must have 3 axes.*x\[None\]"),
    ("conv weight",        lambda: tg.conv2d(X, W2[0]),                                      tg.ShapeError, "weight must have 4 axes"),
    ("conv kernel 0",      lambda: tg.conv2d(X, W2[..., :0]),                                tg.ShapeError, "weight must have 4 axes"),
    ("conv channels",      lambda: tg.conv2d(X, W2[:, :1]),                                  tg.ShapeError, "takes 1 channels.* has 2"),
    ("conv groups",        lambda: tg.conv2d(X, np.ones((3, 1, 1, 1)), groups=2),            tg.ShapeError, "3 filters do not divide into 2 groups"),
    ("conv groups 0",      lambda: tg.conv2d(X, W2, groups=0),                               ValueError,    "groups must be a positive integer"),
    ("conv groups float",  lambda: tg.conv2d(X, W2, groups=1.0),                             ValueError,    "groups must be a positive integer"),
    ("conv bias",          lambda: tg.conv2d(X, W2, np.ones(1)),                             tg.ShapeError, r"bias must have shape \(2,\)"),
    ("conv bias broad",    lambda: tg.conv2d(X, W2, np.ones((2, 2, 2))),                     tg.ShapeError, r"bias must have shape \(2,\)"),
    ("conv too large",     lambda: tg.conv2d(X, W2, dilation=2),                             tg.ShapeError, r"kernel of \(3, 3\) with dilation \(2, 2\) does not fit into \(4, 4\)"),
    ("conv stride 0",      lambda: tg.conv2d(X, W2, stride=0),                               ValueError,    "stride must be at least 1, got 0"),
    ("conv stride 3",      lambda: tg.conv2d(X, W2, stride=(1, 1, 1)),                       ValueError,    "one for each of 2 axes"),
    ("conv stride float",  lambda: tg.conv2d(X, W2, stride=1.5),                             ValueError,    "must be an integer"),
    ("conv padding -1",    lambda: tg.conv2d(X, W2, padding=-1),                             ValueError,    "padding must be at least 0"),
    ("conv padding full",  lambda: tg.conv2d(X, W2, padding="full"),                         ValueError,    "'same', 'valid' or integers, got 'full'"),
    ("conv kernel 0, high", lambda: tg.conv2d(X, W2[:, :, :0]),                              tg.ShapeError, "weight must have 4 axes"),
    ("conv dilation 0",    lambda: tg.conv2d(X, W2, dilation=0),                             ValueError,    "dilation must be at least 1"),
    ("conv same stride",   lambda: tg.conv2d(X, W2, padding="same", stride=2),               ValueError,    "needs a stride of 1"),
    ("convT channels",     lambda: tg.conv_transpose2d(X, W2[:1]),                           tg.ShapeError, "takes 1 channels.* has 2"),
    ("convT groups",       lambda: tg.conv_transpose2d(X, W2, groups=3),                     tg.ShapeError, "do not divide into 3 groups"),
    ("convT padding",      lambda: tg.conv_transpose2d(X[..., :1, :1], W2, padding=2),       tg.ShapeError, "nothing is left"),
    ("convT no image",     lambda: tg.conv_transpose2d(X[..., :0, :], W2),                   tg.ShapeError, "nothing is left"),
    ("convT all padding",  lambda: tg.conv_transpose2d(X[..., :1, :1], W2[..., :2, :2], padding=1), tg.ShapeError, "nothing is left"),
    ("convT stride 0",     lambda: tg.conv_transpose2d(X, W2, stride=0),                     ValueError,    "stride must be at least 1"),
    ("convT dilation 0",   lambda: tg.conv_transpose2d(X, W2, dilation=0),                   ValueError,    "dilation must be at least 1"),
    ("convT padding -1",   lambda: tg.conv_transpose2d(X, W2, padding=-1),                   ValueError,    "padding must be at least 0"),
    ("convT extra -1",     lambda: tg.conv_transpose2d(X, W2, output_padding=-1),            ValueError,    "output_padding must be at least 0"),
    ("convT extra",        lambda: tg.conv_transpose2d(X, W2, output_padding=1),             ValueError,    "less than the stride or the dilation"),

    ("pool axes",          lambda: tg.max_pool1d(X, 2),                                      tg.ShapeError, "x must have 3 axes"),
    ("pool padding",       lambda: tg.max_pool2d(X, 2, padding=2),                           ValueError,    "at most half the kernel"),
    ("avg pool padding",   lambda: tg.avg_pool2d(X, 3, padding=(1, 2)),                      ValueError,    "at most half the kernel"),
    ("pool kernel 0",      lambda: tg.avg_pool2d(X, 0),                                      ValueError,    "kernel_size must be at least 1"),
    ("pool stride 0",      lambda: tg.avg_pool2d(X, 2, stride=0),                            ValueError,    "stride must be at least 1"),
    ("pool padding -1",    lambda: tg.avg_pool2d(X, 2, padding=-1),                          ValueError,    "padding must be at least 0"),
    ("pool dilation 0",    lambda: tg.max_pool2d(X, 2, dilation=0),                          ValueError,    "dilation must be at least 1"),
    ("adaptive axes",      lambda: tg.adaptive_avg_pool2d(X[0], 2),                          tg.ShapeError, r"x must have 4 axes.*x\[None\]"),
    ("adaptive no pixels", lambda: tg.adaptive_max_pool2d(X[..., :0], 2),                    tg.ShapeError, r"no elements to pool, got shape \(1, 2, 4, 0\)"),
    ("adaptive size 0",    lambda: tg.adaptive_avg_pool2d(X, (2, 0)),                        ValueError,    "output_size must be at least 1"),
    ("adaptive sizes",     lambda: tg.adaptive_max_pool2d(X, (2, 2, 2)),                     ValueError,    "output_size must be an integer, or one for each of 2 axes"),
    ("adaptive float",     lambda: tg.adaptive_avg_pool2d(X, 1.5),                           ValueError,    "output_size must be an integer"),
    ("pool too large",     lambda: tg.avg_pool2d(X, 5),                                      tg.ShapeError, "does not fit"),

    ("layer_norm shape",   lambda: tg.layer_norm(Q, 2),                                      tg.ShapeError, r"does not end in normalized_shape \(2,\)"),
    ("layer_norm nothing", lambda: tg.layer_norm(Q, ()),                                     tg.ShapeError, "does not end in"),
    ("layer_norm weight",  lambda: tg.layer_norm(Q, 3, np.ones(1)),                          tg.ShapeError, r"weight must have shape \(3,\), got \(1,\)"),
    ("batch_norm bias",    lambda: tg.batch_norm(Q, bias=np.ones((2, 3)), training=True),    tg.ShapeError, r"bias must have shape \(3,\)"),
    ("batch_norm 1 axis",  lambda: tg.batch_norm(Q[0], training=True),                       tg.ShapeError, r"\(N, C, ...\)"),
    ("batch_norm one",     lambda: tg.batch_norm(Q[:1], training=True),                      ValueError,    "more than one value per channel"),
    ("batch_norm half",    lambda: tg.batch_norm(Q, np.ones(3)),                             ValueError,    "training=True"),
    ("batch_norm eval",    lambda: tg.batch_norm(Q),                                         ValueError,    "training=True"),
    ("batch_norm running", lambda: tg.batch_norm(Q, np.ones(1), np.ones(3)),                 tg.ShapeError, r"running_mean must have shape \(3,\)"),
    ("batch_norm list",    lambda: tg.batch_norm(Q, [0.0, 0, 0], None, training=True),       TypeError,     "running_mean must be an array of floats"),
    ("batch_norm ints",    lambda: tg.batch_norm(Q, np.zeros(3), np.ones(3, int)),           TypeError,     "running_var must be an array of floats"),
    ("batch_norm leaf",    lambda: tg.batch_norm(Q, leaf(np.zeros(3)), None, training=True), TypeError,     "without a gradient"),
    ("group_norm groups",  lambda: tg.group_norm(Q, 2),                                      tg.ShapeError, "do not divide into 2 groups"),
    ("group_norm 0",       lambda: tg.group_norm(Q, 0),                                      tg.ShapeError, "do not divide into 0 groups"),
    ("group_norm 1 axis",  lambda: tg.group_norm(Q[0], 1),                                   tg.ShapeError, r"\(N, C, ...\)"),

    ("embedding floats",   lambda: tg.embedding([1.0], Q),                                   TypeError,     r"integers.*indices.astype\(int\)"),
    ("embedding mask",     lambda: tg.embedding([True, False], Q),                           TypeError,     "integers"),
    ("embedding -1",       lambda: tg.embedding([-1], Q),                                    IndexError,    r"0\.\.1, got -1\.\.-1"),
    ("embedding 2",        lambda: tg.embedding([0, 2], Q),                                  IndexError,    r"0\.\.1, got 0\.\.2"),
    ("embedding table",    lambda: tg.embedding([0], Q[0]),                                  tg.ShapeError, r"\(V, D\)"),
    ("embedding padding",  lambda: tg.embedding([0], Q, 2),                                  IndexError,    "padding_idx"),
    ("one_hot 3",          lambda: tg.one_hot([3], 3),                                       IndexError,    r"0\.\.2"),
    ("one_hot 0",          lambda: tg.one_hot([0], 0),                                       IndexError,    "got 0"),
    ("one_hot -1",         lambda: tg.one_hot([-1]),                                         IndexError,    "got -1"),

    ("attention shapes",   lambda: tg.scaled_dot_product_attention(Q, Q[:, :2], Q),          tg.ShapeError, r"\(\.\.\., L, E\)"),
    ("attention values",   lambda: tg.scaled_dot_product_attention(Q, Q, Q[:1]),             tg.ShapeError, r"\(\.\.\., S, V\)"),
    ("attention 1 axis",   lambda: tg.scaled_dot_product_attention(Q[0], Q, Q),              tg.ShapeError, r"\(\.\.\., L, E\)"),
    ("attention mask",     lambda: tg.scaled_dot_product_attention(Q, Q, Q, np.ones((3, 2), bool)), tg.ShapeError, r"attn_mask must broadcast to shape \(2, 2\)"),
    ("attention mask 3",   lambda: tg.scaled_dot_product_attention(Q, Q, Q, np.ones((3, 2, 2), bool)), tg.ShapeError, "attn_mask must broadcast"),
    ("attention int mask", lambda: tg.scaled_dot_product_attention(Q, Q, Q, np.ones((2, 2), int)), TypeError, r"attn_mask.astype\(bool\)"),
    ("attention both",     lambda: tg.scaled_dot_product_attention(Q, Q, Q, np.ones((2, 2), bool), is_causal=True), ValueError, "not both"),
    ("attention no rng",   lambda: tg.scaled_dot_product_attention(Q, Q, Q, dropout_p=0.1),  ValueError,    "rng="),

    ("mse broadcast",      lambda: tg.mse_loss(np.ones(3), np.ones((3, 1))),                 tg.ShapeError, r"\(3,\) and \(3, 1\): write target.reshape\(input.shape\)"),
    ("l1 broadcast",       lambda: tg.l1_loss(Q, np.ones(3)),                                tg.ShapeError, r"\(2, 3\) and \(3,\): np.broadcast_to"),
    ("mse number",         lambda: tg.mse_loss(Q, 0.0),                                      tg.ShapeError, "same shape"),
    ("huber broadcast",    lambda: tg.huber_loss(Q, Q[:1]),                                  tg.ShapeError, "same shape"),
    ("bce broadcast",      lambda: tg.binary_cross_entropy(Q, Q[:1]),                        tg.ShapeError, "same shape"),
    ("bce logits shape",   lambda: tg.binary_cross_entropy_with_logits(Q, Q.T),              tg.ShapeError, "same shape"),
    ("kl_div broadcast",   lambda: tg.kl_div(Q, Q[0]),                                       tg.ShapeError, "same shape"),
    ("bce weight",         lambda: tg.binary_cross_entropy(Q, Q, np.ones((2, 2, 3))),        tg.ShapeError, r"weight must broadcast to shape \(2, 3\)"),
    ("bce pos_weight",     lambda: tg.binary_cross_entropy_with_logits(Q, Q, pos_weight=np.ones(2)), tg.ShapeError, "pos_weight must broadcast"),
    ("mse reduction",      lambda: tg.mse_loss(Q, Q, reduction="batchmean"),                 ValueError,    "'mean', 'sum' or 'none', got 'batchmean'"),
    ("kl_div reduction",   lambda: tg.kl_div(Q, Q, reduction=None),                          ValueError,    "'none' or 'batchmean', got None"),
    ("nll reduction",      lambda: tg.nll_loss(Q, [0, 1], reduction="avg"),                  ValueError,    "got 'avg'"),
    ("huber delta",        lambda: tg.huber_loss(Q, Q, delta=0),                             ValueError,    "delta must be positive"),
    ("smooth_l1 beta",     lambda: tg.smooth_l1_loss(Q, Q, beta=-1),                         ValueError,    "beta must not be negative"),
    ("bce range",          lambda: tg.binary_cross_entropy([1.5], [1]),                      ValueError,    "binary_cross_entropy_with_logits"),
    ("bce below",          lambda: tg.binary_cross_entropy([-0.1], [1]),                     ValueError,    "probabilities"),

    ("ce smoothing",       lambda: tg.cross_entropy(Q, [0, 1], label_smoothing=1.5),         ValueError,    r"label_smoothing must be in \[0, 1\]"),
    ("ce smoothing < 0",   lambda: tg.cross_entropy(Q, [0, 1], label_smoothing=-0.5),        ValueError,    r"label_smoothing must be in \[0, 1\]"),
    ("ce weight",          lambda: tg.cross_entropy(Q, [0, 1], [1.0, 2.0]),                  tg.ShapeError, r"weight must have shape \(3,\), one for each class"),
    ("ce places",          lambda: tg.cross_entropy(np.ones((2, 3, 4)), np.zeros(8, int)),   tg.ShapeError, r"targets must have shape \(2, 4\), got \(8,\): write targets.reshape\(2, 4\)"),
    ("ce not one-hot",     lambda: tg.cross_entropy(Q, np.array([[0, 1, 2], [1, 0, 0]])),    ValueError,    "one-hot"),
    ("ce two hot",         lambda: tg.cross_entropy(Q, np.array([[0, 1, 1], [1, 0, 0]])),    ValueError,    "one-hot"),
    ("ce minus one",       lambda: tg.cross_entropy(Q, np.array([[0, -1, 0], [1, 0, 0]])),   ValueError,    "one-hot"),
    ("ce ignore 0",        lambda: tg.cross_entropy(Q, Q, ignore_index=0),                   ValueError,    "none to ignore"),
    ("ce ignore shares",   lambda: tg.cross_entropy(Q, Q, ignore_index=1),                   ValueError,    "none to ignore"),
    ("ce class",           lambda: tg.cross_entropy(Q, [-100, 3]),                           IndexError,    r"0\.\.2"),
    ("ce class -1",        lambda: tg.cross_entropy(Q, [-100, -1]),                          IndexError,    r"0\.\.2"),
    ("nll shape",          lambda: tg.nll_loss(Q[0], [0]),                                   tg.ShapeError, r"input must have shape \(N, C\)"),
    ("nll shares",         lambda: tg.nll_loss(Q, Q),                                        tg.ShapeError, "one integer per row of input"),
]
# fmt: on


@pytest.mark.parametrize(("name", "call", "error", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_wrong_arguments_are_refused_with_a_remedy(name, call, error, message):
    with pytest.raises(error, match=message):
        call()
