"""What ``el`` relies on in libraries beyond their documentation."""
