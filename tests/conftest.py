"""What all tests share: Hypothesis prints what reproduces a failure, and has no deadline on a busy machine."""

from hypothesis import settings

settings.register_profile("tensorgrad", deadline=None, print_blob=True, max_examples=60)
settings.load_profile("tensorgrad")
