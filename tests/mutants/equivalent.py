"""Mutants that are equivalent to the original, so that no test can kill them, with the reasons."""

_SAME = ("negated", "doubled", "a hundredth more", *(f"growing along axis {axis}" for axis in (-1, -2, -3)))

EQUIVALENT = {
    **{
        f"{name}: {way}": "its rule gives NaN or 0, which stay what they are"
        for name in ("abs_slope", "tie_slope")
        for way in _SAME
    },
    "ldexp input 2: ones": "an exponent is an integer, which is never tracked",
    "where: not selects": "its condition is saved and has no gradient: at any point its rule gives the same zeros",
}
