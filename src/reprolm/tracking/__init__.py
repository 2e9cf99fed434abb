"""The record of a run: journal, shipper, identity, lineage."""
