"""What flows on topics (`messages`) and what is stored (`rows`). No behaviour beyond validation."""
