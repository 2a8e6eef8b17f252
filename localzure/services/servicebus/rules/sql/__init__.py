"""The SQL of filters and actions ("Subscription rule SQL filter syntax" and "… action syntax"): text to closures.

`grammar` reads a text into a `tree`; `conditions`, `expressions` and `statements` make closures of it; `values`,
`arithmetic` and `conversion` say how values compare, count and convert.
"""
