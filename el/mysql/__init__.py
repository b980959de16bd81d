"""Sessions on MySQL, and all that extract asks it: catalog, types, window, fingerprint, chunks, reader."""
