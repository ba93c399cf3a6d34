"""Parts of the bandwidth: a JSON Schema read, merged and counted exactly."""
