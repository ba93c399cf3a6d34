"""The parts that recipes compose: carrier, budget, objective, reference, expectation, optimizer, schedule."""
