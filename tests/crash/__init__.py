"""The real process is killed or disturbed at every point of a list, and run again."""
