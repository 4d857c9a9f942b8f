"""What is seen: pages made on the server, usable without a script, for people who would rather look than read."""
