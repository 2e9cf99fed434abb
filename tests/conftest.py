"""Two workers share two cores: threads of theirs would only wait for each other."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
