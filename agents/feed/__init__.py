"""Parts of the market feed: the hand-over queue, the framing, the list of instruments."""
