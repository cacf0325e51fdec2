"""Writing recipes: functions or graphs, driven by recorded events."""
