"""The report: one self-contained HTML file."""

from hartley.report.page import build, write_report

__all__ = ["build", "write_report"]
