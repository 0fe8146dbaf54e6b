"""Where a trip's vehicle is, as the department that runs it says."""
