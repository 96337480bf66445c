"""Bedrock: keys, identities, seals, policy handles, the ledger. Knows nothing of energy, imports none of ours."""
