"""What operators and anybody who keeps the catalogue reads back: all there is, page by page."""
