"""Moves what changed in MySQL through S3 into Redshift. Start reading at ``cli.py``, then ``run.py``."""

import os

__version__ = "0.2.0"

# Read when Arrow is imported. Its own allocator keeps what the largest part needed, and 40 MB from the start.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
