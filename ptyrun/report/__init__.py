"""How does a finished comparison look to a reader? Drawings, tables, templates; no arithmetic."""
