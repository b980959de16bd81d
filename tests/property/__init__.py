"""Random schemas, keys, values and expressions, compared value by value or with a documented rule."""
