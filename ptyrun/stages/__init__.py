"""The stages of a run; they meet on disk, never in memory."""
