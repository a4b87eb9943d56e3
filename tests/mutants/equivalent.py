"""Mutants that are no errors, so that no test can kill them, each with the reason."""

_SAME = ("negated", "doubled", "a hundredth more", *(f"growing along axis {axis}" for axis in (-1, -2, -3)))

EQUIVALENT = {
    **{
        f"{name}: {way}": "its rule gives NaN or 0, which stay what they are"
        for name in ("side", "jump")
        for way in _SAME
    },
    "ldexp input 2: ones": "an exponent is an integer, which is never on the tape",
    "where: not selects": "its condition is saved and has no gradient: at any point its rule gives the same zeros",
}
