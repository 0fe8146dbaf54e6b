"""The display of an office's hall (叫号屏): for everybody, once, as it changes, or as a page."""
