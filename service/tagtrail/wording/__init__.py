"""How a line, an image, a duration and a rollback read in words: shared by the CLI, pages, chat and API."""
