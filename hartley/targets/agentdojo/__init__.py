"""AgentDojo (Debenedetti et al., 2024): its suites as targets, and our policies and safeguards inside its pipeline."""
