"""Where it lies: all SQL, the schema's migrations, and rows turned into values. SQLite is known only here."""
