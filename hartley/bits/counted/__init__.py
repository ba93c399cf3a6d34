"""Parts of the measures of counts: the decoder below, the permutation gate, halves, thin tables, the optimization of capacity."""
