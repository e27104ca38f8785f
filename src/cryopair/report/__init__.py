"""The report: one HTML page that shows what a session gave, and whether to trust it."""
