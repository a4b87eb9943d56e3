"""Products of matrices and vectors."""
# ruff: noqa: E501  (tables with one row per line)

import numpy as np

from cases.rows import Row, real

A23 = np.array([[0.5, -1.5, 2.5], [1.25, -0.75, 1.75]])
A3 = np.array([1.5, 0.5, 2.25])

# fmt: off
MATMULS = [
    Row(f"@ {a} {b}", lambda x, y: x @ y, real, [a, b]) for a, b in [
        ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 2)), ((2, 2, 3), (3,)), ((3,), (2, 3, 2)),
        ((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 2)), ((2, 2, 3), (2, 3, 1)), ((1, 2, 3), (2, 3, 2)),
        ((2, 1, 1, 2), (2, 2, 1)), ((1, 1), (1, 1)), ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((0, 2, 3), (3, 1)),
        ((2, 1, 3, 2), (2, 4)), ((2, 2, 0), (0, 3)), ((2, 1, 3, 2), (2,))]
] + [
    Row(f"dot {a} {b}", lambda x, y: np.dot(x, y), real, [a, b]) for a, b in [
        ((), ()), ((), (3,)), ((2, 3), ()), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 2)),
        ((2, 3), (2, 3, 2)), ((3,), (2, 3, 2)), ((2, 1, 3), (2, 3, 1)), ((2, 2), (1, 2, 2, 2)), ((2, 0), (0, 2))]
]
PRODUCTS = [*MATMULS, Row("matmul", np.matmul, real, [(2, 3), (3, 2)]), Row("x @ x", lambda x: x @ x, real, [(2, 2)]), Row("x @ x.T", lambda x: x @ x.T, real, [(2, 3)]), Row("x.dot", lambda x: x.dot(A3), real, [(2, 3)]), Row("dot(number)", lambda x: np.dot(x, 2.5), real, [(2, 3)]), Row("dot(array)", lambda x: np.dot(A23, x), real, [(3, 2)]), Row("vdot", np.vdot, real, [(3,), (3,)]), Row("vdot flat", np.vdot, real, [(2, 3), (2, 3)]), Row("vdot of itself", lambda x: np.vdot(x, x), real, [(2, 3)]), Row("vdot of equals", lambda x: np.vdot(x, x + 0), real, [(2, 3)]), Row("vdot array", lambda x: np.vdot(A23, x), real, [(6,)]), Row("vdot 0-d", np.vdot, real, [(), (1,)]), Row("outer", np.outer, real, [(2,), (3,)]), Row("outer flat", np.outer, real, [(2, 2), ()]), Row("outer array", lambda x: np.outer(A3, x), real, [(2,)])]

