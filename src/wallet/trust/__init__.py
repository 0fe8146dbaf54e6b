"""What others believe of this city, and what this city believes of others: trust lists, exports, recognised cities."""
