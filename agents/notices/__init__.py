"""Notices: what people are told of, decided from what flows on topics and from the monitor's own look outside."""
