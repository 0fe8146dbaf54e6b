"""What an operator does with departments' batches."""
