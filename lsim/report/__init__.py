"""The report: one page of HTML that holds all it shows, about one run or several side by side."""
