"""Moves what changed in MySQL through S3 into Redshift. Start reading at ``cli.py``, then ``run.py``."""

__version__ = "0.1.0"
