"""All that talks to MySQL: catalog, types, window, fingerprint, chunks, reader."""
