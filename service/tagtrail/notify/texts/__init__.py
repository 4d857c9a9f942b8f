"""The words of messages: one file for each subject."""
