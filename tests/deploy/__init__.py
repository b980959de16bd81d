"""Policies, hosts and schedules of ``deploy/``."""
