"""Everything there is to know about this computer: a pure parser and a small reader for each kind."""
