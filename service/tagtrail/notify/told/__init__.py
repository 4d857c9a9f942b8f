"""What messages say: one file for each thing that is told, and all their words in this folder."""
