"""What commands print and draw, by kind of result."""
