"""The database schema, as numbered steps of plain SQL.

A step expands the schema so that the version before it still works on it; what is no longer used is contracted by a
step of a later version. So there are no downgrades, and processes of two neighbouring versions can share a database.
"""
