"""The read model in a database: one set of tables and queries, for SQLite and for PostgreSQL."""
