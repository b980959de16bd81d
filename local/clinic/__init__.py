"""The demo application: a telehealth clinic in MySQL. See ``python -m local.clinic --help``."""
