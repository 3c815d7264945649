"""What has to be so before live trading starts: checked by a command, and by the live engine as long as it runs."""
