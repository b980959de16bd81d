"""The archive: rows past their retention leave MySQL for S3, and come back. Begin at ``cli.py``."""
