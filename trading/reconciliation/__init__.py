"""What a broker says against what we believe, as typed differences. Pure: the time is a parameter."""
