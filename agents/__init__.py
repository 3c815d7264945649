"""One stage per file, thin: decode, call `trading`, write the table, send. No business rule lives here.

Each module has `attach(worker)`, which declares the stage's tables and what it consumes.
"""
