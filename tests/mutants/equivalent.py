"""Mutants that are no errors, so that no test can kill them, each with the reason."""

EQUIVALENT = {
    "ldexp input 2: ones": "an exponent is an integer, which is never on the tape",
    "where: not selects": "its condition is saved and has no gradient: at any point its rule gives the same zeros",
}
