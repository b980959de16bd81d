"""The stack on one machine: servers, demo application, local Redshift. Nothing in ``el`` imports it."""
