"""The separate verifier: proves an evidence file offline, or names its first broken link.

It imports nothing of the product, only `cryptography` and `cbor2`, and is a distribution of its own. That it says again
what seals, trees and roles are, in its own words, is intended: two readers that agree prove more than one.
"""