# NumPy's functions, with the shapes of their inputs.
OTHERS = [
    Row(f"{name} {' '.join(map(str, shapes))}", fn, real, shapes) for name, fn, all_shapes in [
        ("inner",       np.inner,                                     [[(3,), (3,)], [(2, 3), (3,)], [(3,), (2, 3)], [(2, 3), (4, 3)], [(2, 3), (2, 2, 3)], [(2, 1, 3), (2, 2, 3)], [(), (2, 3)], [(2, 3), ()], [(2, 0), (3, 0)]]),
        ("tensordot",   np.tensordot,                                 [[(2, 3), (2, 3)], [(2, 3, 2), (3, 2, 4)], [(3, 0), (3, 0)]]),
        ("tensordot 0", lambda x, y: np.tensordot(x, y, 0),           [[(2,), (3,)], [(2, 1), (3,)], [(), (3,)]]),
        ("tensordot 1", lambda x, y: np.tensordot(x, y, axes=1),      [[(2, 3), (3, 4)], [(3,), (3, 2)], [(2, 0), (0, 3)]]),
        ("tensordot -1, 0", lambda x, y: np.tensordot(x, y, (-1, 0)), [[(2, 3), (3, 2)], [(2, 2, 3), (3,)]]),
        ("tensordot pairs", lambda x, y: np.tensordot(x, y, ([0, -1], (2, 0))), [[(2, 3, 4), (4, 3, 2)]]),
        ("tensordot none",  lambda x, y: np.tensordot(x, y, ([], [])),          [[(2,), (3,)]]),
        ("linalg.tensordot", lambda x, y: np.linalg.tensordot(x, y, axes=1),    [[(2, 3), (3, 4)]]),
        ("kron",        np.kron,                                      [[(2,), (3,)], [(2, 3), (3, 2)], [(2,), (2, 3)], [(2, 3), (2,)], [(2, 1, 2), (3, 2)], [(), (2, 3)], [(2,), ()], [(), ()], [(2, 0), (2, 2)]]),
        ("cross",       np.cross,                                     [[(3,), (3,)], [(2, 3), (3,)], [(2, 1, 3), (4, 3)], [(0, 3), (3,)]]),
        ("cross axes",  lambda x, y: np.cross(x, y, 0, 1, 0),         [[(3, 2), (2, 3)]]),
        ("cross axisc", lambda x, y: np.cross(x, y, axisa=-2, axisb=-1, axisc=1), [[(4, 3, 2), (2, 3)]]),
        ("cross axis",  lambda x, y: np.cross(x, y, axis=0),          [[(3, 2), (3, 2)]]),
        ("linalg.cross", np.linalg.cross,                             [[(2, 3), (3,)]]),
        ("linalg.cross axis", lambda x, y: np.linalg.cross(x, y, axis=0), [[(3, 2), (3, 2)]]),
        ("vecdot",      np.vecdot,                                    [[(3,), (3,)], [(2, 3), (3,)], [(3,), (2, 3)], [(2, 1, 3), (4, 3)], [(2, 0), (2, 0)]]),
        ("vecdot axis", lambda x, y: np.vecdot(x, y, axis=0),         [[(3, 2), (3, 2)], [(3, 4), (3, 2, 4)], [(3,), (3, 2)]]),
        ("vecdot -2",   lambda x, y: np.vecdot(x, y, axis=-2),        [[(2, 3, 1), (3, 4)]]),
        ("linalg.vecdot", np.linalg.vecdot,                           [[(2, 3), (2, 3)]]),
        ("linalg.vecdot axis", lambda x, y: np.linalg.vecdot(x, y, axis=0), [[(2, 3), (2, 1)]]),
        ("matvec",      np.matvec,                                    [[(2, 3), (3,)], [(4, 2, 3), (3,)], [(2, 3), (4, 3)], [(2, 1, 2, 3), (4, 3)], [(0, 3), (3,)]]),
        ("vecmat",      np.vecmat,                                    [[(2,), (2, 3)], [(4, 2), (2, 3)], [(2,), (4, 2, 3)], [(2, 1, 2), (4, 2, 3)], [(2,), (2, 1, 2, 3)], [(2,), (2, 0)]]),
        ("linalg.matmul", np.linalg.matmul,                           [[(2, 3), (3,)]]),
        ("linalg.outer", np.linalg.outer,                             [[(2,), (3,)]]),
    ] for shapes in all_shapes
] + [
    Row("cross plane",   np.cross,                            real,      [(4, 2), (2,)],  lambda x, y: x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]),
    Row("cross 2, 3",    np.cross,                            real,      [(4, 2), (3,)],  lambda x, y: np.cross(np.pad(x, ((0, 0), (0, 1))), y)),
    Row("cross 3, 2",    lambda x, y: np.cross(x, y, axisc=0), real,     [(4, 3), (2,)],  lambda x, y: np.cross(x, np.pad(y, (0, 1)), axisc=0)),
    Row("inner number",  lambda x: np.inner(2.5, x),          real,      [(2, 3)]),
    Row("tensordot array", lambda x: np.tensordot(A23, x, (0, 1)), real, [(3, 2)]),
    Row("kron lists",    lambda x: np.kron([[1.0, 2.0]], x),  real,      [(2, 3)]),
    Row("kron number",   lambda x: np.kron(x, 2.5),           real,      [(2, 3)]),
    Row("kron twice",    lambda x: np.kron(x, x),             real,      [(2, 3)]),
    Row("cross array",   lambda x: np.cross(A23, x),          real,      [(3,)]),
    Row("vecdot list",   lambda x: np.vecdot([1.5, 0.5, 2.0], x, axis=0), real, [(3, 2)]),
]

