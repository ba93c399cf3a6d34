"""The report: one self-contained HTML file, and exports."""
