"""Totals of an invoice."""


def total(prices, discount_percent=0):
    """The sum of the prices less the discount, rounded to cents."""
    subtotal = sum(prices)
    return round(subtotal - subtotal * discount_percent, 2)
