"""Reports for people and their tools: rows as CSV, JSON lines and pages. Pure."""
