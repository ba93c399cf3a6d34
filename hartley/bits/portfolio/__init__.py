"""Parts of the measure of continuous variables: each estimate, each lower limit, the gate, and all of them gathered."""
