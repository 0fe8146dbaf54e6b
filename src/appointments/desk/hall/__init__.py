"""The hall of an office (大厅): its counters, queue numbers (取号), who is called next (叫号), and the display."""
