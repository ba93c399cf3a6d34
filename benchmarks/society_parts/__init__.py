"""What benchmarks/society.py takes from the attacks."""
