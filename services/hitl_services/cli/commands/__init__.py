"""The commands as typer sees them; what they do is imported when it is done."""
