"""The separate verifier: proves an evidence file offline, or names its first broken link.

It imports nothing else of the product, only `cryptography` and `cbor2`, and is built as a distribution of its own. That
it says again, in its own words, what the product says about seals, trees and roles is intended: two readers that agree
prove more than one.
"""
