"""What is kept: the line, and the one transaction that writes it together with what it means."""
