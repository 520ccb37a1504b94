"""People's rights over data about them: requests with due dates, restrictions, codes, who used what, opt-outs."""
