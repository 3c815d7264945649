"""The pipeline's decisions in one process: strategies, risk, paper exchange and accounting over recorded ticks."""
