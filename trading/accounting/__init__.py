"""Positions, cash, profit and loss; every charge is booked here and nowhere else."""
