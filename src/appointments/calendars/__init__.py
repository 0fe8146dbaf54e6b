"""Public holidays and make-up workdays, in a table the operator owns."""