EINSUMS = [
    Row(f"einsum {s} {shapes}", lambda *x, s=s: np.einsum(s, *x), real, shapes) for s, shapes in [
        ("i->i",          [(3,)]),                 ("ij->ji",        [(2, 3)]),              ("ij",            [(2, 3)]),
        ("ba",            [(2, 3)]),               ("ij->",          [(2, 3)]),              ("ij->j",         [(2, 3)]),
        ("ii",            [(3, 3)]),               ("ii->i",         [(3, 3)]),              ("iij->j",        [(2, 2, 3)]),
        ("iii->i",        [(2, 2, 2)]),            ("ijij->j",       [(2, 2, 2, 2)]),        ("iji->j",        [(2, 3, 2)]),
        ("i,i",           [(3,), (3,)]),           ("i,j->ij",       [(2,), (3,)]),          ("i,j->ji",       [(2,), (3,)]),
        ("i,j->",         [(2,), (3,)]),           ("i,j->j",        [(2,), (3,)]),          ("ij,j",          [(2, 3), (3,)]),
        ("ij,jk",         [(2, 3), (3, 2)]),       ("ij,jk->ki",     [(2, 3), (3, 2)]),      ("ij,ij->i",      [(2, 3), (2, 3)]),
        ("ij,kj->ik",     [(2, 3), (2, 3)]),       ("ii,i->i",       [(2, 2), (2,)]),        ("ii,jj->ij",     [(2, 2), (2, 2)]),
        ("ij,ij->ij",     [(2, 1), (1, 3)]),       ("ij,j->i",       [(2, 1), (3,)]),        ("ij,j->",        [(1, 3), (1,)]),
        ("bij,bjk->bik",  [(2, 2, 1), (2, 1, 2)]), ("bij,bjk->bik",  [(1, 2, 2), (2, 2, 1)]),
        ("...ij,...jk",   [(2, 2, 1), (1, 2)]),    ("...ij,...jk->...ik", [(2, 1, 1, 2), (2, 2, 1)]),
        ("...",           [(2, 3)]),               ("...i->...",     [(2, 3)]),              ("i...->...",     [(2, 3)]),
        ("...i,...i",     [(2, 3), (3,)]),         ("...,...->...",  [(2, 1), (3,)]),        ("...ii->...i",   [(2, 2, 2)]),
        ("...i,j...->ij...", [(2, 3), (2, 2)]),    ("i...,...",      [(2,), ()]),            (" i j , j k -> i k ", [(2, 2), (2, 2)]),
        ("i,i,i",         [(3,), (3,), (3,)]),     ("ij,jk,kl->il",  [(2, 2), (2, 1), (1, 2)]),
        ("ij,j,i->",      [(2, 3), (3,), (2,)]),   ("i,j,k->kji",    [(2,), (1,), (2,)]),    ("ij,jj,jk->ik",  [(2, 2), (2, 2), (2, 2)]),
        (",i->i",         [(), (3,)]),             (",",             [(), ()]),              ("ij,jk->ik",     [(0, 2), (2, 3)]),
        ("Ab,bC",         [(2, 2), (2, 3)]),       ("ij,kl->j",      [(2, 2), (2, 1)]),      ("ij->i",         [(2, 0)])]
] + [
    Row("einsum array",  lambda x: np.einsum("ij,jk", A23, x), real,     [(3, 2)]),
    Row("einsum twice",  lambda x: np.einsum("ij,kj", x, x),  real,      [(2, 2)]),
    Row("einsum large",  lambda x, y: np.einsum("btd,de->bte", np.tile(x, (8, 8, 1)), np.tile(y, (1, 200)))[::5, ::5, ::133], real, [(2, 2, 2), (2, 2)]),
    Row("einsum optimize", lambda x, y, z: np.einsum("ij,jk,kl->il", x, y, z, optimize=True), real, [(2, 2), (2, 2), (2, 2)]),
    Row("einsum path",   lambda x, y, z: np.einsum("ij,jk,l->i", x, y, z, optimize=["einsum_path", (0, 1), (0, 1)]), real, [(2, 2), (2, 2), (2,)]),
    Row("einsum numbers", lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [2, 0]), real, [(2, 3), (3, 4)]),
    Row("einsum implicit", lambda x, y: np.einsum(x, [30, 1], y, (1, 2)), real, [(2, 3), (3, 4)]),
    Row("einsum diagonal", lambda x: np.einsum(x, [5, 5], [5]), real,    [(3, 3)]),
    Row("einsum dots",   lambda x, y: np.einsum(x, [..., 0, 1], y, [1], [..., 0]), real, [(4, 2, 3), (3,)]),
    Row("einsum numbers optimize", lambda x, y: np.einsum(x, [0, 1], y, [1], [0], optimize=True), real, [(2, 3), (3,)]),
]

ROWS = PRODUCTS + OTHERS + EINSUMS
# fmt: on
