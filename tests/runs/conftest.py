import sys
from pathlib import Path

# The fakes must be found by name, here and in the worker processes that are started from here.
sys.path.insert(0, str(Path(__file__).parent))
