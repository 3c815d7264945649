"""Faust tables: keys, codecs, and how a state changes together with what it sends. One file per table."""
