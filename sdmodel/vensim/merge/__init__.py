"""Model files compared, merged and formatted, variable by variable."""
