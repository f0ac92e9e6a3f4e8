"""THE RECORD. What a user writes and what a run leaves behind: config, result, summary, and their folders."""
