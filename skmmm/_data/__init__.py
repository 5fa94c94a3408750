"""From tables to numbers on a grid: columns, calendar, panel, scales, checks."""
