"""MySQL's oddities: a folder of small files each, with the rows that go in and those that must come out."""
