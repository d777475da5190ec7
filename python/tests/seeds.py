"""Seeds of the random tests: fresh at each run, printed on failure, fixed by EVENER_SEED=N."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator


def seeds(count: int) -> Iterator[int]:
    """``count`` seeds, or only that of EVENER_SEED; print it as ``EVENER_SEED=N`` with ``subTest``."""
    fixed = os.environ.get("EVENER_SEED")
    if fixed is not None:
        yield int(fixed)
        return
    for _ in range(count):
        yield random.SystemRandom().randrange(2**32)
