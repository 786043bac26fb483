"""State in one SQLite file: schema, one writer with group commit, one repository per aggregate."""
