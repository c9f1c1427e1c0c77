"""Is a hub what it says? Ten checks, each by content; none changes anything."""
