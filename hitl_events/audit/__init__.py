"""Checking, exporting, replaying and explaining what is recorded; pure functions of it."""
