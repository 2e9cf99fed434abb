"""What all tests share."""

import os

from hypothesis import settings

# two workers share two cores: threads of theirs would only wait for each other
os.environ["OMP_NUM_THREADS"] = "1"
# no test depends on how fast the machine is
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
