"""Mutants that are equivalent to the original, so that no test can kill them, with the reasons."""

EQUIVALENT = {
    "ldexp input 2: ones": "an exponent is an integer, which is never tracked",
}
